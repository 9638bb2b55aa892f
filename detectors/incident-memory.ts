/**
 * What surprises a series has had, to say how much another one tells: an operator who was told of
 * one learns little from its second hour, or from the tenth of its kind.
 *
 *   level i    surprises of at least surpriseMin + i / levelsPerUnit
 *   rows       Uint32Array [levels]   how many observations were at least that surprising
 *   incidents  Uint8Array [levels]    in how many spells
 *   last       Uint32Array [levels]   the newest of them, in observations from 1; 0: never
 *
 * News is the surprise, in powers of ten, plus those of how long nothing as surprising was seen,
 * less those of how often: the rate of a repeated event is bounded by its last return, and the
 * evidence a lifetime of alarms may spend is shared among them.
 *
 * Source: record and return times, Gumbel 1958; spending of alarms, Foster and Stine 2008; spells
 * by a gap without exceedance, the runs estimator of Smith and Weissman 1994.
 */
export interface IncidentMemory {
  readonly rows: Uint32Array;
  readonly incidents: Uint8Array;
  readonly last: Uint32Array;
  /** Observations. */
  seen: number;
}

const levels = 24;
const levelsPerUnit = 6;
const surpriseMin = 0.5;
/** Observations without one as surprising that end a spell. */
const spellGap = 100;
/** A surprise nearly as large was the same news. */
const alike = 0.9;
const incidentsMax = 255;
/** Surprises are averages of three views; beyond the largest seen, one of them alone may grow. */
const beyondPower = 1.5;

export function createIncidentMemory(): IncidentMemory {
  return {
    rows: new Uint32Array(levels),
    incidents: new Uint8Array(levels),
    last: new Uint32Array(levels),
    seen: 0,
  };
}

/** Powers of ten; 0 for what is ordinary. */
export function newsOf({ incidents, last, seen }: IncidentMemory, surprise: number): number {
  if (surprise < surpriseMin) return 0;
  const level = Math.round((surprise * alike - surpriseMin) * levelsPerUnit);
  const index = Math.max(0, Math.min(levels - 1, level));
  const quiet = seen + 1 - (last[index] as number);
  return Math.max(0, surprise + Math.log10(quiet / (1 + (incidents[index] as number))));
}

/** The share of observations at least as surprising; in (0, 1]. */
export function shareOf({ rows, seen }: IncidentMemory, surprise: number): number {
  if (surprise <= 0) return 1;
  const position = (surprise - surpriseMin) * levelsPerUnit;
  if (position < 0) {
    const share = ((rows[0] as number) + 1) / (seen + 2);
    return 1 + (share - 1) * (surprise / surpriseMin);
  }
  const index = Math.min(levels - 1, Math.floor(position));
  if (rows[index] === 0) return shareBeyond(rows, position) / (seen + 2);
  const next = index + 1 < levels ? (rows[index + 1] as number) : 0;
  const above = Math.log((rows[index] as number) + 1);
  const part = Math.min(1, position - index);
  return Math.exp(above + (Math.log(next + 1) - above) * part) / (seen + 2);
}

/** Of one observation, where none was as surprising. */
function shareBeyond(rows: Uint32Array, position: number): number {
  let top = Math.min(levels - 1, Math.floor(position));
  while (top > 0 && rows[top - 1] === 0) top--;
  return 10 ** ((-beyondPower * (position - top)) / levelsPerUnit);
}

export function learnSurprise(memory: IncidentMemory, surprise: number): void {
  const { rows, incidents, last } = memory;
  memory.seen++;
  const top = Math.min(levels - 1, Math.floor((surprise - surpriseMin) * levelsPerUnit));
  for (let index = 0; index <= top; index++) {
    rows[index] = (rows[index] as number) + 1;
    const before = last[index] as number;
    const isNew = before === 0 || memory.seen - before > spellGap;
    if (isNew && incidents[index] !== incidentsMax) {
      incidents[index] = (incidents[index] as number) + 1;
    }
    last[index] = memory.seen;
  }
}
