/**
 * How many calls an operation makes for each request: the structure of a service's work. A call is
 * counted against the server operation, or all of them, to which it kept most closely before.
 *
 * The score is the signed root of the log-likelihood ratio of two shares (of two Poisson rates,
 * where a request makes several calls), over the root of the dispersion of windows before: calls
 * that come in bursts, or belong to requests of several kinds, are not as sure as they are many.
 *
 * Source: Dunning 1993 (likelihood ratio for counts); quasi-likelihood dispersion, Wedderburn 1974.
 */
import { studentScore, weightedMedian } from "./time-shift.ts";

export interface CallShift {
  /** Fewer is negative. */
  readonly score: number;
  readonly before: number;
  readonly during: number;
}

/** Counts of one operation by window, 0 where it was not seen. */
export interface Counted {
  readonly before: readonly number[];
  readonly during: number;
}

/** Fewer requests before or now, or windows before, say nothing. */
const windowsMin = 2;
const requestsBeforeMin = 10;
const requestsDuringMin = 3;
const medianSquare = 0.455;

/** @param requests of server operations of the same service, over the same windows */
export function callShift(calls: Counted, requests: readonly Counted[]): CallShift | undefined {
  const closest = closestOf(calls, requests);
  if (closest === undefined || closest.during < requestsDuringMin) return undefined;
  const windows = closest.before.filter((count) => count > 0).length;
  if (windows < windowsMin) return undefined;
  const requestsBefore = sum(closest.before);
  const callsBefore = sum(calls.before);
  const ratio = likelihoodRatio(
    { calls: callsBefore, requests: requestsBefore },
    { calls: calls.during, requests: closest.during },
  );
  const deviations = ratio / Math.sqrt(dispersionOf(calls, closest));
  return {
    score: Math.sign(deviations) * studentScore(Math.abs(deviations), windows),
    before: callsBefore / requestsBefore,
    during: calls.during / closest.during,
  };
}

function closestOf(calls: Counted, requests: readonly Counted[]): Counted | undefined {
  let best: Counted | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (const candidate of [sumOf(requests), ...requests]) {
    const total = sum(candidate.before);
    if (total < requestsBeforeMin) continue;
    const rate = sum(calls.before) / total;
    const far = calls.before.reduce(
      (squares, count, at) => squares + (count - rate * (candidate.before[at] as number)) ** 2,
      0,
    );
    if (far < least) [best, least] = [candidate, far];
  }
  return best;
}

function sumOf(counted: readonly Counted[]): Counted {
  const before = (counted[0]?.before ?? []).map((_, at) =>
    counted.reduce((total, one) => total + (one.before[at] as number), 0),
  );
  return { before, during: counted.reduce((total, { during }) => total + during, 0) };
}

/** How much more windows differ than such counts do by chance; at least 1. */
function dispersionOf(calls: Counted, requests: Counted): number {
  const total = sum(requests.before);
  const rate = sum(calls.before) / total;
  const variance = Math.max(rate < 1 ? rate * (1 - rate) : rate, 1 / total);
  const squares = requests.before.flatMap((count, at): [number, number][] =>
    count === 0
      ? []
      : [[((calls.before[at] as number) - rate * count) ** 2 / (count * variance), 1]],
  );
  return Math.max(1, weightedMedian(squares) / medianSquare);
}

interface Rate {
  readonly calls: number;
  readonly requests: number;
}

/** Signed root of twice the logarithm: standard normal where nothing changed. */
function likelihoodRatio(before: Rate, during: Rate): number {
  const rate = (before.calls + during.calls) / (before.requests + during.requests);
  const areShares = before.calls <= before.requests && during.calls <= during.requests;
  const gain = [before, during].reduce((total, { calls, requests }) => {
    const expected = rate * requests;
    const rest = areShares ? term(requests - calls, requests - expected) : expected - calls;
    return total + term(calls, expected) + rest;
  }, 0);
  const direction = Math.sign(during.calls - rate * during.requests);
  return direction * Math.sqrt(Math.max(0, 2 * gain));
}

function term(count: number, expected: number): number {
  return count === 0 ? 0 : count * Math.log(count / expected);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
