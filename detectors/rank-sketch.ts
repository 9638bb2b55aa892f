/**
 * Where a value lies among those seen before, fine at both ends and coarse in the middle.
 *
 *   values   Float32Array [entries]   ascending; the first `used` count
 *   counts   Uint16Array [entries]    how many values each stands for
 *   size     their sum
 *
 * When there is no room for a value, the two neighbours are merged whose count is smallest relative
 * to their rank from the nearer end. So the error of a rank grows with the rank, and stays within
 * about a factor of two, at the ends within a few: surprises are read in powers of ten.
 * When a count is full all are halved: what was seen long ago fades, and a lone extreme of then is
 * forgotten.
 *
 * Source: relative-error quantiles, Cormode et al. 2021 (REQ sketch); the merging of neighbours by
 * rank: Dunning and Ertl 2019, arXiv:1902.04023 (t-digest).
 */
export interface RankSketch {
  readonly values: Float32Array;
  readonly counts: Uint16Array;
  used: number;
  size: number;
}

const entries = 14;
const countMax = 65_535;

export function createRankSketch(): RankSketch {
  return { values: new Float32Array(entries), counts: new Uint16Array(entries), used: 0, size: 0 };
}

/** How many of those seen are below `value`, and how many are at most that; an estimate. */
export function ranksOf(sketch: RankSketch, value: number): { below: number; atMost: number } {
  const { values, counts, used } = sketch;
  const rounded = Math.fround(value);
  let at = 0;
  let below = 0;
  while (at < used && (values[at] as number) < rounded) below += counts[at++] as number;
  if (at < used && values[at] === rounded) return { below, atMost: below + (counts[at] as number) };
  below += spread(sketch, { at, value: rounded });
  return { below, atMost: below };
}

/** The largest seen; undefined before there is one. */
export function largestOf({ values, used }: RankSketch): number | undefined {
  return used === 0 ? undefined : values[used - 1];
}

/** The value that a `share` of those seen exceeds; an estimate. */
export function upperQuantile({ values, counts, used, size }: RankSketch, share: number): number {
  const target = share * size;
  let above = 0;
  let before = 0;
  for (let at = used - 1; at >= 0; at--) {
    const value = values[at] as number;
    const count = counts[at] as number;
    const middle = above + count / 2;
    if (middle >= target) {
      const next = at + 1 < used ? (values[at + 1] as number) : value;
      return next + ((value - next) * (target - before)) / (middle - before);
    }
    above += count;
    before = middle;
  }
  return values[0] as number;
}

/** Learns a value, which is rounded to single precision. */
export function addRank(sketch: RankSketch, value: number): void {
  const { values, counts } = sketch;
  const rounded = Math.fround(value);
  let at = sketch.used;
  while (at > 0 && (values[at - 1] as number) >= rounded) at--;
  if (at === sketch.used || values[at] !== rounded) {
    for (let to = sketch.used; to > at; to--) {
      values[to] = values[to - 1] as number;
      counts[to] = counts[to - 1] as number;
    }
    values[at] = rounded;
    counts[at] = 0;
    sketch.used++;
  }
  counts[at] = (counts[at] as number) + 1;
  sketch.size++;
  if (counts[at] === countMax) halve(sketch);
  if (sketch.used === entries) mergeOne(sketch);
}

/** Merges the neighbours that are the fewest for where they lie. */
function mergeOne(sketch: RankSketch): void {
  const { values, counts, size } = sketch;
  let best = 0;
  let least = Number.POSITIVE_INFINITY;
  let below = 0;
  for (let at = 0; at + 1 < sketch.used; at++) {
    const both = (counts[at] as number) + (counts[at + 1] as number);
    const relative = both / (Math.min(below, size - below - both) + 1);
    below += counts[at] as number;
    if (relative >= least || both > countMax) continue;
    least = relative;
    best = at;
  }
  const left = counts[best] as number;
  const right = counts[best + 1] as number;
  const sum = (values[best] as number) * left + (values[best + 1] as number) * right;
  values[best] = sum / (left + right);
  counts[best] = left + right;
  sketch.used--;
  for (let to = best + 1; to < sketch.used; to++) {
    values[to] = values[to + 1] as number;
    counts[to] = counts[to + 1] as number;
  }
}

function halve(sketch: RankSketch): void {
  const { values, counts } = sketch;
  let used = 0;
  let size = 0;
  for (let at = 0; at < sketch.used; at++) {
    const half = (counts[at] as number) >>> 1;
    if (half === 0) continue;
    values[used] = values[at] as number;
    counts[used++] = half;
    size += half;
  }
  sketch.used = used;
  sketch.size = size;
}

/** Between two entries: half of a merged one lies above its mean, half below. */
function spread(
  { values, counts, used }: RankSketch,
  { at, value }: { readonly at: number; readonly value: number },
): number {
  if (at === 0 || at === used) return 0;
  const left = values[at - 1] as number;
  const right = values[at] as number;
  const share = (value - left) / (right - left);
  return halfOf(counts[at] as number) * share - halfOf(counts[at - 1] as number) * (1 - share);
}

function halfOf(count: number): number {
  return count > 1 ? count / 2 : 0;
}
