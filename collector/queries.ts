/** Answers over the stored windows. */
import { ok, type Result, refuse } from "../base/result.ts";
import type { Cell } from "../sketch/cell.ts";
import { type Cube, createCube } from "../sketch/cube.ts";
import { quantileHistogram } from "../sketch/histogram.ts";
import { boundsHll, isEmptyHll } from "../sketch/hll.ts";
import { type CompositeKey, intern, isMetricKey, keyOf } from "../sketch/key.ts";
import type { KeySummary, WindowSummary } from "../wire/api-types.ts";
import type { TimeRange } from "./store/cover.ts";
import type { Store } from "./store/store.ts";
import { addCube, createLosses, emptyLike, unionOf } from "./windows/add-cube.ts";

export interface KeyQuery {
  /** "" for every service. */
  readonly service: string;
  /** "" for every operation. */
  readonly operation: string;
  readonly limit: number;
  /** How many of the newest windows are merged, when neither `from` nor `to` is given. */
  readonly windows: number;
  /** Epoch milliseconds: windows that start at `from` or later, and before `to`. */
  readonly from?: number;
  readonly to?: number;
}

const nsPerMs = 1e6;
/** Room for the keys of several windows, so that merging them folds nothing that they kept. */
const roomFactor = 2;
/** Stored windows one query may read. */
const windowsMax = 2_000;

/** Closed windows, newest first. */
export function listWindows(store: Store, limit: number): readonly WindowSummary[] {
  return store
    .segmentsNewestFirst()
    .slice(0, limit)
    .map((meta) => meta.summary);
}

/**
 * The busiest keys of a stretch of time, merged; windows under another hash key than the newest
 * stay out. Coarser windows answer where they lie inside the stretch, finer ones at its ends.
 */
export async function listKeys(
  store: Store,
  query: KeyQuery,
  keysMax: number,
): Promise<Result<readonly KeySummary[]>> {
  const windows = store.windowsOf(rangeOf(store, query));
  if (windows.length > windowsMax) {
    const message = `the query covers ${windows.length} stored windows, at most ${windowsMax}; narrow from and to`;
    return refuse("QUERY_INVALID", message);
  }
  const newestFirst = [...windows].sort((a, b) => b.meta.windowEndMs - a.meta.windowEndMs);
  const hashKeyId = newestFirst.find(({ meta }) => meta.hashKeyId !== "")?.meta.hashKeyId ?? "";
  let merged = createCube(0, unionOf([], []).dimensions, {
    keysMax: keysMax * roomFactor,
    edgesMax: 0,
  });
  for (const window of newestFirst) {
    if (window.meta.hashKeyId !== hashKeyId) continue;
    for await (const cube of store.scan(window, prefixOf(query))) {
      merged = mergeWider(merged, matching(cube, query));
    }
  }
  return ok(summaries(merged, query.limit));
}

function rangeOf(store: Store, { from, to, windows }: KeyQuery): TimeRange {
  if (from !== undefined || to !== undefined) {
    return { fromMs: from ?? 0, toMs: to ?? Number.MAX_SAFE_INTEGER };
  }
  const oldest = store.segmentsNewestFirst().slice(0, windows).at(-1);
  const fromMs = oldest?.summary.windowStartMs ?? Number.MAX_SAFE_INTEGER;
  return { fromMs, toMs: Number.MAX_SAFE_INTEGER };
}

/** Keys are stored in the order of their values, so these lie side by side. */
function prefixOf({ service, operation }: KeyQuery): CompositeKey {
  if (service === "") return [];
  return operation === "" ? [service] : [service, operation];
}

/** The cells asked for; a block of stored keys has their neighbours too. */
function matching(cube: Cube, { service, operation }: KeyQuery): Cube {
  const { cells, keys } = cube;
  const serviceAt = keys.dimensions.indexOf("service.name");
  const operationAt = keys.dimensions.indexOf("operation");
  const found = emptyLike(cube, keys.dimensions);
  for (let row = 0; row < cells.size; row++) {
    const key = keyOf(keys, cells.keyOf(row));
    const matches =
      !isMetricKey(key) &&
      (service === "" || key[serviceAt] === service) &&
      (operation === "" || key[operationAt] === operation);
    if (matches) found.cells.merge(found.cells.rowFor(intern(found.keys, key)), cells, row);
  }
  return found;
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

function summaries(cube: Cube, limit: number): KeySummary[] {
  return [...cube.cells]
    .map(([id, cell]) => ({ key: keyOf(cube.keys, id), cell }))
    .sort((a, b) => b.cell.count - a.cell.count)
    .slice(0, limit)
    .map(({ key, cell }) => summaryOf(cube.keys.dimensions, key, cell));
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
