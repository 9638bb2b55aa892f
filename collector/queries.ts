/** Answers over the stored windows. */
import { ok, type Result } from "../base/result.ts";
import type { Cell } from "../sketch/cell.ts";
import { type Cube, createCube } from "../sketch/cube.ts";
import { quantileHistogram } from "../sketch/histogram.ts";
import { boundsHll, isEmptyHll } from "../sketch/hll.ts";
import { type CompositeKey, keyOf } from "../sketch/key.ts";
import type { KeySummary, WindowSummary } from "../wire/api-types.ts";
import type { Store } from "./store/store.ts";
import { addCube, createLosses, emptyLike, unionOf } from "./windows/add-cube.ts";

export interface KeyQuery {
  /** "" for every service. */
  readonly service: string;
  readonly limit: number;
  /** How many of the newest windows are merged. */
  readonly windows: number;
}

const nsPerMs = 1e6;
/** Room for the keys of several windows, so that merging them folds nothing that they kept. */
const roomFactor = 2;

/** Closed windows, newest first. */
export function listWindows(store: Store, limit: number): readonly WindowSummary[] {
  return store
    .segmentsNewestFirst()
    .slice(0, limit)
    .map((meta) => meta.summary);
}

/** The busiest keys of the newest windows, merged; windows under another hash key stay out. */
export async function listKeys(
  store: Store,
  query: KeyQuery,
  keysMax: number,
): Promise<Result<readonly KeySummary[]>> {
  const metas = store.segmentsNewestFirst().slice(0, query.windows);
  const hashKeyId = metas.find((meta) => meta.hashKeyId !== "")?.hashKeyId ?? "";
  let merged = createCube(0, unionOf([], []).dimensions, {
    keysMax: keysMax * roomFactor,
    edgesMax: 0,
  });
  for (const meta of metas) {
    if (meta.hashKeyId !== hashKeyId) continue;
    const segment = await store.readSegment(meta.summary.windowStartMs);
    if (!segment.ok) return segment;
    merged = mergeWider(merged, segment.value.contents.cube);
  }
  return ok(summaries(merged, query));
}

/** Both cubes under the dimensions of both. */
function mergeWider(target: Cube, source: Cube): Cube {
  const { dimensions } = unionOf(target.keys.dimensions, source.keys.dimensions);
  let wide = target;
  if (dimensions.length !== target.keys.dimensions.length) {
    wide = emptyLike(target, dimensions);
    addCube(wide, target, createLosses());
  }
  addCube(wide, source, createLosses());
  return wide;
}

function summaries(cube: Cube, query: KeyQuery): KeySummary[] {
  const { dimensions } = cube.keys;
  const serviceIndex = dimensions.indexOf("service.name");
  return [...cube.cells]
    .map(([id, cell]) => ({ key: keyOf(cube.keys, id), cell }))
    .filter(({ key }) => query.service === "" || key[serviceIndex] === query.service)
    .sort((a, b) => b.cell.count - a.cell.count)
    .slice(0, query.limit)
    .map(({ key, cell }) => summaryOf(dimensions, key, cell));
}

function summaryOf(dimensions: readonly string[], key: CompositeKey, cell: Cell): KeySummary {
  return {
    key: dimensions.map((dimension, index) => ({ dimension, value: key[index] as string })),
    count: cell.count,
    errors: cell.errors,
    slow: cell.slow,
    p50Ms: quantileHistogram(cell.durationNs, 0.5) / nsPerMs,
    p99Ms: quantileHistogram(cell.durationNs, 0.99) / nsPerMs,
    customers: isEmptyHll(cell.customers) ? null : boundsHll(cell.customers),
  };
}
