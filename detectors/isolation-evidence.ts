/**
 * What leaves say for or against a rate of bad events of their own.
 *
 * Rates of keys wander, so a leaf of many spans is hardly better a witness than one of some: as
 * evidence its n spans are n / (1 + (n - 1) correlation), the size of a sample of independent ones
 * that says as much (Kish 1965, design effect). What many leaves say together still adds up.
 */
import { betaBinomialUpperTail } from "./beta-binomial.ts";

export interface Totals {
  readonly count: number;
  readonly bad: number;
  readonly expected: number;
}

/** No baseline is believed below one bad event in 10,000, or above all but that. */
const rateMin = 1e-4;
/** Of the spans of one leaf, in excess of what the combinations explain. */
const correlation = 0.005;
/** How much a rate wanders between windows, for the p-value of a combination. */
const precision = 2_000;

/** Columns of count, bad and expected. */
export function evidenceOf(leaves: readonly Totals[]): Float64Array[] {
  const shares = leaves.map(({ count }) => 1 / (1 + Math.max(0, count - 1) * correlation));
  const weighed = (read: (leaf: Totals) => number): Float64Array =>
    Float64Array.from(leaves, (leaf, at) => read(leaf) * (shares[at] as number));
  return [
    weighed(({ count }) => count),
    weighed(({ bad }) => bad),
    weighed(({ expected }) => expected),
  ];
}

/**
 * Log-likelihood gain, in nats, of a rate of its own over the baseline's, less half the log of the
 * count for having fitted that rate.
 */
export function scoreTotals({ count, bad, expected }: Totals): number {
  if (count <= 0) return 0;
  const baseline = Math.min(1 - rateMin, Math.max(rateMin, expected / count));
  const rate = Math.min(1, bad / count);
  if (rate <= baseline) return 0;
  const good = count - bad;
  const gain =
    bad * Math.log(rate / baseline) + (good > 0 ? good * Math.log((1 - rate) / (1 - baseline)) : 0);
  return gain - 0.5 * Math.log(count + 1);
}

export function pValueOf({ count, bad, expected }: Totals): number {
  const rate = Math.min(0.999, Math.max(1e-6, expected / count));
  return betaBinomialUpperTail({
    count: Math.round(count),
    bad: Math.floor(bad),
    alpha: rate * precision,
    beta: (1 - rate) * precision,
  });
}

export function excessOf({ bad, expected }: Totals): number {
  return bad - expected;
}

export function excessRate(totals: Totals): number {
  return totals.count <= 0 ? 0 : Math.max(0, excessOf(totals) / totals.count);
}

export function subtract(from: Totals, part: Totals): Totals {
  return {
    count: from.count - part.count,
    bad: from.bad - part.bad,
    expected: from.expected - part.expected,
  };
}

export function plus(a: Totals, b: Totals): Totals {
  return { count: a.count + b.count, bad: a.bad + b.bad, expected: a.expected + b.expected };
}
