/**
 * Whether spans take longer than they did, and how much time that costs.
 *
 * The mean logarithm of a stretch is held against the median of those of windows before it, so a
 * minority of odd windows does not move what is usual. Its error is what calls differ by within
 * windows or, where that is more, what windows differ by: calls of one window are not independent.
 * A change by less than `marginShare` is none, however sure it is; and a variance known from few
 * windows is not known well, so the score is the root of a likelihood ratio (Student's), which grows
 * with the logarithm of the deviations.
 *
 * Source: a two-sample z-test on log-normal durations with a design effect (Kish 1965) and an
 * equivalence margin (Schuirmann 1987).
 */
import { secondsOf, type TimeSums } from "./trace-sums.ts";

export interface TimeShift {
  /** Signed root of the likelihood ratio. */
  readonly score: number;
  readonly beforeMs: number;
  readonly duringMs: number;
  /** Seconds above the usual over all calls. */
  readonly cost: number;
  /** The score that `plainFactor` times as long would have. */
  readonly plainScore: number;
}

/** Fewer calls, or windows, before say nothing of what is usual. */
const callsMin = 3;
const windowsMin = 2;
const marginShare = 0.2;
/** Log-durations that never differ still have this deviation: clocks, and two-per-cent buckets. */
const deviationMin = 0.1;
/** The median square of a standard normal. */
const medianSquare = 0.455;
/** Trouble that is felt makes calls at least so many times as long. */
const plainFactor = 3;
const msPerSecond = 1_000;

/** @param before of single windows, each with at least a call */
export function timeShift(
  before: readonly Readonly<TimeSums>[],
  during: Readonly<TimeSums>,
): TimeShift | undefined {
  const calls = before.reduce((sum, { count }) => sum + count, 0);
  if (calls < callsMin || before.length < windowsMin || during.count === 0) return undefined;
  const usual = weightedMedian(before.map(({ logs, count }) => [logs / count, count]));
  const variance = Math.max(
    withinWindows(before, calls),
    betweenWindows(before, usual),
    deviationMin ** 2,
  );
  const change = during.logs / during.count - usual;
  const beyond = Math.max(0, Math.abs(change) - Math.log1p(marginShare));
  const error = Math.sqrt(variance * (1 / during.count + 1 / calls));
  return {
    score: Math.sign(change) * studentScore(beyond / error, before.length),
    plainScore: studentScore(Math.log(plainFactor / (1 + marginShare)) / error, before.length),
    beforeMs: secondsOf(usual) * msPerSecond,
    duringMs: secondsOf(usual + change) * msPerSecond,
    cost: secondsAboveUsual(before, during),
  };
}

/** Root of twice the logarithm of a likelihood ratio, the variance known from so many windows. */
export function studentScore(deviations: number, windows: number): number {
  return Math.sqrt(windows * Math.log1p(deviations ** 2 / (windows - 1)));
}

/** Negative where less time was spent than usual; 0 where nothing is known. */
export function secondsAboveUsual(
  before: readonly Readonly<TimeSums>[],
  during: Readonly<TimeSums>,
): number {
  if (before.length === 0) return 0;
  const mean = weightedMedian(before.map(({ seconds, count }) => [seconds / count, count]));
  return during.seconds - during.count * mean;
}

function withinWindows(windows: readonly Readonly<TimeSums>[], calls: number): number {
  const squares = windows.reduce(
    (sum, { count, logs, logSquares }) => sum + Math.max(0, logSquares - (logs * logs) / count),
    0,
  );
  return squares / Math.max(1, calls - windows.length);
}

function betweenWindows(windows: readonly Readonly<TimeSums>[], usual: number): number {
  return (
    weightedMedian(windows.map(({ count, logs }) => [count * (logs / count - usual) ** 2, 1])) /
    medianSquare
  );
}

/** The least value with half of the weight at or below it. */
export function weightedMedian(values: (readonly [value: number, weight: number])[]): number {
  values.sort(([a], [b]) => a - b);
  const half = values.reduce((sum, [, weight]) => sum + weight, 0) / 2;
  let weight = 0;
  for (const [value, own] of values) {
    weight += own;
    if (weight >= half) return value;
  }
  return Number.NaN;
}
