/** Ranks from a few numbers: right within a factor, at the ends within a few. */
import { describe, expect, test } from "vitest";
import { createPrng } from "../../base/prng.ts";
import { addRank, createRankSketch, ranksOf, upperQuantile } from "../../detectors/rank-sketch.ts";

const seed = 7;

function sketchOf(values: readonly number[]) {
  const sketch = createRankSketch();
  for (const value of values) addRank(sketch, value);
  return sketch;
}

function draw(count: number, of: (uniform: number) => number): number[] {
  const prng = createPrng(seed);
  return Array.from({ length: count }, () => Math.fround(of(prng.next())));
}

describe.each([
  ["uniform", (u: number) => u],
  ["heavy on both sides", (u: number) => Math.sign(u - 0.5) * Math.abs(2 * u - 1) ** -0.3],
  ["skewed", (u: number) => -Math.log(1 - u)],
])("%s values", (_, of) => {
  const values = draw(20_000, of);
  const sketch = sketchOf(values);
  const sorted = [...values].sort((a, b) => a - b);

  test.each([1, 2, 20, 200, 2_000, 10_000])("rank %d from an end is near", (rank) => {
    const low = ranksOf(sketch, sorted[rank] as number).below;
    const high = sketch.size - ranksOf(sketch, sorted[sorted.length - 1 - rank] as number).atMost;
    for (const estimate of [low, high]) {
      expect(estimate).toBeGreaterThanOrEqual(rank / 2.5 - 3);
      // Too many is the careful side: what is rare is called a little less so.
      expect(estimate).toBeLessThanOrEqual(rank * 2.5 + 10);
    }
  });

  test("what is beyond the extremes is known to be", () => {
    expect(ranksOf(sketch, (sorted[0] as number) - 1)).toEqual({ below: 0, atMost: 0 });
    const above = ranksOf(sketch, (sorted.at(-1) as number) + 1);
    expect(above).toEqual({ below: sketch.size, atMost: sketch.size });
  });

  test("a quantile has its share above it", () => {
    const quantile = upperQuantile(sketch, 0.01);
    const above = values.filter((value) => value > quantile).length;
    expect(above / values.length).toBeGreaterThan(0.004);
    expect(above / values.length).toBeLessThan(0.02);
  });
});

test("few distinct values are counted exactly", () => {
  const sketch = sketchOf([3, 1, 2, 3, 3, 1]);
  expect(ranksOf(sketch, 1)).toEqual({ below: 0, atMost: 2 });
  expect(ranksOf(sketch, 2)).toEqual({ below: 2, atMost: 3 });
  expect(ranksOf(sketch, 3)).toEqual({ below: 3, atMost: 6 });
});

test("a full count halves all, and a lone extreme of long ago is forgotten", () => {
  const sketch = sketchOf([1_000]);
  for (let row = 0; row < 70_000; row++) addRank(sketch, 5);
  expect(sketch.size).toBeLessThan(66_000);
  expect(ranksOf(sketch, 999)).toEqual({ below: sketch.size, atMost: sketch.size });
});
