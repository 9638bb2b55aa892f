/**
 * How far the proportion of bad events moved, as `metricShift` tells it of any signal: each
 * window's count is first brought to deviations of a binomial law at the proportion before. One
 * deviation is then chance alone and the least spread there is, so a proportion that stood still
 * has no infinite score, and two bad of five weigh less than twenty of a thousand; what wanders
 * more than chance has the spread it showed.
 *
 *   score    as of `metricShift`
 *   excess   bad events above the expected
 *
 * Source: Freeman and Tukey 1950 (the double arcsine, whose variance is 1 / (count + 1/2)).
 */
import { metricShift } from "./metric-shift.ts";

export interface CountedWindow {
  readonly count: number;
  readonly bad: number;
}

export interface CountShift {
  /** Bad events expected of the windows during. */
  readonly expected: number;
  readonly bad: number;
  readonly excess: number;
  readonly score: number;
}

const chanceSpread = 1;

/** Undefined for a place that was hardly seen before: there is nothing it moved from. */
export function countShift(
  before: readonly CountedWindow[],
  during: readonly CountedWindow[],
): CountShift | undefined {
  const past = totalOf(before);
  const now = totalOf(during);
  const rate = past.bad / Math.max(1, past.count);
  const deviations = (windows: readonly CountedWindow[]): number[] =>
    windows.filter(({ count }) => count > 0).map((window) => deviationOf(window, rate));
  const moved = metricShift(deviations(before), deviations(during), { spreadMin: chanceSpread });
  if (moved === undefined) return undefined;
  const expected = now.count * rate;
  return { expected, bad: now.bad, excess: now.bad - expected, score: moved.score };
}

function totalOf(windows: readonly CountedWindow[]): CountedWindow {
  return windows.reduce(
    (sum, { count, bad }) => ({ count: sum.count + count, bad: sum.bad + bad }),
    { count: 0, bad: 0 },
  );
}

function deviationOf({ count, bad }: CountedWindow, rate: number): number {
  const doubled =
    Math.asin(Math.sqrt(bad / (count + 1))) + Math.asin(Math.sqrt((bad + 1) / (count + 1)));
  return Math.sqrt(count + 0.5) * (doubled - 2 * Math.asin(Math.sqrt(rate)));
}
