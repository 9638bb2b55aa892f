/**
 * What spans of a stretch of time add up to, by operation and by edge: enough to say how long they
 * took and how often each was called, and to be summed again.
 *
 * Times are summed as they are, in seconds, and as logarithms: durations are spread over decades,
 * and the mean logarithm is not carried away by the one call in a hundred that took a second.
 */
import {
  bucketIndexMax,
  bucketIndexMin,
  bucketMiddleNs,
  type Histogram,
  visitBuckets,
} from "../sketch/histogram.ts";

export interface TimeSums {
  count: number;
  seconds: number;
  /** Of the logarithms of seconds, see `logOf`. */
  logs: number;
  logSquares: number;
}

export interface OperationSums {
  readonly service: string;
  readonly operation: string;
  readonly kind: string;
  /** The node that answers, for a call going out. */
  readonly callee: string;
  readonly self: TimeSums;
  /** From start to end. */
  seconds: number;
}

export interface EdgeSums {
  readonly caller: string;
  readonly callee: string;
  readonly gap: TimeSums;
}

/** By ids that name the same from window to window. */
export interface TraceSums {
  readonly startMs: number;
  readonly operations: ReadonlyMap<string, OperationSums>;
  readonly edges: ReadonlyMap<string, EdgeSums>;
}

const nsPerSecond = 1e9;
/** Nobody waits for less, and clocks and schedulers are not surer. */
const resolutionSeconds = 0.0005;

/** By bucket: seconds, and their logarithms. A window visits a million. */
const bucketSeconds = Float64Array.from(
  { length: bucketIndexMax - bucketIndexMin + 1 },
  (_, at) => bucketMiddleNs(at + bucketIndexMin) / nsPerSecond,
);
const bucketLogs = bucketSeconds.map(logOf);

export function createTimeSums(): TimeSums {
  return { count: 0, seconds: 0, logs: 0, logSquares: 0 };
}

function logOf(seconds: number): number {
  return Math.log(seconds + resolutionSeconds);
}

/** Of the mean logarithm. */
export function secondsOf(log: number): number {
  return Math.max(0, Math.exp(log) - resolutionSeconds);
}

/** Counts what lies in one bucket of a histogram; the bucket of zeros has no index. */
export function addBucket(sums: TimeSums, index: number | undefined, count: number): void {
  const at = index === undefined ? -1 : index - bucketIndexMin;
  const seconds = at < 0 ? 0 : (bucketSeconds[at] as number);
  const log = at < 0 ? logOf(0) : (bucketLogs[at] as number);
  sums.count += count;
  sums.seconds += count * seconds;
  sums.logs += count * log;
  sums.logSquares += count * log * log;
}

export function addHistogramTo(sums: TimeSums, histogram: Histogram): void {
  if (histogram.zeroCount > 0) addBucket(sums, undefined, histogram.zeroCount);
  visitBuckets(histogram, (index, count) => addBucket(sums, index, count));
}

export function addTimeSums(target: TimeSums, source: Readonly<TimeSums>): void {
  target.count += source.count;
  target.seconds += source.seconds;
  target.logs += source.logs;
  target.logSquares += source.logSquares;
}
