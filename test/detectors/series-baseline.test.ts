/** A series' normal, learnt from it alone: calibrated when all is well, and surprised when not. */
import { describe, expect, test } from "vitest";
import { stateBytes } from "../../bench/eval/series/run-series.ts";
import {
  createSeriesBaseline,
  type SeriesBaseline,
  type SeriesJudgement,
  updateSeries,
} from "../../detectors/series-baseline.ts";
import { type Draw, ordinarySeries, secondMs, valuesOf } from "./series-cases.ts";

const stepMs = 60 * secondMs;
const dayRows = 1_440;
const bytesMax = 1_024;

function judge(
  values: readonly (number | undefined)[],
  from: { baseline?: SeriesBaseline; row?: number; step?: number } = {},
): SeriesJudgement[] {
  const { row = 0, step = stepMs } = from;
  const baseline = from.baseline ?? createSeriesBaseline({ stepMs: step });
  return values.map((value, at) => updateSeries(baseline, (row + at) * step, value));
}

const wave: Draw = ({ row, normal }) =>
  100 + 30 * Math.sin((2 * Math.PI * row) / dayRows) + 2 * normal();

describe.each(ordinarySeries)("%s, nothing wrong with it", (_, draw) => {
  test.each([10, 60, 300])("every %d s: p-values are what they say", (seconds) => {
    const step = seconds * secondMs;
    let [seen, small, outside] = [0, 0, 0];
    for (let seed = 1; seed <= 6; seed++) {
      const values = valuesOf(draw, { seed, rows: 6_000, stepMs: step });
      const judged = judge(values, { step }).slice(1_000);
      seen += judged.length;
      small += judged.filter(({ pValue }) => pValue <= 0.01).length;
      outside += judged.filter(
        ({ low, high }, at) =>
          (values[at + 1_000] as number) < low || (values[at + 1_000] as number) > high,
      ).length;
    }
    expect(small / seen).toBeLessThan(0.02);
    expect(outside / seen).toBeLessThan(0.03);
  });

  test("the first minutes raise nothing", () => {
    let small = 0;
    for (let seed = 1; seed <= 20; seed++) {
      const judged = judge(valuesOf(draw, { seed, rows: 200, stepMs }));
      expect(judged.slice(0, 30).every(({ pValue }) => pValue === 1)).toBe(true);
      small += judged.filter(({ pValue }) => pValue < 0.001).length;
    }
    expect(small).toBeLessThan(20 * 200 * 0.006);
  });
});

test("independent noise: the share of small p-values is not too small either", () => {
  const judged = judge(valuesOf(({ normal }) => normal(), { seed: 3, rows: 20_000, stepMs }));
  const small = judged.slice(1_000).filter(({ pValue }) => pValue <= 0.01).length;
  expect(small / 19_000).toBeGreaterThan(0.005);
});

describe("what is wrong is seen", () => {
  const days = valuesOf(wave, { seed: 5, rows: 3 * dayRows, stepMs });

  function judgeAfter(values: readonly (number | undefined)[]): SeriesJudgement[] {
    const baseline = createSeriesBaseline({ stepMs });
    judge(days, { baseline });
    return judge(values, { baseline, row: days.length });
  }

  test.each([
    ["a spike", 160, "up"],
    ["a drop", 60, "down"],
    ["what is usual at another time of day", 128, "up"],
  ] as const)("%s", (_, value, direction) => {
    const [judged] = judgeAfter([value]);
    expect(judged?.pValue).toBeLessThan(0.001);
    expect(judged?.direction).toBe(direction);
    expect(judged?.news).toBeGreaterThan(4);
    expect(value < (judged?.low as number) || value > (judged?.high as number)).toBe(true);
  });

  test("a rise that lasts, whose first value alone would not do", () => {
    const higher = valuesOf(wave, { seed: 6, rows: 60, stepMs }).map((value) => value + 8);
    const judged = judgeAfter(higher);
    expect(judged[0]?.pValue).toBeGreaterThan(0.01);
    expect(Math.min(...judged.map(({ pValue }) => pValue))).toBeLessThan(0.001);
  });

  test("an alarm comes once for an incident, its p-value stays small", () => {
    const incident = valuesOf(wave, { seed: 7, rows: 20, stepMs }).map((value) => value + 60);
    const judged = judgeAfter(incident);
    expect(judged.filter(({ news }) => news > 4).length).toBeLessThan(4);
    expect(judged.slice(0, 10).every(({ pValue }) => pValue < 0.005)).toBe(true);
  });

  test("a level that stays is the new normal after some hours", () => {
    const shifted = valuesOf(wave, { seed: 8, rows: 600, stepMs }).map((value) => value + 60);
    const judged = judgeAfter(shifted);
    expect(judged[0]?.pValue).toBeLessThan(0.001);
    expect(judged.at(-1)?.expected).toBeGreaterThan((shifted.at(-1) as number) - 10);
    expect(judged.slice(-100).filter(({ pValue }) => pValue <= 0.01).length).toBeLessThan(20);
  });

  test("an incident hardly moves what is expected afterwards", () => {
    const [before] = judgeAfter([undefined]);
    const judged = judgeAfter([...Array.from({ length: 5 }, () => 1e6), undefined]);
    const moved = (judged.at(-1)?.expected as number) - (before?.expected as number);
    expect(Math.abs(moved)).toBeLessThan(4);
  });
});

test("being rare is not being large: a record by a hair is no alarm, one by far is", () => {
  const noise: Draw = ({ uniform }) => 100 + uniform();
  const newsOf = (value: number): number => {
    const baseline = createSeriesBaseline({ stepMs });
    judge(valuesOf(noise, { seed: 4, rows: 1_000, stepMs }), { baseline });
    return judge([value], { baseline, row: 1_000 })[0]?.news as number;
  };
  expect(newsOf(101.05)).toBeLessThan(4);
  expect(newsOf(105)).toBeGreaterThan(5);
});

test("beyond the largest error, a larger one is more surprising", () => {
  const surpriseOf = (value: number): number => {
    const baseline = createSeriesBaseline({ stepMs });
    const noise: Draw = ({ normal }) => normal();
    judge(valuesOf(noise, { seed: 4, rows: 1_000, stepMs }), { baseline });
    return judge([value], { baseline, row: 1_000 })[0]?.news as number;
  };
  expect(surpriseOf(400)).toBeGreaterThan(surpriseOf(40) + 0.5);
});

test("of two equal errors, that to a value never seen is the greater surprise", () => {
  const days = 4 * dayRows;
  const judgeAt = (rowOfDay: number): SeriesJudgement | undefined => {
    const values = valuesOf(wave, { seed: 5, rows: days + rowOfDay, stepMs });
    const baseline = createSeriesBaseline({ stepMs });
    judge(values, { baseline });
    const { expected } = updateSeries(structuredClone(baseline), values.length * stepMs, undefined);
    return judge([expected + 10], { baseline, row: values.length })[0];
  };
  const [onTheSlope, atThePeak] = [judgeAt(0), judgeAt(dayRows / 4)];
  expect(atThePeak?.news).toBeGreaterThan((onTheSlope?.news as number) + 0.5);
});

test("noise in the last digits is no news, even if it grows a hundredfold", () => {
  const digits: Draw = ({ row, normal }) => 1e9 + normal() * (row < 1_000 ? 1e-3 : 1e-1);
  const judged = judge(valuesOf(digits, { seed: 4, rows: 1_100, stepMs })).slice(1_000);
  expect(Math.max(...judged.map(({ news }) => news))).toBeLessThan(2);
});

test("one spike is not a drift: the values after it are ordinary", () => {
  const noise: Draw = ({ row, normal }) => (row === 2_000 ? 1e6 : 100 + normal());
  const judged = judge(valuesOf(noise, { seed: 4, rows: 2_200, stepMs }));
  expect(judged[2_000]?.pValue).toBeLessThan(1e-4);
  const after = judged.slice(2_001);
  expect(after.filter(({ pValue }) => pValue <= 0.01).length).toBeLessThan(20);
  expect(Math.max(...after.map(({ news }) => news))).toBeLessThan(4);
});

test("a day of the week has its own usual values", () => {
  const week: Draw = ({ row, normal }) => (Math.floor(row / 144) % 7 < 5 ? 100 : 50) + 2 * normal();
  const step = 600 * secondMs;
  const weeks = valuesOf(week, { seed: 2, rows: 4 * 7 * 144, stepMs: step });
  const judged = judge(weeks, { step });
  const saturdayNoon = 3 * 7 * 144 + 5 * 144 + 72;
  expect(Math.abs((judged[saturdayNoon]?.expected as number) - 50)).toBeLessThan(15);
});

test("what is missing is not judged and teaches nothing", () => {
  const values = valuesOf(wave, { seed: 9, rows: 2_000, stepMs });
  const baseline = createSeriesBaseline({ stepMs });
  judge(values, { baseline });
  const before = structuredClone(baseline);
  const judged = judge([undefined, undefined], { baseline, row: 2_000 });
  expect(baseline).toEqual(before);
  expect(judged.map(({ pValue, direction }) => [pValue, direction])).toEqual([
    [1, "none"],
    [1, "none"],
  ]);
});

test("errors from before a gap do not add up with those after it", () => {
  const higher = Array.from({ length: 40 }, () => 103);
  const noise: Draw = ({ normal }) => 100 + normal();
  const slowAfter = (gapRows: number): number => {
    const baseline = createSeriesBaseline({ stepMs });
    judge(valuesOf(noise, { seed: 4, rows: 1_000, stepMs }), { baseline });
    judge(higher, { baseline, row: 1_000 });
    judge([100], { baseline, row: 1_040 + gapRows });
    return baseline.slowError;
  };
  expect(slowAfter(500)).toBeLessThan(slowAfter(0) / 10);
});

test("a constant series raises nothing, and its first change something", () => {
  const judged = judge([...Array.from({ length: 500 }, () => 5), 6]);
  expect(judged.slice(0, 500).every(({ direction }) => direction === "none")).toBe(true);
  expect(judged.at(-1)?.pValue).toBeLessThan(0.01);
  expect(judged.at(-1)?.direction).toBe("up");
});

test.each([
  ["zeros", () => 0],
  ["no numbers", () => Number.NaN],
  ["without end", () => Number.POSITIVE_INFINITY],
  ["huge", () => 1e300],
  ["alternating signs of huge", ({ row }: { row: number }) => (row % 2 === 0 ? 1e30 : -1e30)],
  ["tiny", () => 1e-300],
])("%s: every number of a judgement is a number", (_, draw) => {
  for (const judged of judge(valuesOf(draw, { seed: 1, rows: 3_000, stepMs }))) {
    expect(judged.pValue).toBeGreaterThan(0);
    expect(judged.pValue).toBeLessThanOrEqual(1);
    expect(Number.isFinite(judged.news)).toBe(true);
    expect(Number.isNaN(judged.low + judged.expected)).toBe(false);
  }
});

test("state is plain, survives a copy, and takes at most 1 KB for ever", () => {
  const values = valuesOf(wave, { seed: 1, rows: 9_000, stepMs });
  const baseline = createSeriesBaseline({ stepMs });
  const fresh = stateBytes(baseline);
  judge(values, { baseline });
  expect(stateBytes(baseline)).toBe(fresh);
  expect(fresh).toBeLessThanOrEqual(bytesMax);
  const copy = structuredClone(baseline);
  expect(judge(values, { baseline: copy, row: 9_000 })).toEqual(
    judge(values, { baseline, row: 9_000 }),
  );
});
