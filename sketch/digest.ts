/**
 * t-digest: quantiles of numbers of any range and sign, in bounded memory, best at the ends.
 *
 *   means, weights  Float64Array   [0, size) centroids in ascending order, then
 *                                  [size, size + bufferedCount) values not yet merged in
 *
 * Scale function k2: a centroid at quantile q weighs at most count * q * (1 - q) / (delta / Z),
 * Z = 4 ln(count / delta) + 24, and the first and the last are single values. Minimum, maximum and
 * (as doubles add up) sum and count are exact. Merging is near-associative: quantiles agree, bytes
 * need not. Equal operations give equal bytes.
 * Source: Dunning and Ertl 2019, arXiv:1902.04023; Dunning 2021, "The t-digest", section 3.
 */
import { bucketMiddleNs, type Histogram, visitBuckets } from "./histogram.ts";
import { sortPairs } from "./sort-pairs.ts";

export interface Digest {
  means: Float64Array;
  weights: Float64Array;
  size: number;
  bufferedCount: number;
  /** Total weight. */
  count: number;
  /** Stays within the finite doubles. */
  sum: number;
  /** NaN while empty. */
  min: number;
  max: number;
}

const delta = 200;
/** With k2 a stream of unit weights needs about half of this. */
export const centroidsMax = 2 * delta;
const bufferMax = 512;
const roomMin = 16;
const roomMax = centroidsMax + bufferMax;
/** Where centroids are merged and joined, of two digests or of one and its buffer. */
const joinedMeans = new Float64Array(roomMax);
const joinedWeights = new Float64Array(roomMax);
/** Keeps total weights far from overflow. */
export const weightMax = 2 ** 53;

export function createDigest(): Digest {
  return {
    means: new Float64Array(0),
    weights: new Float64Array(0),
    size: 0,
    bufferedCount: 0,
    count: 0,
    sum: 0,
    min: Number.NaN,
    max: Number.NaN,
  };
}

export function copyDigest(d: Digest): Digest {
  return { ...d, means: d.means.slice(), weights: d.weights.slice() };
}

/**
 * Adds one value; false, and nothing changes, when the value is not finite or the weight is not in
 * (0, 2^53].
 */
export function addDigest(d: Digest, value: number, weight = 1): boolean {
  if (!Number.isFinite(value) || !(weight > 0 && weight <= weightMax)) return false;
  // Adding 0 turns -0 into 0, so that equal values have equal bytes.
  const point = value + 0;
  noteRange(d, point, point);
  d.count += weight;
  d.sum = finite(d.sum + point * weight);
  push(d, point, weight);
  return true;
}

/** Merges `source` into `target`; `source` says what it said, with its buffer merged in. */
export function mergeDigest(target: Digest, source: Digest): void {
  compressDigest(source);
  compressDigest(target);
  if (source.size === 0) return;
  noteRange(target, source.min, source.max);
  target.sum = finite(target.sum + source.sum);
  mergeRuns(target, source, 0, source.size);
}

/** The value at quantile `q` in [0, 1], between the exact minimum and maximum; NaN while empty. */
export function quantileDigest(d: Digest, q: number): number {
  compressDigest(d);
  if (d.size === 0) return Number.NaN;
  const { means, weights, size } = d;
  const wanted = Math.min(1, Math.max(0, q)) * d.count;
  let before = 0;
  let position = 0;
  let value = d.min;
  for (let at = 0; at < size; at++) {
    const weight = weights[at] as number;
    const mean = means[at] as number;
    const middle = before + weight / 2;
    if (wanted < middle) return between(value, mean, (wanted - position) / (middle - position));
    before += weight;
    position = middle;
    value = mean;
  }
  return between(value, d.max, Math.min(1, (wanted - position) / (d.count - position)));
}

/** The same durations as a digest: each bucket's middle with its count, the extremes exact. */
export function digestOfHistogram(h: Histogram): Digest {
  const d = createDigest();
  if (h.count === 0) return d;
  const put = (value: number, count: number): void => {
    if (count > 0) push(d, Math.min(h.maxNs, Math.max(h.minNs, value)), count);
  };
  put(h.minNs, 1);
  put(0, h.zeroCount - (h.minNs === 0 ? 1 : 0));
  let above = h.count - h.zeroCount;
  let isFirst = h.minNs > 0;
  visitBuckets(h, (index, count) => {
    above -= count;
    const rest = count - (isFirst ? 1 : 0) - (above === 0 ? 1 : 0);
    isFirst = false;
    put(bucketMiddleNs(index), rest);
  });
  if (h.count > 1 && h.maxNs > 0) put(h.maxNs, 1);
  noteRange(d, h.minNs, h.maxNs);
  d.count = h.count;
  d.sum = h.sumNs;
  return d;
}

/** Merges what is buffered into the centroids. What the digest says does not change. */
export function compressDigest(d: Digest): void {
  if (d.bufferedCount === 0) return;
  const from = d.size;
  const end = from + d.bufferedCount;
  d.bufferedCount = 0;
  sortPairs(d.means, d.weights, from, end);
  mergeRuns(d, d, from, end);
}

/**
 * Merges the ascending centroids of `source` from `from` to `end` into those of `target`, which may
 * be the same digest, and joins neighbours until there are few enough.
 */
function mergeRuns(target: Digest, source: Digest, from: number, end: number): void {
  const { means: leftMeans, weights: leftWeights, size: leftEnd } = target;
  const { means: rightMeans, weights: rightWeights } = source;
  let left = 0;
  let right = from;
  let size = 0;
  while (left < leftEnd && right < end) {
    if ((rightMeans[right] as number) < (leftMeans[left] as number)) {
      joinedMeans[size] = rightMeans[right] as number;
      joinedWeights[size++] = rightWeights[right++] as number;
    } else {
      joinedMeans[size] = leftMeans[left] as number;
      joinedWeights[size++] = leftWeights[left++] as number;
    }
  }
  for (; left < leftEnd; left++) {
    joinedMeans[size] = leftMeans[left] as number;
    joinedWeights[size++] = leftWeights[left] as number;
  }
  for (; right < end; right++) {
    joinedMeans[size] = rightMeans[right] as number;
    joinedWeights[size++] = rightWeights[right] as number;
  }
  takeJoined(target, joinUntilBounded(size));
}

/** Takes over the centroids that were joined. */
function takeJoined(d: Digest, size: number): void {
  if (d.means.length < size) {
    d.means = new Float64Array(size);
    d.weights = new Float64Array(size);
  }
  const { means, weights } = d;
  for (let at = 0; at < size; at++) {
    means[at] = joinedMeans[at] as number;
    weights[at] = joinedWeights[at] as number;
  }
  d.size = size;
  d.count = totalWeight(weights, size);
}

/** Unit weights fit at once; weights many orders of magnitude apart may take coarser passes. */
function joinUntilBounded(count: number): number {
  let size = joinNeighbours(count, 1);
  for (let slack = 2; size > centroidsMax; slack *= 2) size = joinNeighbours(size, slack);
  return size;
}

/**
 * One pass from left to right that joins neighbours while the joint centroid is light enough; gives
 * how many are left.
 */
function joinNeighbours(size: number, slack: number): number {
  const means = joinedMeans;
  const weights = joinedWeights;
  const total = totalWeight(weights, size);
  const share = (slack * (4 * Math.log(Math.max(total, delta) / delta) + 24)) / delta;
  const perTotal = 1 / total;
  // Where q (1 - q) is lost in rounding, later passes need a limit that still grows past all.
  const least = total * (slack - 1) * 2 ** -64;
  let into = 0;
  let before = 0;
  let mean = means[0] as number;
  let weight = weights[0] as number;
  for (let at = 1; at < size; at++) {
    const added = weights[at] as number;
    const joint = weight + added;
    const left = before * perTotal;
    const right = (before + joint) * perTotal;
    const limit = total * share * Math.min(left * (1 - left), right * (1 - right));
    if (at > 1 && at < size - 1 && joint <= Math.max(limit, least)) {
      mean = between(mean, means[at] as number, added / joint);
      weight = joint;
    } else {
      means[into] = mean;
      weights[into++] = weight;
      before += weight;
      mean = means[at] as number;
      weight = added;
    }
  }
  means[into] = mean;
  weights[into] = weight;
  return into + 1;
}

/** In order from the left: what a decoder of the same weights computes, to the last bit. */
export function totalWeight(weights: Float64Array, size: number): number {
  let total = 0;
  for (let at = 0; at < size; at++) total += weights[at] as number;
  return total;
}

function push(d: Digest, mean: number, weight: number): void {
  let at = d.size + d.bufferedCount;
  if (at === roomMax || d.bufferedCount === bufferMax) {
    compressDigest(d);
    at = d.size;
  }
  if (at === d.means.length) grow(d, at);
  d.means[at] = mean;
  d.weights[at] = weight;
  d.bufferedCount++;
}

function grow(d: Digest, used: number): void {
  const room = Math.min(roomMax, Math.max(roomMin, used * 2));
  const means = new Float64Array(room);
  const weights = new Float64Array(room);
  means.set(d.means);
  weights.set(d.weights);
  d.means = means;
  d.weights = weights;
}

function noteRange(d: Digest, min: number, max: number): void {
  d.min = d.min < min ? d.min : min;
  d.max = d.max > max ? d.max : max;
}

/** From `a` up to `b` by a share in [0, 1]: ascends with the share and stays within the two. */
function between(a: number, b: number, share: number): number {
  const width = b - a;
  // Where the width overflows, half of everything does not.
  const value =
    width <= Number.MAX_VALUE ? a + width * share : 2 * (a / 2 + (b / 2 - a / 2) * share);
  return Math.min(b, Math.max(a, value));
}

function finite(value: number): number {
  return Math.min(Number.MAX_VALUE, Math.max(-Number.MAX_VALUE, value));
}
