import { describe, expect, test } from "vitest";
import { createPrng } from "../../base/prng.ts";
import { metricShift, splitAtOnset } from "../../detectors/metric-shift.ts";

/** Values about `level`, uniform within `noise` of it. */
function draw(seed: number, count: number, [level, noise]: readonly [number, number]): number[] {
  const prng = createPrng(seed);
  return Array.from({ length: count }, () => level + (2 * prng.next() - 1) * noise);
}

function scoreOf(before: ArrayLike<number>, during: ArrayLike<number>): number | undefined {
  return metricShift(before, during)?.score;
}

describe("a shift in robust deviations", () => {
  const calm = draw(1, 200, [100, 10]);

  test.each<[string, ArrayLike<number>, ArrayLike<number>, readonly [number, number]]>([
    ["nothing happened", calm, draw(2, 60, [100, 10]), [-1, 1]],
    ["a rise is positive", calm, draw(2, 60, [200, 10]), [4, 5.5]],
    ["a fall is negative", calm, draw(2, 60, [0, 10]), [-5.5, -4]],
    ["one wild value during it does not count", calm, [...draw(2, 60, [100, 10]), 1e9], [-1, 1]],
    ["nor one before", [...calm, 1e9], draw(2, 60, [200, 10]), [4, 5.5]],
    [
      "trouble that fills a third counts",
      calm,
      [...draw(2, 40, [100, 10]), ...draw(3, 20, [200, 10])],
      [4, 5.5],
    ],
    ["missing values are left out", [...calm, Number.NaN], [Number.NaN, 200, 200], [4, 5.5]],
  ])("%s", (_, before, during, [low, high]) => {
    const score = scoreOf(before, during) as number;
    expect(score).toBeGreaterThan(low);
    expect(score).toBeLessThan(high);
  });

  test("scale and offset do not matter", () => {
    const during = draw(2, 60, [150, 10]);
    const moved = (values: readonly number[]) => values.map((value) => 1e4 * value - 3);
    expect(scoreOf(moved(calm), moved(during))).toBeCloseTo(scoreOf(calm, during) as number, 6);
  });

  test("steps a signal makes now and then are its spread, though most of it stands still", () => {
    const stepping = Array.from({ length: 200 }, (_, at) => (at % 25 === 0 ? 60 : 50));
    const still = new Float64Array(200).fill(50);
    const ratio = (scoreOf(stepping, [60]) as number) / (scoreOf(still, [60]) as number);
    expect(ratio).toBeLessThan(0.6);
  });

  test("what never moved has no infinite score", () => {
    const still = new Float64Array(50).fill(7);
    expect(scoreOf(still, [7, 7])).toBe(0);
    expect(scoreOf(still, [7.001, 7.001])).toBeLessThan(1);
    expect(scoreOf(new Float64Array(50), [3, 3])).toBeCloseTo(7.13, 2);
    expect(scoreOf(new Float64Array(50), [0, 0])).toBe(0);
  });

  test.each([
    ["3 is 5 deviations of a signal with heavy tails", 5.1, 3],
    ["30 deviations", 30, 4.78],
    ["50 deviations are hardly more", 50, 5.19],
  ])("%s", (_, deviations, expected) => {
    // Quartiles of 0 to 99 lie 49.5 apart.
    const before = Array.from({ length: 100 }, (_, at) => at);
    const spread = 49.5 / 1.53;
    expect(scoreOf(before, [49.5 + deviations * spread])).toBeCloseTo(expected, 1);
  });

  test("what drifted off long before the onset is no shift, what moved on since is", () => {
    const scoreSince = (recent: number[]) => metricShift(calm, [200, 200], { recent })?.score;
    expect(scoreSince([])).toBeGreaterThan(4);
    expect(scoreSince([200, 201])).toBe(0);
    expect(scoreSince([60, 62])).toBe(scoreSince([]));
    expect(scoreSince([150, 150])).toBeLessThan(scoreSince([100, 100]) as number);
  });

  test.each<[string, number[], number[]]>([
    ["too little before", [1, 2, 3], [9]],
    ["nothing during", [1, 2, 3, 4, 5], []],
    ["nothing finite during", [1, 2, 3, 4, 5], [Number.NaN, Number.POSITIVE_INFINITY]],
  ])("%s is no shift", (_, before, during) => {
    expect(metricShift(before, during)).toBeUndefined();
  });
});

describe("a start of trouble that is told wrongly", () => {
  const startMs = 300_000;
  const timesMs = Array.from({ length: 600 }, (_, second) => second * 1_000);
  const values = draw(4, 600, [100, 10]).map((value, at) => value + (at >= 300 ? 100 : 0));
  const seconds = { timesMs, windowMs: 0, values };

  test.each([-60_000, 0, 60_000, 120_000])("by %d ms changes no score by a quarter", (jitterMs) => {
    const told = splitAtOnset(seconds, startMs + jitterMs);
    const exact = splitAtOnset(seconds, startMs);
    const score = scoreOf(told.before, told.during) as number;
    const ratio = score / (scoreOf(exact.before, exact.during) as number);
    expect(Math.abs(ratio - 1)).toBeLessThan(0.25);
  });

  test("told late within two minutes, nothing of it is before", () => {
    const { before, during } = splitAtOnset(seconds, startMs + 90_000);
    expect(Math.max(...before)).toBeLessThan(120);
    expect(during).toHaveLength(209);
  });

  test("a window that holds the start is during, one that may half be trouble neither", () => {
    const wide = { timesMs: [0, 300_000, 600_000, 900_000], windowMs: 300_000 };
    const values = [1, 2, 3, 4];
    const wideAt = (onsetMs: number) => splitAtOnset({ ...wide, values }, onsetMs);
    expect(wideAt(620_000)).toEqual({ before: [1, 2], during: [3, 4] });
    expect(wideAt(560_000)).toEqual({ before: [1], during: [2, 3, 4] });
    const narrow = { timesMs: [0, 60_000, 120_000, 180_000], windowMs: 60_000 };
    expect(splitAtOnset({ ...narrow, values }, 200_000)).toEqual({ before: [1], during: [4] });
  });
});
