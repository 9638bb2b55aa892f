/** Metrics as evidence: named where they moved with the trouble, silent where they did not. */
import { describe, expect, test } from "vitest";
import { createPrng, type Prng } from "../../base/prng.ts";
import { createDecider } from "../../collector/stages/decider.ts";
import {
  createMetricBook,
  type MetricBook,
  noteMetrics,
} from "../../collector/stages/metric-book.ts";
import { metricShiftsOf } from "../../collector/stages/metric-evidence.ts";
import { type Cube, createCube } from "../../sketch/cube.ts";
import { builtInDimensions, intern } from "../../sketch/key.ts";
import type { IncidentDetail } from "../../wire/api-types.ts";
import { applyThresholds, createShop, serveWindow, windowMs } from "./shop-model.ts";

const startMs = 1_800_000_000_000;

interface Said {
  readonly service: string;
  readonly metric: string;
  readonly host?: string;
  readonly version?: string;
  readonly values: readonly number[];
}

function addMetrics(cube: Cube, said: readonly Said[]): Cube {
  for (const { service, metric, host = "", version = "", values } of said) {
    const { dimensions: names } = cube.keys;
    const key = [service, metric, "metric", host, version, ...names.slice(5).map(() => "")];
    const row = cube.cells.rowFor(intern(cube.keys, key));
    for (const value of values) cube.cells.addValue(row, value, 1);
  }
  return cube;
}

const emptyCube = (windowStartMs: number): Cube =>
  createCube(windowStartMs, builtInDimensions, { keysMax: 10_000, edgesMax: 10 });

/** Uniform around `level`. */
const around = (prng: Prng, level: number, width: number): number =>
  level + width * (prng.next() - 0.5);

/** A book of `windows` windows of what `say` says at each. */
function bookOf(
  windows: number,
  say: (window: number, prng: Prng) => readonly Said[],
  seed = 7,
): MetricBook {
  const book = createMetricBook();
  const prng = createPrng(seed);
  for (let window = 0; window < windows; window++) {
    const windowStartMs = startMs + window * windowMs;
    noteMetrics(book, addMetrics(emptyCube(windowStartMs), say(window, prng)), windowStartMs);
  }
  return book;
}

/** Each value is near the one before. */
function drifting(noise: (prng: Prng) => number): (prng: Prng) => number {
  let level = 0;
  return (prng) => {
    level = 0.99 * level + noise(prng);
    return 100 + level;
  };
}

const troubles = 30;

const onsetAt = (window: number) => ({ sinceMs: startMs + window * windowMs, windowMs });

describe("shifts of a service's metrics", () => {
  const cpu = "system.cpu.utilization";

  test("a metric that moved with the trouble is named, ordinary ones are not", () => {
    const levelAt = (window: number): number => (window < 36 ? 0.31 : 0.97);
    const book = bookOf(40, (window, prng) => [
      { service: "cart", metric: cpu, values: [around(prng, levelAt(window), 0.04)] },
      ...Array.from({ length: 30 }, (_, at) => ({
        ...{ service: "cart", metric: `other.${at}` },
        values: [around(prng, 100, 20)],
      })),
    ]);
    const [shift, ...others] = metricShiftsOf(book, "cart", onsetAt(36));
    expect([shift?.metric, others.length]).toEqual([cpu, 0]);
    expect(shift?.before).toBeCloseTo(0.31, 1);
    expect(shift?.during).toBeCloseTo(0.97, 1);
    expect(metricShiftsOf(book, "shop", onsetAt(36))).toEqual([]);
  });

  const normal = (prng: Prng): number =>
    Math.sqrt(-2 * Math.log(1 - prng.next())) * Math.cos(2 * Math.PI * prng.next());
  test.each<[string, () => (prng: Prng) => number]>([
    ["noise", () => (prng) => 100 + 10 * normal(prng)],
    ["heavy tails", () => (prng) => Math.exp(1.5 * normal(prng))],
    ["drift", () => drifting(normal)],
    ["rare events", () => (prng) => (prng.next() < 0.03 ? 1 : 0)],
    ["spikes", () => (prng) => prng.next() + (prng.next() < 0.05 ? 50 * prng.next() : 0)],
  ])("where nothing moves, a service of 20 metrics of %s is rarely said to", (_, make) => {
    let named = 0;
    for (let seed = 1; seed <= troubles; seed++) {
      const metrics = Array.from({ length: 20 }, (_, at) => ({ at, next: make() }));
      const say = (_: number, prng: Prng): readonly Said[] =>
        metrics.map(({ at, next }) => {
          return { service: "cart", metric: `m${at}`, values: [next(prng)] };
        });
      const book = bookOf(60, say, seed);
      if (metricShiftsOf(book, "cart", onsetAt(56)).length > 0) named++;
    }
    expect(named).toBeLessThanOrEqual(troubles / 6);
  });

  test("one leap of a metric that stood still is no shift, two are", () => {
    const leapingFrom = (from: number) =>
      bookOf(40, (window) => [
        { service: "cart", metric: "restarts", values: [window >= from ? 1 : 0] },
      ]);
    expect(metricShiftsOf(leapingFrom(39), "cart", onsetAt(36))).toEqual([]);
    expect(metricShiftsOf(leapingFrom(38), "cart", onsetAt(36))).toMatchObject([{ before: 0 }]);
  });

  test("what a metric does every night is no shift, what it never did before is", () => {
    const minute = 60_000 / windowMs;
    const hour = 60 * minute;
    const onset = (5 * 24 + 3) * hour;
    const named = (isBusy: (hours: number) => boolean): number => {
      const book = bookOf(onset + 12, (window, prng) => {
        const level = isBusy(Math.floor(window / hour)) ? 0.9 : 0.3;
        const values = [around(prng, level, 0.05)];
        // A minute apart until lately.
        const isTold = window % minute === 0 || window > onset - hour / 4;
        return isTold ? [{ service: "cart", metric: "disk", values }] : [];
      });
      return metricShiftsOf(book, "cart", onsetAt(onset)).length;
    };
    const nightly = named((hours) => hours % 24 === 3);
    const once = named((hours) => hours === 5 * 24 + 3);
    expect([nightly, once]).toEqual([0, 1]);
  });

  test("one of many instances shows in the highest value", () => {
    const book = bookOf(40, (window, prng) => [
      {
        ...{ service: "cart", metric: "process.cpu.utilization" },
        values: [
          ...Array.from({ length: 9 }, () => around(prng, 0.3, 0.1)),
          window < 36 ? around(prng, 0.3, 0.1) : 0.99,
        ],
      },
    ]);
    expect(metricShiftsOf(book, "cart", onsetAt(36))).toMatchObject([{ of: "highest" }]);
  });

  test("hosts are apart, versions together", () => {
    const book = bookOf(40, (window, prng) =>
      ["node-1", "node-2"].flatMap((host) =>
        ["1.0", "1.1"].map((version) => ({
          ...{ service: "cart", metric: cpu, host, version },
          values: [around(prng, window >= 36 && host === "node-2" ? 0.9 : 0.3, 0.05)],
        })),
      ),
    );
    expect(book.series).toBe(2);
    expect(metricShiftsOf(book, "cart", onsetAt(36)).map(({ host }) => host)).toEqual(["node-2"]);
  });

  test("a window that comes again takes its own place; the oldest go", () => {
    const book = bookOf(70, (window) => [{ service: "a", metric: "m", values: [window] }]);
    const again = startMs + 50 * windowMs;
    const [series] = [...(book.services.get("a")?.values() ?? [])];
    const said = (value: number, windowStartMs: number): void => {
      const values = [{ service: "a", metric: "m", values: [value] }];
      noteMetrics(book, addMetrics(emptyCube(windowStartMs), values), windowStartMs);
    };
    said(-1, again);
    expect(series?.size).toBe(60);
    expect(series?.medians[series.timesMs.indexOf(again)]).toBe(-1);
    said(-2, startMs);
    expect(series?.medians).not.toContain(-2);
  });

  test("series have a bound: idle ones make room, others are refused and counted", () => {
    const metrics = (from: number) =>
      Array.from({ length: 6_000 }, (_, at) => ({
        ...{ service: `s${(from + at) % 50}`, metric: `m${from + at}` },
        values: [1],
      }));
    const book = createMetricBook();
    const note = (from: number, atMs: number): void =>
      noteMetrics(book, addMetrics(emptyCube(atMs), metrics(from)), atMs);
    note(0, startMs);
    note(6_000, startMs + windowMs);
    expect([book.series, book.refused]).toEqual([10_000, 2_000]);
    note(12_000, startMs + 3_600_000);
    expect(book.series).toBeLessThanOrEqual(10_000);
    expect(book.refused).toBe(2_000);
  });

  test("the book can be cloned, as the decider's state is", () => {
    const book = bookOf(40, (window, prng) => [
      { service: "cart", metric: cpu, values: [around(prng, window < 36 ? 0.3 : 0.9, 0.04)] },
    ]);
    const clone = structuredClone(book);
    expect(metricShiftsOf(clone, "cart", onsetAt(36))).toEqual(
      metricShiftsOf(book, "cart", onsetAt(36)),
    );
  });
});

/** A shop whose payments fail from the 30th window on; gives its incident. */
function check(say: (window: number, prng: Prng) => readonly Said[]): IncidentDetail | undefined {
  const shop = createShop(createPrng(11));
  const prng = createPrng(12);
  const decider = createDecider({ customersMin: 5, falsePagesPerWeek: 1 });
  for (let index = 0; index < 34; index++) {
    const windowStartMs = startMs + index * windowMs;
    const trouble = { fails: ({ service }: { service: string }) => service === "payments" };
    const plan = index < 30 ? { requests: 300 } : { requests: 300, trouble };
    const cube = addMetrics(serveWindow(shop, windowStartMs, plan), say(index, prng));
    const windowEndMs = windowStartMs + windowMs;
    const window = { cube, halfEdges: [], coverage: 1, revised: false, windowStartMs, windowEndMs };
    decider.decide(window, windowEndMs + 5_000);
    applyThresholds(shop, decider.thresholds());
  }
  return decider.incidents()[0];
}

describe("incidents", () => {
  test("the last step of the walk tells what moved at the cause", () => {
    const incident = check((window, prng) => [
      {
        ...{ service: "payments", metric: "system.cpu.utilization", host: "node-3" },
        values: [around(prng, window < 30 ? 0.31 : 0.97, 0.04)],
      },
      { service: "payments", metric: "queue.length", values: [around(prng, 10, 5)] },
    ]);
    expect(incident?.cause).toMatchObject({ name: "payments", kind: "node" });
    const said = incident?.graph.hops.at(-1)?.evidence.at(-1);
    const moved = /^system\.cpu\.utilization of payments on node-3 rose from 0\.3\d? to 0\.9\d? /;
    expect(said).toMatch(moved);
    expect(said).toMatch(/ \(\d+ times its usual spread\)$/);
    expect(JSON.stringify(incident)).not.toContain("queue.length");
  });

  test("who only has a metric that moves is not blamed, nor in the graph", () => {
    const moved = check((window, prng) => [
      { service: "tax", metric: "m", values: [around(prng, window < 30 ? 1 : 50, 0.1)] },
      { service: "elsewhere", metric: "m", values: [around(prng, window < 30 ? 1 : 50, 0.1)] },
    ]);
    const without = check(() => []);
    expect(moved?.cause).toEqual(without?.cause);
    expect(moved?.graph).toEqual(without?.graph);
    expect(createDecider({ customersMin: 5, falsePagesPerWeek: 1 }).crowded?.()).toEqual({
      rows: 0,
      metrics: 0,
    });
  });
});
