import { describe, expect, test } from "vitest";
import { createPrng, type Prng } from "../../base/prng.ts";
import {
  createDistributionBaseline,
  type DistributionBaseline,
  type DistributionShift,
  updateDistribution,
} from "../../detectors/distribution-shift.ts";
import { addHistogram, createHistogram } from "../../sketch/histogram.ts";

const msInNs = 1e6;

function normal(prng: Prng): number {
  return Math.sqrt(-2 * Math.log(1 - prng.next())) * Math.cos(2 * Math.PI * prng.next());
}

/** Log-normal around 20 ms, as answers are. */
const usual = (prng: Prng): number => 20 * Math.exp(0.4 * normal(prng));

function tell(
  baseline: DistributionBaseline,
  spans: number,
  drawMs: () => number,
): DistributionShift | undefined {
  const durationNs = createHistogram();
  for (let span = 0; span < spans; span++) addHistogram(durationNs, Math.round(drawMs() * msInNs));
  return updateDistribution(baseline, durationNs);
}

function learnt(prng: Prng, windows = 120, spans = 200): DistributionBaseline {
  const baseline = createDistributionBaseline();
  for (let window = 0; window < windows; window++) tell(baseline, spans, () => usual(prng));
  return baseline;
}

describe("a distribution against what is usual", () => {
  test("a median that rises by half is told, though next to nothing is slow", () => {
    const prng = createPrng(1);
    const shift = tell(learnt(prng), 200, () => 1.5 * usual(prng));
    expect(shift?.pValue).toBeLessThan(1e-6);
    expect(shift?.long).toBeGreaterThan(2 * (shift?.longExpected ?? 0));
  });

  test("so is a spread that leaves the median where it was", () => {
    const prng = createPrng(2);
    const baseline = learnt(prng);
    expect(tell(baseline, 200, () => 20 * Math.exp(1.2 * normal(prng)))?.pValue).toBeLessThan(1e-6);
  });

  test("and answers that come faster than they ever did", () => {
    const prng = createPrng(3);
    const shift = tell(learnt(prng), 200, () => 1 + prng.next());
    expect(shift).toMatchObject({ long: 0 });
    expect(shift?.distance).toBeGreaterThan(0.8);
  });

  test.each([0, 0.05, 0.15, 0.3])(
    "ordinary windows are hardly ever told, spans hanging together by %d",
    (together) => {
      const pValues: number[] = [];
      for (let seed = 1; seed <= 5; seed++) {
        const prng = createPrng(seed);
        const baseline = createDistributionBaseline();
        for (let window = 0; window < 1_000; window++) {
          // What all spans of a window share: a busy machine, a large customer.
          const shared = Math.exp(together * normal(prng));
          const shift = tell(baseline, 120, () => shared * usual(prng));
          if (shift !== undefined) pValues.push(shift.pValue);
        }
      }
      // Of 5,000 windows five are as rare as one in a thousand, and none as one in 100,000.
      expect(pValues.length).toBeLessThanOrEqual(20);
      expect(Math.min(1, ...pValues)).toBeGreaterThan(1e-5);
    },
  );

  test("a few spans, or a baseline of a few windows, tell nothing", () => {
    const prng = createPrng(4);
    expect(tell(learnt(prng), 49, () => 10 * usual(prng))).toBeUndefined();
    expect(tell(learnt(prng, 20), 200, () => 10 * usual(prng))).toBeUndefined();
    expect(tell(learnt(prng), 0, () => 0)).toBeUndefined();
  });

  test("what lasts is the new normal after an hour, and was told until then", () => {
    const prng = createPrng(5);
    const baseline = learnt(prng);
    const slower = (): DistributionShift | undefined => tell(baseline, 100, () => 2 * usual(prng));
    for (let window = 0; window < 359; window++) expect(slower()).toBeDefined();
    for (let window = 0; window < 60; window++) slower();
    expect(slower()).toBeUndefined();
    expect(tell(baseline, 200, () => usual(prng))).toBeDefined();
  });

  test("operations that always take as long as another time have bins for it", () => {
    const prng = createPrng(6);
    const baseline = createDistributionBaseline();
    for (let window = 0; window < 100; window++) tell(baseline, 100, () => 0);
    expect(tell(baseline, 100, () => 0)).toBeUndefined();
    expect(tell(baseline, 100, () => usual(prng))?.pValue).toBeLessThan(1e-6);
  });

  test("the state can be cloned", () => {
    const prng = createPrng(7);
    const baseline = learnt(prng);
    const clone = structuredClone(baseline);
    const durationNs = createHistogram();
    for (let span = 0; span < 200; span++) addHistogram(durationNs, 60 * msInNs);
    expect(updateDistribution(clone, durationNs)).toEqual(updateDistribution(baseline, durationNs));
  });
});
