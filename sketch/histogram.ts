/**
 * How long spans took: OpenTelemetry's base-2 exponential histogram at scale 5, over whole
 * nanoseconds. Bucket i holds (2^(i/32), 2^((i+1)/32)], each 2.2 % wide, so a quantile read from
 * the middle of its bucket is within 1.09 %.
 *
 *   octaves  Uint8Array [54]        per octave: 1 + its place in `counts`, 0 = nothing there
 *   counts   Uint32Array [32 * n]   the n octaves seen, in the order they were; widened to
 *                                   Float64Array when a count passes 2^32 - 1
 *
 * Memory follows the octaves that have values: a far outlier costs one octave, not the way there.
 * Counts are exact. Merge adds: commutative and associative, bit for bit. The sum stays at 2^53 - 1
 * once it gets there, which keeps both laws.
 * Source: OpenTelemetry metrics data model, ExponentialHistogram.
 */
import { assert } from "../base/errors.ts";

export interface Histogram {
  count: number;
  zeroCount: number;
  sumNs: number;
  /** Exact; 0 while empty. */
  minNs: number;
  maxNs: number;
  octaves: Uint8Array;
  counts: Uint32Array | Float64Array;
}

const octaveCount = 54;
/** The bucket of 1 ns, and of 2^53 - 1 ns. */
export const bucketIndexMin = -1;
export const bucketIndexMax = 53 * 32 - 1;

const uint32Max = 2 ** 32 - 1;
const noOctaves = new Uint8Array(octaveCount);
const noCounts = new Uint32Array(0);

/** bounds[k] = 2^31 * 2^(k/32) rounded down: where, in a normalised mantissa, part k begins. */
const bounds = createBounds();
/** By the eight bits after the leading one: the part that the least such mantissa lies in. */
const parts = createParts();

export function createHistogram(): Histogram {
  return {
    count: 0,
    zeroCount: 0,
    sumNs: 0,
    minNs: 0,
    maxNs: 0,
    octaves: noOctaves,
    counts: noCounts,
  };
}

export function copyHistogram(h: Histogram): Histogram {
  return {
    ...h,
    octaves: h.counts.length === 0 ? noOctaves : h.octaves.slice(),
    counts: h.counts.length === 0 ? noCounts : h.counts.slice(),
  };
}

/** Counts one duration: whole nanoseconds from 0; more than 2^53 - 1 counts as that. */
export function addHistogram(h: Histogram, ns: number): void {
  assert(ns >= 0 && Number.isInteger(ns), "a duration is whole nanoseconds from 0");
  const value = Math.min(ns, Number.MAX_SAFE_INTEGER);
  if (h.count === 0 || value < h.minNs) h.minNs = value;
  if (value > h.maxNs) h.maxNs = value;
  h.count++;
  h.sumNs = Math.min(h.sumNs + value, Number.MAX_SAFE_INTEGER);
  if (value === 0) h.zeroCount++;
  else addToBucket(h, bucketIndex(value), 1);
}

/** Merges `source` into `target`; `source` stays as it was. */
export function mergeHistogram(target: Histogram, source: Histogram): void {
  if (source.count === 0) return;
  if (target.count === 0 || source.minNs < target.minNs) target.minNs = source.minNs;
  if (source.maxNs > target.maxNs) target.maxNs = source.maxNs;
  visitBuckets(source, (index, count) => addToBucket(target, index, count));
  target.count += source.count;
  target.zeroCount += source.zeroCount;
  target.sumNs = Math.min(target.sumNs + source.sumNs, Number.MAX_SAFE_INTEGER);
}

/**
 * The value, in nanoseconds, that a share `q` of the durations do not exceed, within 1.09 %; NaN
 * while empty.
 */
export function quantileHistogram(h: Histogram, q: number): number {
  if (h.count === 0) return Number.NaN;
  const rank = Math.min(h.count, Math.max(1, Math.ceil(q * h.count)));
  let below = h.zeroCount;
  if (rank <= below) return 0;
  let value = h.maxNs;
  visitBuckets(h, (index, count) => {
    if (below < rank && below + count >= rank) value = bucketMiddleNs(index);
    below += count;
  });
  return Math.min(h.maxNs, Math.max(h.minNs, value));
}

/** How many durations lie in buckets above `index`. */
export function countAbove(h: Histogram, index: number): number {
  let above = index < bucketIndex(0) ? h.zeroCount : 0;
  visitBuckets(h, (at, count) => {
    if (at > index) above += count;
  });
  return above;
}

/** The bucket of a whole number of nanoseconds; that of 0 is -33, below every other. */
export function bucketIndex(ns: number): number {
  if (ns > uint32Max) return bucketIndexLarge(Math.min(ns, Number.MAX_SAFE_INTEGER));
  const zeros = Math.clz32(ns);
  const mantissa = (ns << zeros) >>> 0;
  let part = parts[(mantissa >>> 23) & 0xff] as number;
  if (mantissa > (bounds[part + 1] as number)) part++;
  return (31 - zeros) * 32 + part;
}

/** The most whole nanoseconds that fall into this bucket or one below it. */
export function bucketUpperNs(index: number): number {
  const next = index + 1;
  const upper = (bounds[next & 31] as number) * 2 ** ((next >> 5) - 31);
  return Math.min(Math.floor(upper), Number.MAX_SAFE_INTEGER);
}

/** The point with the same relative distance to both ends of the bucket. */
export function bucketMiddleNs(index: number): number {
  const lower = (bounds[index & 31] as number) * 2 ** ((index >> 5) - 31);
  const upper = (bounds[(index + 1) & 31] as number) * 2 ** (((index + 1) >> 5) - 31);
  return (2 * lower * upper) / (lower + upper);
}

/** Every bucket that has durations, in ascending order; not the zeros. */
export function visitBuckets(h: Histogram, visit: (index: number, count: number) => void): void {
  for (let octave = 0; octave < octaveCount; octave++) {
    const place = h.octaves[octave] as number;
    if (place === 0) continue;
    for (let part = 0; part < 32; part++) {
      const count = h.counts[(place - 1) * 32 + part] as number;
      if (count > 0) visit(octave * 32 + part - 1, count);
    }
  }
}

/** Adds to one bucket and to nothing else: count, sum and extremes are the caller's. */
export function addToBucket(h: Histogram, index: number, count: number): void {
  const octave = (index + 1) >> 5;
  const place = (h.octaves[octave] as number) || addOctave(h, octave);
  const at = (place - 1) * 32 + ((index + 1) & 31);
  const sum = (h.counts[at] as number) + count;
  if (sum > uint32Max && h.counts instanceof Uint32Array) h.counts = Float64Array.from(h.counts);
  h.counts[at] = sum;
}

function addOctave(h: Histogram, octave: number): number {
  const wide = h.counts instanceof Float64Array;
  const size = h.counts.length + 32;
  const grown = wide ? new Float64Array(size) : new Uint32Array(size);
  grown.set(h.counts);
  if (h.counts.length === 0) h.octaves = new Uint8Array(octaveCount);
  h.counts = grown;
  h.octaves[octave] = size / 32;
  return size / 32;
}

/** Beyond 32 bits: the same, on a mantissa that keeps its fraction. */
function bucketIndexLarge(ns: number): number {
  const exponent = 63 - Math.clz32(Math.floor(ns / 2 ** 32));
  const mantissa = ns / 2 ** (exponent - 31);
  let part = parts[(mantissa >>> 23) & 0xff] as number;
  if (mantissa > (bounds[part + 1] as number)) part++;
  return exponent * 32 + part;
}

/** Built from square roots, which IEEE 754 rounds alike everywhere; powers it does not. */
function createBounds(): Float64Array {
  const roots: number[] = [];
  for (let root = Math.sqrt(2); roots.length < 5; root = Math.sqrt(root)) roots.push(root);
  return Float64Array.from({ length: 33 }, (_, k) => {
    if (k === 32) return 2 ** 32;
    const power = roots.reduce(
      (product, root, bit) => (k & (16 >> bit) ? product * root : product),
      1,
    );
    return Math.floor(2 ** 31 * power);
  });
}

/** Mantissas that share eight bits span less than a part: at most one bound lies between them. */
function createParts(): Int8Array {
  return Int8Array.from({ length: 256 }, (_, bits) => {
    const least = 2 ** 31 + bits * 2 ** 23;
    return bounds.findLastIndex((bound) => bound < least);
  });
}
