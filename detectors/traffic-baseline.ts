/**
 * How many requests a window normally brings, and how surprising a count is: an exact negative
 * binomial tail, so that 0 of 3 is no news and 0 of 300 is.
 *
 *   level, levelWindows   decayed sum of counts, and of windows; their ratio is the level
 *   scatter, scale        decayed moments of how far windows lie from the level, beyond Poisson
 *   windows               learnt from since the level began anew
 *   lowSinceMs            start of the run of low windows that goes on; undefined in none
 *   lowCount, lowExpected what came in the run, and what should have
 *   lowDispersion         as it was believed when the run began
 *   runs, runLongest      earlier runs, decayed, and how long the longest was
 *   excused               what is missing may be what silent agents have not told
 *
 * The level follows the time of day with a half-life of ten minutes and stands still while traffic
 * is low. The dispersion is learnt over a day, low windows and surges included, so traffic that
 * comes in bursts is soon known to. Of several windows the sum is tested with the dispersion of
 * one: what makes a rate wander does not average out. Work that is done in bursts is still between
 * them, which no law of rates says: a run like two earlier ones is as likely as they were. A level that stays low for `shiftWindows`
 * windows is the new normal.
 *
 * Silence of agents is not quiet: `unseen` requests may be hidden in what was not reported, and
 * only what is missing even if all of them were this row's is a drop. A row that was low with
 * their excuse begins anew when the excuse ends, for it may be its agent that was given up.
 *
 * Source: gamma-Poisson predictive law, Greenwood & Yule 1920; moment estimate of the dispersion
 * as for count-baseline.ts.
 */
import { negativeBinomialLowerTail, negativeBinomialUpperTail } from "./negative-binomial.ts";

export interface TrafficBaseline {
  level: number;
  levelWindows: number;
  scatter: number;
  scale: number;
  scatterWindows: number;
  windows: number;
  lowSinceMs: number | undefined;
  lowWindows: number;
  lowCount: number;
  lowExpected: number;
  lowDispersion: number;
  runs: number;
  runLongest: number;
  excused: boolean;
}

export interface TrafficObservation {
  readonly windowStartMs: number;
  readonly count: number;
  /** Requests that may be in what was not reported. */
  readonly unseen: number;
}

export interface TrafficJudgement {
  readonly expected: number;
  /**
   * Share of ordinary windows at least as far off, either way; in (0, 1]. Within a factor of two
   * of the expected it matters to nobody and is 1.
   */
  readonly pValue: number;
  readonly direction: "up" | "down" | "none";
  /** The run of low windows that this one belongs to. */
  readonly low: LowRun | undefined;
}

export interface LowRun {
  readonly sinceMs: number;
  readonly windows: number;
  readonly count: number;
  readonly expected: number;
  /** How likely so little is over the whole run. */
  readonly pValue: number;
}

const levelKeep = 2 ** (-1 / 60);
const scatterKeep = 2 ** (-1 / 8_640);
/** Windows watched before one is judged: five minutes of 10 s. */
const windowsMin = 30;
const shiftWindows = 360;
/** A rate wanders by a tenth until more is known, a belief worth ten minutes. */
const dispersionPrior = 0.01;
const dispersionWeight = 60;
/** A window is low when at most half of the usual came, and that is not chance. */
const factorMin = 2;
/** Shorter runs are what a process takes to start again. */
const runWindowsMin = 3;
/** Two runs in a day, a little decayed, are a habit; and so is what lasts half as long again. */
const habitRuns = 1.5;
const habitFactor = 1.5;
const lowPValue = 0.001;

export function createTrafficBaseline(): TrafficBaseline {
  return {
    ...{ level: 0, levelWindows: 0, scatter: 0, scale: 0, scatterWindows: 0, windows: 0 },
    ...{ lowSinceMs: undefined, lowWindows: 0, lowCount: 0, lowExpected: 0, lowDispersion: 0 },
    ...{ runs: 0, runLongest: 0, excused: false },
  };
}

/** Judges a window by the past alone, then learns it. */
export function updateTraffic(
  baseline: TrafficBaseline,
  observation: TrafficObservation,
): TrafficJudgement {
  const { windowStartMs, count, unseen } = observation;
  const expected = expectedTraffic(baseline);
  if (baseline.windows < windowsMin) {
    learnLevel(baseline, count);
    return { expected, pValue: 1, direction: "none", low: undefined };
  }
  const isLow = isLowCount(baseline, count);
  const isExcused = isLow && !isLowCount(baseline, count + unseen);
  if (isExcused) {
    baseline.excused = true;
    return { expected, pValue: 1, direction: "none", low: lowRunOf(baseline) };
  }
  if (isLow && baseline.excused) {
    startAnew(baseline);
    learnLevel(baseline, count);
    return { expected, pValue: 1, direction: "none", low: undefined };
  }
  const direction = directionOf(count, count + unseen, expected);
  const seen = direction === "down" ? count + unseen : count;
  const pValue = tailOf(baseline, { count: seen, expected, direction });
  baseline.excused = false;
  if (isLow) extendRun(baseline, { windowStartMs, count: seen, expected });
  else endRun(baseline);
  const low = lowRunOf(baseline);
  learnTraffic(baseline, { count, expected, isLow });
  return { expected, pValue, direction, low };
}

/** Requests a window should bring. */
export function expectedTraffic({ level, levelWindows }: TrafficBaseline): number {
  return levelWindows === 0 ? 0 : level / levelWindows;
}

function learnTraffic(
  baseline: TrafficBaseline,
  seen: { readonly count: number; readonly expected: number; readonly isLow: boolean },
): void {
  const { count, expected, isLow } = seen;
  baseline.scatter = baseline.scatter * scatterKeep + (count - expected) ** 2 - expected;
  baseline.scale = baseline.scale * scatterKeep + expected ** 2;
  baseline.scatterWindows = baseline.scatterWindows * scatterKeep + 1;
  baseline.runs *= scatterKeep;
  baseline.runLongest *= scatterKeep;
  if (!isLow) learnLevel(baseline, count);
  else if (baseline.lowWindows >= shiftWindows) {
    startAnew(baseline);
    learnLevel(baseline, count);
  }
}

function learnLevel(baseline: TrafficBaseline, count: number): void {
  baseline.level = baseline.level * levelKeep + count;
  baseline.levelWindows = baseline.levelWindows * levelKeep + 1;
  baseline.windows += 1;
}

function startAnew(baseline: TrafficBaseline): void {
  baseline.level = 0;
  baseline.levelWindows = 0;
  baseline.windows = 0;
  baseline.excused = false;
  endRun(baseline);
}

function isLowCount(baseline: TrafficBaseline, count: number): boolean {
  const expected = expectedTraffic(baseline);
  if (count * factorMin > expected) return false;
  return tailOf(baseline, { count, expected, direction: "down" }) <= lowPValue;
}

function directionOf(
  count: number,
  countMax: number,
  expected: number,
): TrafficJudgement["direction"] {
  if (countMax * factorMin <= expected) return "down";
  return count >= expected * factorMin && count > 0 ? "up" : "none";
}

function extendRun(
  baseline: TrafficBaseline,
  low: { readonly windowStartMs: number; readonly count: number; readonly expected: number },
): void {
  if (baseline.lowSinceMs === undefined) {
    baseline.lowDispersion = dispersionOf(baseline);
    baseline.lowSinceMs = low.windowStartMs;
  }
  baseline.lowWindows += 1;
  baseline.lowCount += low.count;
  baseline.lowExpected += low.expected;
}

function endRun(baseline: TrafficBaseline): void {
  if (baseline.lowWindows >= runWindowsMin) {
    baseline.runs += 1;
    baseline.runLongest = Math.max(baseline.runLongest, baseline.lowWindows);
  }
  baseline.lowSinceMs = undefined;
  baseline.lowWindows = 0;
  baseline.lowCount = 0;
  baseline.lowExpected = 0;
}

function lowRunOf(baseline: TrafficBaseline): LowRun | undefined {
  const { lowSinceMs, lowWindows, lowCount, lowExpected } = baseline;
  if (lowSinceMs === undefined) return undefined;
  const law = { mean: lowExpected, dispersion: dispersionOf(baseline) };
  const chance = negativeBinomialLowerTail(law, lowCount);
  const pValue = Math.max(chance, habitOf(baseline));
  return {
    sinceMs: lowSinceMs,
    windows: lowWindows,
    count: lowCount,
    expected: lowExpected,
    pValue,
  };
}

/** How often a run like this one begins, where it is nothing new. */
function habitOf({ runs, runLongest, lowWindows, scatterWindows }: TrafficBaseline): number {
  const isKnown = runs >= habitRuns && lowWindows <= habitFactor * runLongest;
  return isKnown ? Math.min(1, runs / Math.max(1, scatterWindows)) : 0;
}

function tailOf(
  baseline: TrafficBaseline,
  seen: {
    readonly count: number;
    readonly expected: number;
    readonly direction: "up" | "down" | "none";
  },
): number {
  const law = { mean: seen.expected, dispersion: dispersionOf(baseline) };
  if (seen.direction === "none") return 1;
  const tail =
    seen.direction === "down"
      ? negativeBinomialLowerTail(law, seen.count)
      : negativeBinomialUpperTail(law, seen.count);
  return Math.min(1, 2 * tail);
}

/** How much the rate wanders, and how little of the level is known. */
function dispersionOf(baseline: TrafficBaseline): number {
  const { scatter, scale, scatterWindows, level } = baseline;
  // What a run itself adds says that such runs happen, and not yet that this one is none.
  if (baseline.lowSinceMs !== undefined) return baseline.lowDispersion;
  const seen = scale === 0 ? 0 : (Math.max(0, scatter) / scale) * scatterWindows;
  const believed = dispersionPrior * dispersionWeight;
  const wander = (seen + believed) / (scatterWindows + dispersionWeight);
  return wander + 1 / Math.max(1, level);
}
