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
