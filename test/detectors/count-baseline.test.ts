import { describe, expect, test } from "vitest";
import { createPrng, type Prng } from "../../base/prng.ts";
import {
  type CountBaseline,
  type CountObservation,
  createCountBaseline,
  defaultCountPrior,
  expectedBad,
  learnCount,
  tailPValue,
} from "../../detectors/count-baseline.ts";

const alarmBelow = 1e-4;

/** The p-value of `seen` after the healthy `history`. */
function check(history: readonly CountObservation[], seen: CountObservation): number {
  return tailPValue(learnt(history), seen);
}

function learnt(history: readonly CountObservation[]): CountBaseline {
  const baseline = createCountBaseline();
  for (const window of history) learnCount(baseline, window, { anomalous: false });
  return baseline;
}

function repeat(windows: number, count: number, bad: number): CountObservation[] {
  return Array.from({ length: windows }, () => ({ count, bad }));
}

function drawBad(prng: Prng, count: number, rate: number): number {
  let bad = 0;
  for (let span = 0; span < count; span++) bad += prng.next() < rate ? 1 : 0;
  return bad;
}

describe("how surprising a window is", () => {
  test.each([
    {
      name: "8 of 50 after 3 clean windows",
      history: repeat(3, 50, 0),
      count: 50,
      bad: 8,
      max: 1e-6,
    },
    {
      name: "6 of 30 after 3 clean windows",
      history: repeat(3, 30, 0),
      count: 30,
      bad: 6,
      max: 1e-5,
    },
    {
      name: "30 of 1000 after 1 % for long",
      history: repeat(500, 1000, 10),
      count: 1000,
      bad: 60,
      max: 1e-6,
    },
    { name: "4 of 5 of a rare key", history: repeat(300, 1, 0), count: 5, bad: 4, max: 1e-4 },
    {
      name: "few calls, many windows, all bad",
      history: repeat(60, 2, 0),
      count: 12,
      bad: 6,
      windows: 6,
      max: 1e-4,
    },
  ])("anomalous: $name", ({ history, max, ...seen }) => {
    expect(check(history, seen)).toBeLessThan(max);
  });

  test.each([
    { name: "1 of 50 after 3 clean windows", history: repeat(3, 50, 0), count: 50, bad: 1 },
    { name: "the first window ever, 2 of 20", history: [], count: 20, bad: 2 },
    { name: "1 of 1 after long silence", history: repeat(360, 1, 0), count: 1, bad: 1 },
    { name: "1 of 1 of a busy key once quiet", history: repeat(360, 1000, 0), count: 1, bad: 1 },
    { name: "1 of 1000 after a clean day", history: repeat(8640, 1000, 0), count: 1000, bad: 1 },
    { name: "10 of 1000 at 1 %", history: repeat(100, 1000, 10), count: 1000, bad: 16 },
    { name: "nothing bad", history: repeat(10, 100, 50), count: 100, bad: 0 },
    { name: "no spans", history: repeat(10, 100, 0), count: 0, bad: 0 },
  ])("ordinary: $name", ({ history, ...seen }) => {
    expect(check(history, seen)).toBeGreaterThan(1e-3);
  });

  test("p-values of a steady key are not below what they say", () => {
    for (const { count, rate } of [
      { count: 50, rate: 0.02 },
      { count: 1000, rate: 0.005 },
      { count: 20, rate: 0.2 },
    ]) {
      const prng = createPrng(count);
      const baseline = createCountBaseline();
      let below = 0;
      const windows = 4_000;
      for (let window = 0; window < windows; window++) {
        const seen = { count, bad: drawBad(prng, count, rate) };
        if (window >= 10 && tailPValue(baseline, seen) < 0.01) below += 1;
        learnCount(baseline, seen, { anomalous: false });
      }
      expect(below / windows).toBeLessThan(0.015);
    }
  });

  test("a rate that wanders widens what is ordinary", () => {
    const prng = createPrng(11);
    const steady = createCountBaseline();
    const wandering = createCountBaseline();
    for (let window = 0; window < 300; window++) {
      const rate = prng.next() < 0.5 ? 0.02 : 0.08;
      learnCount(steady, { count: 500, bad: drawBad(prng, 500, 0.05) }, { anomalous: false });
      learnCount(wandering, { count: 500, bad: drawBad(prng, 500, rate) }, { anomalous: false });
    }
    const seen = { count: 500, bad: 50 };
    expect(tailPValue(wandering, seen)).toBeGreaterThan(50 * tailPValue(steady, seen));
  });

  test("a key of 0.008 requests a second with one failure in 25 never alarms", () => {
    const prng = createPrng(2);
    const baseline = createCountBaseline();
    let alarms = 0;
    for (let window = 0; window < 50_000; window++) {
      const count = drawBad(prng, 1, 0.08);
      const seen = { count, bad: drawBad(prng, count, 0.04) };
      const anomalous = tailPValue(baseline, seen) < alarmBelow;
      alarms += anomalous ? 1 : 0;
      learnCount(baseline, seen, { anomalous });
    }
    expect(alarms).toBe(0);
  });
});

describe("learning", () => {
  test("an incident is not learnt, so its last window is as bad as its first", () => {
    const baseline = learnt(repeat(100, 100, 1));
    const seen = { count: 100, bad: 40 };
    const first = tailPValue(baseline, seen);
    const rate = expectedBad(baseline, 1);
    for (let window = 0; window < 300; window++) learnCount(baseline, seen, { anomalous: true });
    expect(expectedBad(baseline, 1)).toBeCloseTo(rate, 4);
    expect(tailPValue(baseline, seen)).toBeLessThan(first * 1.01);
  });

  test("a level shift is learnt after shiftWindows windows and not before", () => {
    const baseline = learnt(repeat(500, 100, 0));
    const seen = { count: 100, bad: 30 };
    let alarmed = 0;
    for (let window = 0; window < 500; window++) {
      const anomalous = tailPValue(baseline, seen) < alarmBelow;
      alarmed += anomalous ? 1 : 0;
      learnCount(baseline, seen, { anomalous });
    }
    expect(alarmed).toBeGreaterThanOrEqual(defaultCountPrior.shiftWindows);
    expect(alarmed).toBeLessThanOrEqual(defaultCountPrior.shiftWindows + 3);
    expect(expectedBad(baseline, 100)).toBeGreaterThan(25);
  });

  test("an anomalous window better than expected teaches what it was", () => {
    const baseline = learnt(repeat(100, 100, 50));
    learnCount(baseline, { count: 1000, bad: 0 }, { anomalous: true });
    expect(expectedBad(baseline, 100)).toBeLessThan(50);
  });

  test("old windows fade with the half-life", () => {
    const baseline = learnt([...repeat(2000, 100, 50), ...repeat(360, 100, 0)]);
    expect(expectedBad(baseline, 100)).toBeCloseTo(25, 0);
  });
});
