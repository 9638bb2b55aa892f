import { describe, expect, test } from "vitest";
import { createPrng } from "../../base/prng.ts";
import { anomalyScore } from "../../detectors/anomaly-score.ts";
import { benjaminiHochberg } from "../../detectors/false-discovery.ts";

function check(pValues: readonly number[], q: number): boolean[] {
  return [...benjaminiHochberg(pValues, q).rejected];
}

describe("Benjamini-Hochberg", () => {
  test.each([
    { name: "nothing", pValues: [], q: 0.05, rejected: [] },
    { name: "one at the level", pValues: [0.05], q: 0.05, rejected: [true] },
    {
      name: "the example of 1995: four of fifteen",
      pValues: [
        0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.324, 0.4262,
        0.5719, 0.6528, 0.759, 1,
      ],
      q: 0.05,
      rejected: [true, true, true, true, ...new Array<boolean>(11).fill(false)],
    },
    {
      name: "a later one carries an earlier one that fails alone",
      pValues: [0.04, 0.03, 0.05],
      q: 0.05,
      rejected: [true, true, true],
    },
    {
      name: "order does not matter",
      pValues: [0.9, 0.001, 0.5],
      q: 0.05,
      rejected: [false, true, false],
    },
  ])("$name", ({ pValues, q, rejected }) => {
    expect(check(pValues, q)).toEqual(rejected);
  });

  test("q-values are the least level at which each is believed", () => {
    const pValues = [0.01, 0.04, 0.03, 0.2];
    const { qValues } = benjaminiHochberg(Float64Array.from(pValues), 0.05);
    for (const [index, qValue] of qValues.entries()) {
      expect(check(pValues, qValue)[index]).toBe(true);
      expect(check(pValues, qValue * 0.999)[index]).toBe(false);
    }
  });

  test("the share of false ones among the believed stays below q", () => {
    const prng = createPrng(4);
    let shares = 0;
    for (let round = 0; round < 500; round++) {
      const pValues = Array.from({ length: 200 }, (_, index) =>
        index < 20 ? prng.next() * 1e-4 : prng.next(),
      );
      const believed = check(pValues, 0.1).flatMap((yes, index) => (yes ? [index] : []));
      shares += believed.filter((index) => index >= 20).length / Math.max(1, believed.length);
    }
    expect(shares / 500).toBeLessThan(0.1);
    expect(shares / 500).toBeGreaterThan(0.05);
  });
});

test.each([
  { pValue: 1, score: 0 },
  { pValue: 1e-3, score: 2.45 },
  { pValue: 1e-12, score: 7.62 },
  { pValue: 0, score: 10 },
])("anomaly score of $pValue", ({ pValue, score }) => {
  expect(anomalyScore(pValue)).toBeCloseTo(score, 2);
});
