/**
 * The upper tail of the beta-binomial law: X bad among `count` when the rate itself is drawn from
 * Beta(alpha, beta).
 *
 * Exact: the first term by log-gamma, the rest by the ratio of neighbouring terms, summed on the
 * shorter side of the mean until a term no longer matters. Where one standard deviation is more
 * than `deviationMax` events, counts are divided down to that size first: there the law is all but
 * the beta law, which does not change, and the binomial part it has left grows, so the p-value
 * errs upwards.
 */
import { logGamma } from "./log-gamma.ts";

export interface BetaBinomial {
  readonly count: number;
  readonly bad: number;
  readonly alpha: number;
  readonly beta: number;
}

const deviationMax = 4_096;
/** A term below this share of the sum no longer changes it. */
const negligible = 1e-17;
/** The least p-value told apart from zero. */
const pValueMin = 1e-300;

/** P(X >= bad), at least 1e-300. */
export function betaBinomialUpperTail(law: BetaBinomial): number {
  const { alpha, beta } = law;
  if (law.bad <= 0) return 1;
  const mean = alpha / (alpha + beta);
  const variance = law.count * mean * (1 - mean) * (1 + (law.count - 1) / (alpha + beta + 1));
  const divisor = Math.max(1, Math.sqrt(variance) / deviationMax);
  const count = Math.round(law.count / divisor);
  const bad = Math.min(count, Math.floor(law.bad / divisor));
  const scaled = { count, bad, alpha, beta };
  const tail = bad > count * mean ? upperSum(scaled) : 1 - lowerSum(scaled);
  return Math.min(1, Math.max(pValueMin, tail));
}

/** Sum of P(X = k) for k = bad, bad + 1, ... count. */
function upperSum({ count, bad, alpha, beta }: BetaBinomial): number {
  let term = Math.exp(logProbability({ count, bad, alpha, beta }));
  let sum = term;
  for (let k = bad; k < count && term > sum * negligible; k++) {
    term *= ((count - k) / (k + 1)) * ((k + alpha) / (count - k - 1 + beta));
    sum += term;
  }
  return sum;
}

/** Sum of P(X = k) for k = bad - 1, bad - 2, ... 0. */
function lowerSum({ count, bad, alpha, beta }: BetaBinomial): number {
  if (bad <= 0) return 0;
  let term = Math.exp(logProbability({ count, bad: bad - 1, alpha, beta }));
  let sum = term;
  for (let k = bad - 1; k > 0; k--) {
    term *= (k / (count - k + 1)) * ((count - k + beta) / (k - 1 + alpha));
    sum += term;
  }
  return sum;
}

function logProbability({ count, bad, alpha, beta }: BetaBinomial): number {
  return (
    logGamma(count + 1) -
    logGamma(bad + 1) -
    logGamma(count - bad + 1) +
    logBeta(bad + alpha, count - bad + beta) -
    logBeta(alpha, beta)
  );
}

function logBeta(a: number, b: number): number {
  return logGamma(a) + logGamma(b) - logGamma(a + b);
}
