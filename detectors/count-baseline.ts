/**
 * What proportion of a key's spans is normally bad, learnt from the stream, and how surprising a
 * window is given that: an exact beta-binomial tail.
 *
 *   count, bad        decayed totals of what was learnt, half-life in windows
 *   scatter, scale    decayed moments of the excess of variance over binomial
 *   anomalousStreak   anomalous windows, less normal ones since: leads to a level shift
 *
 * The predictive law has mean m = (prior.weight * prior.rate + bad) / (prior.weight + count) and
 * intra-class correlation rho + 1 / (prior.weight + count): the first term is how much the rate
 * wanders between windows, the second how little of it was seen. No key is believed to fail less
 * often than `strayBad` times a window, so one bad event alone is never evidence.
 *
 * An anomalous window teaches at most what was expected. A level that stays anomalous for
 * `shiftWindows` windows is the new normal: history is dropped for it, and it is trusted in full a
 * few windows later.
 *
 * Source: Skellam 1948 (beta-binomial); moment estimate of the correlation: Kleinman 1973.
 */
import { betaBinomialUpperTail } from "./beta-binomial.ts";

export interface CountPrior {
  /** Bad events a span, before anything was seen. */
  readonly rate: number;
  /** How many spans that belief is worth. */
  readonly weight: number;
  /** Intra-class correlation between windows, before anything was seen, 0..1. */
  readonly correlation: number;
  readonly halfLifeWindows: number;
  /** Bad events a window that happen anywhere and mean nothing. */
  readonly strayBad: number;
  readonly shiftWindows: number;
}

/** 360 windows of 10 s: history halves in an hour, a level shift is learnt after an hour. */
export const defaultCountPrior: CountPrior = {
  rate: 0.005,
  weight: 30,
  correlation: 0.0005,
  halfLifeWindows: 360,
  strayBad: 0.05,
  shiftWindows: 360,
};

export interface CountBaseline {
  readonly prior: CountPrior;
  count: number;
  bad: number;
  scatter: number;
  scale: number;
  /** Windows learnt from, decayed. */
  windows: number;
  anomalousStreak: number;
}

/** Spans of a key and the bad ones among them, over one window unless `windows` says more. */
export interface CountObservation {
  readonly count: number;
  readonly bad: number;
  readonly windows?: number;
}

/** How many windows the prior belief in `correlation` is worth: a few windows cannot refute it. */
const correlationWeight = 30;
const correlationMax = 0.05;
/** What a window further off than this many variances adds is cut: it may be a faint fault. */
const varianceRatioMax = 9;

export function createCountBaseline(prior: CountPrior = defaultCountPrior): CountBaseline {
  return { prior, count: 0, bad: 0, scatter: 0, scale: 0, windows: 0, anomalousStreak: 0 };
}

/** Bad events expected among `count` spans. */
export function expectedBad(baseline: CountBaseline, count: number): number {
  return count * rateOf(baseline);
}

/** P(X >= bad): how likely the baseline makes at least this many bad events; in (0, 1]. */
export function tailPValue(baseline: CountBaseline, observation: CountObservation): number {
  const { count, bad } = observation;
  if (bad <= 0 || count <= 0) return 1;
  const stray = (baseline.prior.strayBad * (observation.windows ?? 1)) / count;
  const rate = Math.min(0.999, Math.max(rateOf(baseline), stray));
  const correlation = correlationOf(baseline) + 1 / (baseline.prior.weight + baseline.count);
  const precision = Math.max(1, 1 / correlation - 1);
  return betaBinomialUpperTail({
    count,
    bad: Math.min(bad, count),
    alpha: rate * precision,
    beta: (1 - rate) * precision,
  });
}

/** Learns one window. An anomalous one teaches at most what was expected of it. */
export function learnCount(
  baseline: CountBaseline,
  observation: CountObservation,
  { anomalous }: { readonly anomalous: boolean },
): void {
  const { count } = observation;
  if (count <= 0) return;
  const { prior } = baseline;
  baseline.anomalousStreak = anomalous
    ? baseline.anomalousStreak + 1
    : Math.max(0, baseline.anomalousStreak - 1);
  if (baseline.anomalousStreak >= prior.shiftWindows) forget(baseline);
  const shifted = baseline.windows === 0;
  const expected = expectedBad(baseline, count);
  const bad = anomalous && !shifted ? Math.min(observation.bad, expected) : observation.bad;
  const keep = 2 ** (-1 / prior.halfLifeWindows);
  if (!anomalous) learnScatter(baseline, { count, bad }, keep);
  baseline.count = baseline.count * keep + count;
  baseline.bad = baseline.bad * keep + bad;
  baseline.windows = baseline.windows * keep + 1;
}

function rateOf(baseline: CountBaseline): number {
  const { rate, weight } = baseline.prior;
  return (rate * weight + baseline.bad) / (weight + baseline.count);
}

function correlationOf(baseline: CountBaseline): number {
  const { scatter, scale, windows, prior } = baseline;
  const seen = scale === 0 ? 0 : (scatter / scale) * windows;
  const learnt = (seen + prior.correlation * correlationWeight) / (windows + correlationWeight);
  return Math.min(correlationMax, Math.max(0, learnt));
}

/** E[(x - np)^2] = np(1-p) + n(n-1)p(1-p) * correlation: the second term is learnt. */
function learnScatter(
  baseline: CountBaseline,
  { count, bad }: CountObservation,
  keep: number,
): void {
  const rate = rateOf(baseline);
  const binomial = count * rate * (1 - rate);
  const variance = binomial * (1 + (count - 1) * correlationOf(baseline));
  const squared = Math.min((bad - count * rate) ** 2, varianceRatioMax * variance);
  baseline.scatter = baseline.scatter * keep + squared - binomial;
  baseline.scale = baseline.scale * keep + (count - 1) * binomial;
}

function forget(baseline: CountBaseline): void {
  baseline.count = 0;
  baseline.bad = 0;
  baseline.scatter = 0;
  baseline.scale = 0;
  baseline.windows = 0;
  baseline.anomalousStreak = 0;
}
