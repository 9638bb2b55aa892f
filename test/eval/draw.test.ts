import { expect, test } from "vitest";
import { createPrng, type Prng } from "../../base/prng.ts";
import { normal } from "../../bench/eval/chance.ts";
import { drawBinomial, drawPoisson } from "../../bench/eval/detection/draw.ts";

const draws = 20_000;

function check(draw: (prng: Prng) => number): { mean: number; variance: number } {
  const prng = createPrng(5);
  const values = Array.from({ length: draws }, () => draw(prng));
  const mean = values.reduce((sum, value) => sum + value, 0) / draws;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / draws;
  return { mean, variance };
}

test.each([
  ...[0.2, 5, 200].map((mean) => ({
    ...{ name: `Poisson of mean ${mean}`, mean, variance: mean },
    draw: (prng: Prng) => drawPoisson(prng, mean),
  })),
  ...[
    { count: 5, rate: 0.3 },
    { count: 1_000, rate: 0.002 },
    { count: 500, rate: 0.4 },
  ].map(({ count, rate }) => ({
    ...{ name: `binomial of ${count} at ${rate}`, mean: count * rate },
    variance: count * rate * (1 - rate),
    draw: (prng: Prng) => drawBinomial(prng, count, rate),
  })),
  { name: "normal", mean: 0, variance: 1, draw: normal },
])("$name: mean and variance", ({ mean, variance, draw }) => {
  const drawn = check(draw);
  expect(Math.abs(drawn.mean - mean)).toBeLessThan(5 * Math.sqrt(variance / draws));
  expect(Math.abs(drawn.variance / variance - 1)).toBeLessThan(0.1);
});
