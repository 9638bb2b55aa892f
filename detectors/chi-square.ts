/**
 * The upper tail of a chi-square law, which is the regularised incomplete gamma function Q(a, x) at
 * half the degrees of freedom and half the value.
 *
 * Source: Abramowitz & Stegun 1964, 6.5.29 (power series, below the mean) and 6.5.31 (continued
 * fraction, above it), the latter by Lentz's method.
 */
import { logGamma } from "./log-gamma.ts";

const stepsMax = 500;
const precise = 1e-14;
const tiny = 1e-300;

/** P(X >= value), at least 1e-300. */
export function chiSquareUpperTail(value: number, degrees: number): number {
  if (value <= 0) return 1;
  const a = degrees / 2;
  const x = value / 2;
  const front = Math.exp(a * Math.log(x) - x - logGamma(a));
  const tail = x < a + 1 ? 1 - front * lowerSeries(a, x) : front * upperFraction(a, x);
  return Math.min(1, Math.max(tiny, tail));
}

function lowerSeries(a: number, x: number): number {
  let term = 1 / a;
  let sum = term;
  for (let step = 1; step < stepsMax && term > sum * precise; step++) {
    term *= x / (a + step);
    sum += term;
  }
  return sum;
}

function upperFraction(a: number, x: number): number {
  let b = x + 1 - a;
  let c = 1 / tiny;
  let d = 1 / b;
  let fraction = d;
  for (let step = 1; step < stepsMax; step++) {
    const factor = step * (a - step);
    b += 2;
    d = 1 / (b + factor * d);
    c = b + factor / c;
    fraction *= c * d;
    if (Math.abs(c * d - 1) < precise) break;
  }
  return fraction;
}
