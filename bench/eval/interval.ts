/** How far a score would wander with other cases: a bootstrap over them. */
import { createPrng } from "../../base/prng.ts";

const resamples = 1_000;
const seed = 1;

/**
 * The middle 95 % of `score` over samples of the cases, drawn with replacement.
 * Source: Efron 1979, percentile interval.
 */
export function bootstrapInterval<Case>(
  cases: readonly Case[],
  score: (sample: readonly Case[]) => number,
): readonly [low: number, high: number] {
  const prng = createPrng(seed);
  const scores = Float64Array.from({ length: resamples }, () =>
    score(Array.from(cases, () => prng.pick(cases))),
  ).sort();
  const at = (share: number): number => scores[Math.floor(share * resamples)] as number;
  return [at(0.025), at(0.975)];
}

/**
 * Where the share lies of which `right` of `of` were seen, 95 %.
 * Source: Wilson 1927, score interval without continuity correction.
 */
export function wilsonInterval(right: number, of: number): readonly [low: number, high: number] {
  if (of === 0) return [0, 1];
  const z = 1.959964;
  const share = right / of;
  const centre = share + (z * z) / (2 * of);
  const half = z * Math.sqrt((share * (1 - share)) / of + (z * z) / (4 * of * of));
  const scale = 1 + (z * z) / of;
  return [Math.max(0, (centre - half) / scale), Math.min(1, (centre + half) / scale)];
}
