/**
 * Above which histogram bucket a key's span counts as slow: a high quantile of healthy windows,
 * with a margin.
 *
 *   current, previous  durations of the last one to two generations of healthy windows
 *   bucket             a span is slow when its bucket index is above it; undefined = not yet known
 *
 * Old windows leave a generation at a time. A threshold is revised only when it moves by more than
 * `revisionShare`, so agents are rarely told a new one. Anomalous windows are not learnt, until
 * `shiftWindows` of them stand for a new normal.
 */
import {
  bucketIndex,
  bucketUpperNs,
  createHistogram,
  type Histogram,
  mergeHistogram,
  quantileHistogram,
} from "../sketch/histogram.ts";

export interface SlowThresholdOptions {
  readonly quantile: number;
  readonly margin: number;
  /** No threshold lies below: jitter of sub-millisecond operations is not slowness. */
  readonly floorNs: number;
  readonly samplesMin: number;
  readonly generationWindows: number;
  readonly revisionShare: number;
  /** Windows between two looks at the quantile. */
  readonly reviewWindows: number;
  readonly shiftWindows: number;
}

export const defaultSlowThresholdOptions: SlowThresholdOptions = {
  quantile: 0.99,
  margin: 2,
  floorNs: 20_000_000,
  samplesMin: 30,
  generationWindows: 180,
  revisionShare: 0.2,
  reviewWindows: 6,
  shiftWindows: 360,
};

export interface SlowThreshold {
  readonly options: SlowThresholdOptions;
  bucket: number | undefined;
  current: Histogram;
  previous: Histogram;
  /** Healthy windows in `current`. */
  windows: number;
  windowsSinceReview: number;
  anomalousStreak: number;
}

export function createSlowThreshold(
  options: SlowThresholdOptions = defaultSlowThresholdOptions,
): SlowThreshold {
  return {
    options,
    bucket: undefined,
    current: createHistogram(),
    previous: createHistogram(),
    windows: 0,
    windowsSinceReview: 0,
    anomalousStreak: 0,
  };
}

/** Learns one window's durations; true when the threshold changed. */
export function learnSlowThreshold(
  threshold: SlowThreshold,
  durationNs: Histogram,
  { anomalous }: { readonly anomalous: boolean },
): boolean {
  const { options } = threshold;
  if (durationNs.count === 0) return false;
  threshold.anomalousStreak = anomalous
    ? threshold.anomalousStreak + 1
    : Math.max(0, threshold.anomalousStreak - 1);
  if (threshold.anomalousStreak >= options.shiftWindows) {
    forget(threshold);
  } else if (anomalous) {
    return false;
  }
  mergeHistogram(threshold.current, durationNs);
  threshold.windows += 1;
  threshold.windowsSinceReview += 1;
  const revised = isReviewDue(threshold) && review(threshold);
  if (threshold.windows >= options.generationWindows) turnGeneration(threshold);
  return revised;
}

function isReviewDue(threshold: SlowThreshold): boolean {
  const { options, bucket } = threshold;
  if (threshold.current.count + threshold.previous.count < options.samplesMin) return false;
  return bucket === undefined || threshold.windowsSinceReview >= options.reviewWindows;
}

function review(threshold: SlowThreshold): boolean {
  const { options } = threshold;
  threshold.windowsSinceReview = 0;
  const reference = createHistogram();
  mergeHistogram(reference, threshold.previous);
  mergeHistogram(reference, threshold.current);
  const quantileNs = quantileHistogram(reference, options.quantile);
  const thresholdNs = Math.max(options.floorNs, quantileNs * options.margin);
  if (threshold.bucket !== undefined) {
    const heldNs = bucketUpperNs(threshold.bucket);
    if (Math.abs(thresholdNs - heldNs) <= heldNs * options.revisionShare) return false;
  }
  threshold.bucket = bucketIndex(Math.round(thresholdNs));
  return true;
}

function turnGeneration(threshold: SlowThreshold): void {
  threshold.previous = threshold.current;
  threshold.current = createHistogram();
  threshold.windows = 0;
}

/** The held threshold stays in force until enough of the new normal was seen. */
function forget(threshold: SlowThreshold): void {
  threshold.previous = createHistogram();
  threshold.current = createHistogram();
  threshold.windows = 0;
  threshold.windowsSinceReview = 0;
  threshold.anomalousStreak = 0;
}
