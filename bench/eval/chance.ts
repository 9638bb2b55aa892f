/** Draws from the distributions that generated cases are made of. */
import type { Prng } from "../../base/prng.ts";

export function uniform(prng: Prng, low: number, high: number): number {
  return low + (high - low) * prng.next();
}

/** Both ends included. */
export function integerFrom(prng: Prng, low: number, high: number): number {
  return low + prng.integer(high - low + 1);
}

/** Box and Muller 1958. */
export function normal(prng: Prng): number {
  return Math.sqrt(-2 * Math.log(1 - prng.next())) * Math.cos(2 * Math.PI * prng.next());
}

/** Marsaglia and Tsang 2000. */
function gamma(prng: Prng, shape: number): number {
  if (shape < 1) return gamma(prng, shape + 1) * (1 - prng.next()) ** (1 / shape);
  const d = shape - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  while (true) {
    const x = normal(prng);
    const v = (1 + c * x) ** 3;
    if (v > 0 && Math.log(1 - prng.next()) < 0.5 * x * x + d - d * v + d * Math.log(v)) {
      return d * v;
    }
  }
}

export function beta(prng: Prng, mean: number, precision: number): number {
  const a = gamma(prng, mean * precision);
  const b = gamma(prng, (1 - mean) * precision);
  return a + b === 0 ? mean : a / (a + b);
}

const exactMax = 60;

/** Exact for few, rounded normal for many. */
export function poisson(prng: Prng, mean: number): number {
  if (mean > exactMax) return Math.max(0, Math.round(mean + Math.sqrt(mean) * normal(prng)));
  let [count, product] = [-1, 1];
  const limit = Math.exp(-mean);
  do {
    count += 1;
    product *= 1 - prng.next();
  } while (product > limit);
  return count;
}

/** Exact for few, Poisson for rare ones, rounded normal for many. */
export function binomial(prng: Prng, count: number, rate: number): number {
  if (rate > 0.5) return count - binomial(prng, count, 1 - rate);
  if (count <= exactMax) {
    let hits = 0;
    for (let trial = 0; trial < count; trial++) hits += prng.next() < rate ? 1 : 0;
    return hits;
  }
  const mean = count * rate;
  if (mean < exactMax / 2) return Math.min(count, poisson(prng, mean));
  const drawn = Math.round(mean + Math.sqrt(mean * (1 - rate)) * normal(prng));
  return Math.max(0, Math.min(count, drawn));
}
