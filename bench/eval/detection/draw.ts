/** Numbers by chance, of the laws that traffic follows. */
import type { Prng } from "../../../base/prng.ts";
import { normal } from "../chance.ts";

const exactMax = 30;

/** Exact while the mean is small; beyond, the normal law is as good. */
export function drawPoisson(prng: Prng, mean: number): number {
  if (mean > exactMax) return Math.max(0, Math.round(mean + Math.sqrt(mean) * normal(prng)));
  const end = Math.exp(-mean);
  let count = 0;
  for (let product = prng.next(); product > end; product *= prng.next()) count += 1;
  return count;
}

export function drawBinomial(prng: Prng, count: number, rate: number): number {
  const mean = count * rate;
  if (mean > exactMax) {
    const drawn = Math.round(mean + Math.sqrt(mean * (1 - rate)) * normal(prng));
    return Math.min(count, Math.max(0, drawn));
  }
  // From one bad event to the next: the gaps are geometric.
  if (rate <= 0) return 0;
  const step = Math.log1p(-Math.min(rate, 0.999));
  let bad = 0;
  for (let at = geometric(prng, step); at < count; at += 1 + geometric(prng, step)) bad += 1;
  return bad;
}

function geometric(prng: Prng, step: number): number {
  return Math.floor(Math.log(1 - prng.next()) / step);
}
