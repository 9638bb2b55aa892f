/**
 * Tails of the negative binomial law: how many events come when their rate itself is drawn from a
 * gamma law of that mean, with squared coefficient of variation `dispersion`. Without dispersion
 * it is the Poisson law.
 *
 * Exact: the first term by log-gamma, the rest by the ratio of neighbouring terms, summed away
 * from the mean until a term no longer matters. Source: Greenwood & Yule 1920.
 */
import { logGamma } from "./log-gamma.ts";

export interface NegativeBinomial {
  readonly mean: number;
  readonly dispersion: number;
}

/** A term below this share of the sum no longer changes it. */
const negligible = 1e-16;
const pValueMin = 1e-300;
/** Less than this is Poisson, and would cost log-gamma its digits. */
const dispersionMin = 1e-6;
const termsMax = 100_000;

/** P(X <= count), at least 1e-300. */
export function negativeBinomialLowerTail(law: NegativeBinomial, count: number): number {
  const k = Math.floor(count);
  if (k < 0) return pValueMin;
  if (law.mean <= 0) return 1;
  if (k >= law.mean) return Math.max(pValueMin, 1 - sumUpwards(law, k + 1));
  return clamp(sumDownwards(law, k));
}

/** P(X >= count), at least 1e-300. */
export function negativeBinomialUpperTail(law: NegativeBinomial, count: number): number {
  const k = Math.ceil(count);
  if (k <= 0) return 1;
  if (law.mean <= 0) return pValueMin;
  if (k <= law.mean) return Math.max(pValueMin, 1 - sumDownwards(law, k - 1));
  return clamp(sumUpwards(law, k));
}

function sumDownwards(law: NegativeBinomial, from: number): number {
  const { size, odds } = shapeOf(law);
  let term = Math.exp(logProbability(law, from));
  let sum = term;
  for (let k = from; k > 0 && from - k < termsMax && term > sum * negligible; k--) {
    term *= k / ((k - 1 + size) * odds);
    sum += term;
  }
  return sum;
}

function sumUpwards(law: NegativeBinomial, from: number): number {
  const { size, odds } = shapeOf(law);
  let term = Math.exp(logProbability(law, from));
  let sum = term;
  for (let k = from; k - from < termsMax && term > sum * negligible; k++) {
    term *= ((k + size) * odds) / (k + 1);
    sum += term;
  }
  return sum;
}

/** P(X = k) = gamma(k + size) / (k! gamma(size)) * (1 - odds)^size * odds^k. */
function logProbability(law: NegativeBinomial, k: number): number {
  const { size, odds } = shapeOf(law);
  const binomial = logGamma(k + size) - logGamma(k + 1) - logGamma(size);
  return binomial + size * Math.log1p(-odds) + k * Math.log(odds);
}

function shapeOf({ mean, dispersion }: NegativeBinomial): { size: number; odds: number } {
  const size = 1 / Math.max(dispersion, dispersionMin);
  return { size, odds: mean / (mean + size) };
}

function clamp(pValue: number): number {
  return Math.min(1, Math.max(pValueMin, pValue));
}
