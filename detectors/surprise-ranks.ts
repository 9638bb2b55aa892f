/**
 * How surprising a size is among the sizes of one kind seen before it: the share of them at least
 * as large, kept as counts in logarithmic bins.
 *
 *   counts   Uint16Array [binCount]   sizes from 2^-4 to 2^12, three bins an octave
 *   seen     how many they are; all are halved when one is full
 *   largest  of all, slowly forgotten: beyond it the tail is taken to fall by a power law
 *
 * The share is (larger + 1) / (seen + 2): among exchangeable sizes it is as uniform as its bins are
 * narrow, whatever their law, and it never claims more than the past can show.
 *
 * Source: conformal p-values, Vovk, Gammerman and Shafer 2005; tail index: Hill 1975.
 */
export interface SurpriseRanks {
  readonly counts: Uint16Array;
  seen: number;
  largest: number;
}

const octaves = 16;
const octaveLowest = -4;
const binsPerOctave = 3;
const binCount = octaves * binsPerOctave;
const countMax = 65_535;
/** Beyond what was seen the tail falls as that of a law with a finite variance. */
const tailIndex = 2;

export function createSurpriseRanks(): SurpriseRanks {
  return { counts: new Uint16Array(binCount), seen: 0, largest: 0 };
}

/** The share of sizes at least this large, in (0, 1]. */
export function rankPValue({ counts, seen, largest }: SurpriseRanks, size: number): number {
  const position = positionOf(size);
  const bin = Math.floor(position);
  let larger = (counts[bin] as number) * (1 - (position - bin));
  for (let above = bin + 1; above < binCount; above++) larger += counts[above] as number;
  const share = (larger + 1) / (seen + 2);
  return size > largest && seen > 0 ? share * (largest / size) ** tailIndex : share;
}

/** The size that a share `pValue` of those seen exceeds; undefined where too few were seen. */
export function rankQuantile({ counts, seen }: SurpriseRanks, pValue: number): number | undefined {
  let larger = 1;
  for (let bin = binCount - 1; bin >= 0; bin--) {
    larger += counts[bin] as number;
    if (larger > pValue * (seen + 2)) return bin === binCount - 1 ? undefined : sizeAbove(bin);
  }
  return undefined;
}

export function learnSize(ranks: SurpriseRanks, size: number): void {
  const bin = Math.floor(positionOf(size));
  if (ranks.counts[bin] === countMax) halve(ranks);
  ranks.counts[bin] = (ranks.counts[bin] as number) + 1;
  ranks.seen++;
  ranks.largest = Math.max(ranks.largest, size);
}

function halve(ranks: SurpriseRanks): void {
  ranks.seen = 0;
  for (let bin = 0; bin < binCount; bin++) {
    ranks.counts[bin] = (ranks.counts[bin] as number) >>> 1;
    ranks.seen += ranks.counts[bin] as number;
  }
}

function positionOf(size: number): number {
  const position = (Math.log2(Math.max(size, Number.MIN_VALUE)) - octaveLowest) * binsPerOctave;
  return Math.max(0, Math.min(binCount - 1e-9, position));
}

function sizeAbove(bin: number): number {
  return 2 ** ((bin + 1) / binsPerOctave + octaveLowest);
}
