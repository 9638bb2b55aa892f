/** Metrics on their way through windows: merged, bounded, stored, and never taken for spans. */
import { describe, expect, test } from "vitest";
import { connect } from "../../collector/stages/connect.ts";
import { createRegistry } from "../../collector/stages/registry.ts";
import { rollUp } from "../../collector/stages/roll-up.ts";
import { decodeContents } from "../../collector/store/contents.ts";
import { addCube, createLosses } from "../../collector/windows/add-cube.ts";
import { createWindowState, sealWindow } from "../../collector/windows/window-state.ts";
import { createCell } from "../../sketch/cell.ts";
import { addCell, type Cube, createCube } from "../../sketch/cube.ts";
import { quantileDigest } from "../../sketch/digest.ts";
import { addHistogram } from "../../sketch/histogram.ts";
import { builtInDimensions, type CompositeKey, intern, isMetricKey } from "../../sketch/key.ts";

const startMs = 1_800_000_000_000;

const metricKey = (metric: string, service = "shop"): CompositeKey => [
  ...[service, metric, "metric", "", "1.0", "prod", "eu"],
];

function cubeOf(metrics: readonly string[], value: number, keysMax = 1_000): Cube {
  const cube = createCube(startMs, builtInDimensions, { keysMax, edgesMax: 10 });
  for (const metric of metrics) {
    const row = cube.cells.rowFor(intern(cube.keys, metricKey(metric)));
    cube.cells.addValue(row, value, 1);
  }
  return cube;
}

/** A span of a service that metrics speak of. */
function withSpan(cube: Cube, service = "shop"): Cube {
  const cell = { ...createCell(), count: 1, adjusted: 2 ** 16, errors: 1, originErrors: 1 };
  addHistogram(cell.durationNs, 1_000);
  addHistogram(cell.selfNs, 1_000);
  addCell(cube, intern(cube.keys, [service, "GET /", "server", "", "1.0", "prod", "eu"]), cell);
  return cube;
}

/** Merges cubes as a window does that has room for so many keys. */
function check(cubes: readonly Cube[], keysMax: number) {
  const target = createCube(startMs, builtInDimensions, { keysMax, edgesMax: 10 });
  const losses = createLosses();
  for (const cube of cubes) addCube(target, cube, losses);
  return { target, losses };
}

describe("merging", () => {
  test("values of agents meet under one key", () => {
    const { target, losses } = check([cubeOf(["m"], 1), cubeOf(["m"], 3)], 100);
    const [digest] = [...target.cells.digests.values()];
    expect([digest?.count, digest?.min, digest?.max]).toEqual([2, 1, 3]);
    expect(losses.droppedMetrics).toBe(0);
  });

  test("they take half of a window, and are dropped and counted rather than folded", () => {
    const names = Array.from({ length: 30 }, (_, at) => `m${at}`);
    const { target, losses } = check([cubeOf(names, 1), withSpan(cubeOf([], 1))], 40);
    expect([target.keys.size, losses.droppedMetrics]).toEqual([21, 10]);
    expect(target.keys.keys.flat()).not.toContain("(other)");
    expect([...losses.foldedSpans]).toEqual([]);
  });
});

test("a stored window has them, value for value", () => {
  const place = { startMs, lengthMs: 10_000 };
  const limits = { keysMax: 100, edgesMax: 10, halfEdgesMax: 10 };
  const window = createWindowState(place, limits);
  addCube(window.cube, withSpan(cubeOf(["m", "n"], -7.5)), createLosses());
  const { cube } = decodeContents(startMs, sealWindow(window).blocks);
  const metrics = [...cube.cells].filter(([id]) => isMetricKey(cube.keys.keys[id] as CompositeKey));
  expect(metrics.map(([, cell]) => cell.count)).toEqual([0, 0]);
  for (const [, { values }] of metrics) expect(quantileDigest(values as never, 0.5)).toBe(-7.5);
});

test("they are no rows, no services, and no calls", () => {
  const cube = withSpan(cubeOf(["m", "n"], 1));
  cube.cells.addValue(cube.cells.rowFor(intern(cube.keys, metricKey("m", "elsewhere"))), 1, 1);
  const bare = withSpan(createCube(startMs, builtInDimensions, { keysMax: 10, edgesMax: 10 }));
  const seen = (from: Cube) => {
    const registry = createRegistry();
    const rolled = rollUp(registry.rows, from, () => true, startMs);
    const shared = { halfEdges: [], coverage: 1, revised: false, windowStartMs: startMs };
    connect(registry, { cube: from, ...shared, windowEndMs: startMs + 10_000 }, startMs);
    return { rolled, names: registry.rows.names, services: [...registry.graph.services.keys()] };
  };
  expect(seen(cube)).toEqual(seen(bare));
  expect(seen(cube).services).toEqual(["shop"]);
});
