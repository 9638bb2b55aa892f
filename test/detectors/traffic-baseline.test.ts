import { describe, expect, test } from "vitest";
import { createPrng, type Prng } from "../../base/prng.ts";
import {
  negativeBinomialLowerTail,
  negativeBinomialUpperTail,
} from "../../detectors/negative-binomial.ts";
import {
  createTrafficBaseline,
  type TrafficJudgement,
  updateTraffic,
} from "../../detectors/traffic-baseline.ts";

describe("negative binomial tails", () => {
  test.each([
    { mean: 4, dispersion: 0.5 },
    { mean: 300, dispersion: 0.01 },
    { mean: 20, dispersion: 0 },
  ])("mean $mean, dispersion $dispersion: as summed by hand, and 1 together", (law) => {
    const size = 1 / Math.max(law.dispersion, 1e-6);
    const odds = law.mean / (law.mean + size);
    let probability = (1 - odds) ** size;
    let below = 0;
    for (let k = 0; k < 3 * law.mean; k++) {
      expect(negativeBinomialUpperTail(law, k)).toBeCloseTo(1 - below, 6);
      below += probability;
      expect(negativeBinomialLowerTail(law, k)).toBeCloseTo(below, 6);
      probability *= ((k + size) / (k + 1)) * odds;
    }
  });
});

interface Case {
  readonly history: readonly number[];
  readonly now: readonly number[];
  readonly unseen?: number;
}

/** The judgement of the last of `now`, after `history`. */
function check({ history, now, unseen = 0 }: Case): TrafficJudgement {
  const baseline = createTrafficBaseline();
  let judgement: TrafficJudgement | undefined;
  [...history, ...now].forEach((count, index) => {
    const isNow = index >= history.length;
    const observation = { windowStartMs: index * 10_000, count, unseen: isNow ? unseen : 0 };
    judgement = updateTraffic(baseline, observation);
  });
  return judgement as TrafficJudgement;
}

function poisson(prng: Prng, mean: number): number {
  let count = 0;
  for (let left = Math.exp(-mean), product = prng.next(); product > left; count++) {
    product *= prng.next();
  }
  return count;
}

function series(windows: number, mean: (index: number) => number, seed = 1): number[] {
  const prng = createPrng(seed);
  return Array.from({ length: windows }, (_, index) => poisson(prng, mean(index)));
}

describe("what is low", () => {
  const steady = series(400, () => 300);
  test("0 of 300 is, and a run of it beyond doubt", () => {
    const { pValue, low, direction } = check({ history: steady, now: [0, 0, 0] });
    expect(direction).toBe("down");
    expect(pValue).toBeLessThan(1e-20);
    expect(low).toMatchObject({ windows: 3, count: 0, sinceMs: 4_000_000 });
    expect(low?.pValue).toBeLessThan(1e-50);
  });

  test("0 of 3 is no news", () => {
    const { pValue, low } = check({ history: series(400, () => 3), now: [0] });
    expect(pValue).toBeGreaterThan(0.01);
    expect(low).toBeUndefined();
  });

  test("a level that stays low for an hour is the new normal", () => {
    expect(check({ history: steady, now: new Array(359).fill(20) }).low).toBeDefined();
    expect(check({ history: steady, now: new Array(420).fill(20) }).low).toBeUndefined();
  });

  test("traffic in bursts is soon known to come so", () => {
    const bursts = series(3_600, (index) => (index % 120 < 60 ? 300 : 0.1), 5);
    const { low } = check({ history: bursts, now: new Array(6).fill(0) });
    expect(low === undefined || low.pValue > 1e-9).toBe(true);
  });

  test("what silent agents may have is not missing, nor after they are given up", () => {
    const excused = check({ history: steady, now: [0, 0, 0], unseen: 400 });
    expect(excused).toMatchObject({ direction: "none", low: undefined });
    const baseline = createTrafficBaseline();
    const at = (index: number, count: number, unseen: number) =>
      updateTraffic(baseline, { windowStartMs: index * 10_000, count, unseen });
    for (const [index, count] of steady.entries()) at(index, count, 0);
    for (let index = 400; index < 430; index++) at(index, 0, Infinity);
    for (let index = 430; index < 500; index++) expect(at(index, 0, 0).low).toBeUndefined();
  });
});

test("p-values of ordinary traffic are small as seldom as they say", () => {
  for (const mean of [2, 20, 200]) {
    const baseline = createTrafficBaseline();
    const counts = series(20_000, () => mean, mean);
    const pValues = counts.map(
      (count, index) => updateTraffic(baseline, { windowStartMs: index, count, unseen: 0 }).pValue,
    );
    for (const alpha of [0.05, 0.01, 0.001]) {
      const share = pValues.filter((pValue) => pValue <= alpha).length / pValues.length;
      expect(share).toBeLessThanOrEqual(1.5 * alpha);
    }
  }
});
