/**
 * How surely more of a place's events are bad than before: the baseline that live detection learns,
 * over the windows before, and the exact tail of what came after. A proportion that stood still has
 * no spread, but its counts say how much it may wander: two bad of five are less than twenty of a
 * thousand.
 *
 *   score    standard deviations of a normal law with the same tail
 *   excess   bad events above the expected
 */
import { createCountBaseline, expectedBad, learnCount, tailPValue } from "./count-baseline.ts";

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

/** Undefined for a place that was never seen before: there is nothing it moved from. */
export function countShift(
  before: readonly CountedWindow[],
  during: readonly CountedWindow[],
): CountShift | undefined {
  const baseline = createCountBaseline();
  for (const window of before) learnCount(baseline, window, { anomalous: false });
  const count = during.reduce((sum, window) => sum + window.count, 0);
  const bad = during.reduce((sum, window) => sum + window.bad, 0);
  if (baseline.count === 0 || count === 0) return undefined;
  const expected = expectedBad(baseline, count);
  const pValue = tailPValue(baseline, { count, bad, windows: during.length });
  return { expected, bad, excess: bad - expected, score: deviationsOf(pValue) };
}

/** The leading terms of the normal tail: right to 0.1 from 0.05 on, where it begins to matter. */
function deviationsOf(pValue: number): number {
  const doubled = -2 * Math.log(pValue);
  if (doubled <= 1) return 0;
  return Math.sqrt(Math.max(0, doubled - Math.log(doubled) - Math.log(2 * Math.PI)));
}
