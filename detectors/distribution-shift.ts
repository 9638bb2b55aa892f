/**
 * Whether durations are spread as they usually are, whichever part of them moved: the counts of a
 * window in bins that hold a tenth of the usual durations each, by a likelihood-ratio test.
 *
 *   warm          durations until there are enough to cut them into tenths
 *   cuts          Int32Array [9]     the last bucket of each bin but the last
 *   usual         Float64Array [10]  decayed counts
 *   mean, square  of the statistic in ordinary windows
 *
 * Spans of a window are not independent: what a busy machine or a large customer does to all of
 * them makes the statistic larger, and its tail heavier, than chance alone. So it is held against
 * the scaled chi-square law that has its mean and variance in ordinary windows. What departs is not
 * learnt, until it has for `shiftWindows` windows: then it is the new normal, and cut anew.
 *
 * Source: likelihood-ratio (G) test, Wilks 1938; scaled law, Satterthwaite 1946; the effect is the
 * total variation distance.
 */
import {
  createHistogram,
  type Histogram,
  mergeHistogram,
  visitBuckets,
} from "../sketch/histogram.ts";
import { chiSquareUpperTail } from "./chi-square.ts";

export interface DistributionBaseline {
  warm: Histogram | undefined;
  readonly cuts: Int32Array;
  readonly usual: Float64Array;
  mean: number;
  square: number;
  /** Windows learnt from since it was cut. */
  windows: number;
  departingWindows: number;
}

export interface DistributionShift {
  readonly pValue: number;
  /** Share of the durations that would have to move for the two to be alike, 0..1. */
  readonly distance: number;
  /** Durations longer than nine of ten usually are, and how many of them there should be. */
  readonly long: number;
  readonly longExpected: number;
}

const bins = 10;
const warmSpans = 500;
/** Five expected in a bin, below which the statistic has no chi-square law. */
const spansMin = 50;
const windowsMin = 30;
const halfLifeWindows = 360;
const shiftWindows = 360;
/** Believed before any was seen, and for how many windows: twice chance, on three degrees. */
const meanPrior = 18;
const degreesPrior = 3;
const priorWindows = 30;
/** A window adds at most this many times the mean: it may be a faint fault. */
const meanClip = 10;
const pValueMax = 1e-3;
const surelyMax = 1e-6;
/** Less is of no consequence, however sure. */
const distanceMin = 0.2;

export function createDistributionBaseline(): DistributionBaseline {
  return {
    warm: createHistogram(),
    cuts: new Int32Array(bins - 1),
    usual: new Float64Array(bins),
    mean: meanPrior,
    square: meanPrior ** 2 * (1 + 2 / degreesPrior),
    windows: 0,
    departingWindows: 0,
  };
}

/** Judges a window's durations by those before it, then learns them; undefined: nothing to tell. */
export function updateDistribution(
  baseline: DistributionBaseline,
  durationNs: Histogram,
): DistributionShift | undefined {
  if (durationNs.count === 0) return undefined;
  if (baseline.warm !== undefined) {
    mergeHistogram(baseline.warm, durationNs);
    if (baseline.warm.count >= warmSpans) cut(baseline, baseline.warm);
    return undefined;
  }
  const counts = countBins(baseline.cuts, durationNs);
  const compared = compare(baseline, counts, durationNs.count);
  const pValue = pValueOf(baseline, compared);
  const isKnown = durationNs.count >= spansMin && baseline.windows >= windowsMin;
  const departs = isKnown && pValue <= pValueMax && compared.distance >= distanceMin;
  const shift = departs ? describe(baseline, counts, { ...compared, pValue }) : undefined;
  learn(baseline, counts, { ...compared, pValue, departs });
  return shift;
}

interface Compared {
  /** Twice the log-likelihood ratio, were both samples of one law: 9 on average. */
  readonly statistic: number;
  readonly distance: number;
}

function compare({ usual }: DistributionBaseline, counts: Float64Array, count: number): Compared {
  const known = usual.reduce((sum, one) => sum + one, 0);
  let ratio = 0;
  let distance = 0;
  for (let bin = 0; bin < bins; bin++) {
    const share = ((usual[bin] as number) + 1 / 2) / (known + bins / 2);
    const seen = counts[bin] as number;
    if (seen > 0) ratio += 2 * seen * Math.log(seen / (count * share));
    distance += Math.abs(seen / count - share) / 2;
  }
  // What is usual is itself known from a sample.
  return { statistic: Math.max(0, ratio * (known / (known + count))), distance };
}

function pValueOf(baseline: DistributionBaseline, { statistic }: Compared): number {
  const { mean, square } = baseline;
  const degrees = Math.min(bins - 1, (2 * mean ** 2) / (square - mean ** 2));
  return chiSquareUpperTail((statistic * degrees) / mean, degrees);
}

interface Judged extends Compared {
  readonly pValue: number;
}

function describe(
  { usual }: DistributionBaseline,
  counts: Float64Array,
  { pValue, distance }: Judged,
): DistributionShift {
  const sum = (values: Float64Array): number => values.reduce((all, one) => all + one, 0);
  const longShare = (usual[bins - 1] as number) / sum(usual);
  const long = counts[bins - 1] as number;
  return { pValue, distance, long, longExpected: sum(counts) * longShare };
}

function learn(
  baseline: DistributionBaseline,
  counts: Float64Array,
  { statistic, pValue, departs }: Judged & { readonly departs: boolean },
): void {
  baseline.departingWindows = departs
    ? baseline.departingWindows + 1
    : Math.max(0, baseline.departingWindows - 1);
  if (baseline.departingWindows >= shiftWindows) {
    Object.assign(baseline, createDistributionBaseline());
    return;
  }
  const { usual, windows } = baseline;
  // The tail of ordinary windows is ordinary too: leaving it out would make the next one a wonder.
  if (!departs || pValue > surelyMax) {
    const seen = Math.min(statistic, meanClip * baseline.mean);
    const weight = 1 / Math.min(priorWindows + windows + 1, halfLifeWindows);
    baseline.mean += (seen - baseline.mean) * weight;
    baseline.square += (seen ** 2 - baseline.square) * weight;
  }
  if (departs) return;
  const keep = 2 ** (-1 / halfLifeWindows);
  for (let bin = 0; bin < bins; bin++) {
    usual[bin] = (usual[bin] as number) * keep + (counts[bin] as number);
  }
  baseline.windows++;
}

/** Tenths of what was seen, as near as buckets allow: a bin may hold none, its neighbour two. */
function cut(baseline: DistributionBaseline, warm: Histogram): void {
  let below = warm.zeroCount;
  let next = 0;
  visitBuckets(warm, (index, count) => {
    below += count;
    while (next < bins - 1 && below >= ((next + 1) / bins) * warm.count) {
      baseline.cuts[next++] = index;
    }
  });
  baseline.cuts.fill(baseline.cuts[next - 1] ?? 0, next);
  baseline.usual.set(countBins(baseline.cuts, warm));
  baseline.warm = undefined;
}

function countBins(cuts: Int32Array, durationNs: Histogram): Float64Array {
  const counts = new Float64Array(bins);
  counts[0] = durationNs.zeroCount;
  let bin = 0;
  visitBuckets(durationNs, (index, count) => {
    while (bin < bins - 1 && index > (cuts[bin] as number)) bin++;
    counts[bin] = (counts[bin] as number) + count;
  });
  return counts;
}
