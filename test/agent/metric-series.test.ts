/** What cumulative points become: growth since the one before, through resets and other scales. */
import { describe, expect, test } from "vitest";
import { changeOf } from "../../agent/metrics/point-change.ts";
import { faultOf } from "../../agent/metrics/point-faults.ts";
import { addPointValues } from "../../agent/metrics/point-values.ts";
import { SeriesMemory } from "../../agent/metrics/series-memory.ts";
import type { MetricPoint, PointData, Temporality } from "../../wire/metric-point.ts";

const nowhere = { start: 0, end: 0 };
const source = { resource: nowhere, resourceAttributes: [], scope: nowhere };

function pointOf(
  data: PointData,
  times: { startMs?: number; timeMs: number },
  temporality: Temporality = "cumulative",
): MetricPoint {
  const metric = { name: "m", temporality, isMonotonic: true };
  return { source, metric, attributes: [], startMs: 0, isMissing: false, ...times, data };
}

const sumOf = (value: number): PointData => ({ kind: "sum", value });

/** Advances one series by points [start, time, value] in seconds; gives rates and silences. */
function check(points: readonly (readonly [startS: number, timeS: number, value: number])[]) {
  const memory = new SeriesMemory({ seriesMax: 1, numbersMax: 100 });
  return points.map(([startS, timeS, value]) => {
    const times = { startMs: startS * 1_000, timeMs: timeS * 1_000 };
    const change = memory.advance("a", pointOf(sumOf(value), times), times.timeMs);
    if (typeof change === "string" || change.data.kind !== "sum") return change;
    return (change.data.value as number) / change.seconds;
  });
}

describe("cumulative sums", () => {
  test.each([
    [
      "growth over the interval",
      [
        [1, 5_000, 100],
        [1, 5_010, 150],
        [1, 5_020, 150],
      ],
      ["first", 5, 0],
    ],
    ["a young process from its start", [[5_000, 5_060, 120]], [2]],
    [
      "an old one from its second point",
      [
        [1, 5_000, 120],
        [1, 5_060, 180],
      ],
      ["first", 1],
    ],
    [
      "a restart that tells its start",
      [
        [1, 5_000, 900],
        [5_010, 5_030, 40],
      ],
      ["first", 2],
    ],
    [
      "a restart long ago",
      [
        [1, 5_000, 900],
        [4_000, 5_030, 40],
        [4_000, 5_040, 50],
      ],
      ["first", "reset", 1],
    ],
    [
      "a fall without a start",
      [
        [0, 5_000, 900],
        [0, 5_010, 40],
        [0, 5_020, 60],
      ],
      ["first", "reset", 2],
    ],
    [
      "the same point again",
      [
        [1, 5_000, 1],
        [1, 5_000, 1],
        [1, 5_010, 11],
      ],
      ["first", "repeated", 1],
    ],
    [
      "a point from before",
      [
        [1, 5_000, 1],
        [1, 4_990, 0],
        [1, 5_010, 11],
      ],
      ["first", "repeated", 1],
    ],
  ] as const)("%s", (_, points, expected) => {
    expect(check(points)).toEqual(expected);
  });

  test("a series beyond the bound is not followed until another is idle", () => {
    const memory = new SeriesMemory({ seriesMax: 1, numbersMax: 100 });
    const at = (timeMs: number) => pointOf(sumOf(1), { startMs: 1, timeMs });
    expect(memory.advance("a", at(1_000_000), 1_000_000)).toBe("first");
    expect(memory.advance("b", at(1_000_000), 1_000_000)).toBe("unfollowed");
    memory.forgetIdle(1_500_000);
    expect(memory.advance("b", at(1_500_000), 1_500_000)).toBe("unfollowed");
    memory.forgetIdle(2_000_000);
    expect(memory.advance("b", at(2_000_000), 2_000_000)).toBe("first");
  });

  test("buckets have a bound of their own", () => {
    const memory = new SeriesMemory({ seriesMax: 10, numbersMax: 10 });
    const data = { ...explicit, counts: [1, 2, 3], bounds: [1, 2] };
    expect(memory.advance("a", pointOf(data, { timeMs: 1_000 }), 0)).toBe("first");
    expect(memory.advance("b", pointOf(data, { timeMs: 1_000 }), 0)).toBe("unfollowed");
  });
});

const explicit = { kind: "histogram", min: undefined, max: undefined } as const;
const exponential = {
  kind: "exponential histogram",
  zeroCount: 0,
  negative: { offset: 0, counts: [] },
  min: undefined,
  max: undefined,
} as const;

describe("cumulative histograms", () => {
  test("explicit buckets are taken from each other", () => {
    const bounds = [10, 20];
    const earlier = { ...explicit, bounds, counts: [1, 2, 3] };
    const later = { ...explicit, bounds, counts: [1, 5, 4] };
    expect(changeOf(later, earlier)).toMatchObject({ counts: [0, 3, 1] });
    expect(changeOf(earlier, later)).toBeUndefined();
    expect(changeOf({ ...later, bounds: [10, 21] }, earlier)).toBeUndefined();
  });

  test("exponential ones too, after the scale has fallen", () => {
    const earlier = { ...exponential, scale: 2, positive: { offset: -3, counts: [1, 2, 3, 4] } };
    // Indices -3, -2, -1, 0 at scale 2 are -2, -1, -1, 0 at scale 1.
    const later = { ...exponential, scale: 1, positive: { offset: -2, counts: [1, 6, 4, 7] } };
    expect(changeOf(later, earlier)).toMatchObject({
      scale: 1,
      positive: { offset: -2, counts: [0, 1, 0, 7] },
    });
    expect(changeOf(earlier, later)).toBeUndefined();
  });

  test("a bucket that is gone is a reset", () => {
    const earlier = { ...exponential, scale: 0, positive: { offset: 0, counts: [5, 1] } };
    const later = { ...exponential, scale: 0, positive: { offset: 1, counts: [9] } };
    expect(changeOf(later, earlier)).toBeUndefined();
  });
});

describe("values of a point", () => {
  const valuesOf = (data: PointData, seconds?: number): [number, number][] => {
    const values: [number, number][] = [];
    addPointValues(data, seconds, (value, weight) => values.push([value, weight]));
    return values;
  };

  test.each<[string, PointData, [number, number][]]>([
    ["a gauge", { kind: "gauge", value: -3 }, [[-3, 1]]],
    [
      "explicit buckets",
      { ...explicit, bounds: [10, 20], counts: [1, 2, 3] },
      [
        [5, 1],
        [15, 2],
        [20, 3],
      ],
    ],
    [
      "negative bounds",
      { ...explicit, bounds: [-10, 0], counts: [1, 2, 0] },
      [
        [-10, 1],
        [-5, 2],
      ],
    ],
    [
      "extremes that are told",
      { ...explicit, bounds: [10, 20], counts: [1, 0, 1], min: 4, max: 90 },
      [
        [7, 1],
        [55, 1],
      ],
    ],
    ["one bucket", { ...explicit, bounds: [], counts: [4], min: 1, max: 3 }, [[2, 4]]],
    [
      "quantiles",
      {
        kind: "summary",
        quantiles: [
          { quantile: 0.9, value: 9 },
          { quantile: 0.5, value: 5 },
        ],
      },
      [
        [5, 0.7],
        [9, 0.30000000000000004],
      ],
    ],
  ])("%s", (_, data, expected) => {
    expect(valuesOf(data)).toEqual(expected);
  });

  test("exponential buckets within half a bucket, zeros and negative ones too", () => {
    const scale = 3;
    const data = {
      ...exponential,
      scale,
      zeroCount: 2,
      positive: { offset: 8, counts: [0, 5] },
      negative: { offset: 0, counts: [1] },
    };
    const values = valuesOf(data);
    expect(values.map(([, weight]) => weight)).toEqual([2, 5, 1]);
    expect(values[0]?.[0]).toBe(0);
    const base = 2 ** (2 ** -scale);
    expect(values[1]?.[0]).toBeCloseTo(base ** 9.5, 9);
    expect(values[2]?.[0]).toBeCloseTo(-(base ** 0.5), 9);
  });
});

test.each<[string, PointData, string, Temporality?]>([
  ["no value", { kind: "gauge", value: undefined }, "m has no finite asDouble or asInt"],
  ["no number", { kind: "sum", value: Number.NaN }, "m has no finite asDouble or asInt"],
  ["temporality", sumOf(1), "aggregationTemporality of m is unspecified", "unspecified"],
  ["a delta since nobody knows when", sumOf(1), "m is a delta without startTimeUnixNano", "delta"],
  [
    "buckets and bounds",
    { ...explicit, bounds: [1], counts: [1] },
    "m has 1 bucketCounts, not one more than 1 explicitBounds",
  ],
  [
    "falling bounds",
    { ...explicit, bounds: [2, 1], counts: [1, 1, 1] },
    "m has explicitBounds that do not ascend",
  ],
  [
    "scale",
    { ...exponential, scale: 21, positive: { offset: 0, counts: [] } },
    "m has scale 21, not from -10 to 20",
  ],
  [
    "a quantile",
    { kind: "summary", quantiles: [{ quantile: 2, value: 1 }] },
    "m has a quantile outside 0 to 1",
  ],
])("a fault of %s names the metric", (_, data, expected, temporality) => {
  expect(faultOf(pointOf(data, { timeMs: 1 }, temporality))).toContain(expected);
});
