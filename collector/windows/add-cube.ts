/**
 * Adds a cube to another whose dimensions may differ and whose table may be full.
 *
 * Dimensions: the built-in ones, then the users' of all sources, sorted, so the order in which
 * agents report does not matter. Folding: as a table fills, new keys lose first the users'
 * dimensions, then version, region and environment, peer, operation; the service and the counts
 * of failed spans are never lost. Below three quarters of the limit nothing is folded.
 */
import { copyCell, mergeCell, mergeEdgeCell } from "../../sketch/cell.ts";
import { type Cube, createCube, edgeOf } from "../../sketch/cube.ts";
import {
  builtInDimensions,
  type CompositeKey,
  dimensionsMax,
  intern,
  internOrFold,
  type KeyId,
  type KeyTable,
  keyOf,
  noKey,
  overflowValue,
} from "../../sketch/key.ts";

/** What could not be kept apart, by the first dimension lost. */
export interface Losses {
  /** Spans by the name of the last dimension folded; "user" stands for all of the users'. */
  readonly foldedSpans: Map<string, number>;
  droppedCalls: number;
  droppedHalfEdges: number;
  droppedDimensions: number;
}

export function createLosses(): Losses {
  return { foldedSpans: new Map(), droppedCalls: 0, droppedHalfEdges: 0, droppedDimensions: 0 };
}

interface FoldLevel {
  readonly name: string;
  readonly dimensions: readonly string[];
  /** Share of `keysMax` up to which this level takes new keys. */
  readonly share: number;
}

const levels: readonly FoldLevel[] = [
  { name: "", dimensions: [], share: 0.75 },
  { name: "user", dimensions: [], share: 0.85 },
  { name: "service.version", dimensions: ["service.version"], share: 0.9 },
  {
    name: "cloud.region",
    dimensions: ["cloud.region", "deployment.environment.name"],
    share: 0.94,
  },
  { name: "peer", dimensions: ["peer"], share: 0.97 },
  { name: "operation", dimensions: ["operation"], share: 1 },
];

/** The dimensions of a window that several sources report to. */
export function unionOf(
  one: readonly string[],
  other: readonly string[],
): { readonly dimensions: readonly string[]; readonly dropped: number } {
  const builtIn = new Set<string>(builtInDimensions);
  const users = [...new Set([...one, ...other])].filter((name) => !builtIn.has(name)).sort();
  const dimensions = [...builtInDimensions, ...users];
  return {
    dimensions: dimensions.slice(0, dimensionsMax),
    dropped: Math.max(0, dimensions.length - dimensionsMax),
  };
}

/**
 * Adds `source` to `target` and gives each of its key ids the id in the target. Every dimension
 * of `source` that `target` lacks is summed over.
 */
export function addCube(target: Cube, source: Cube, losses: Losses): (sourceId: KeyId) => KeyId {
  const idOf = createIdMap(target.keys, source.keys);
  for (const [sourceId, cell] of source.cells) {
    const { id, folded } = idOf(sourceId);
    const known = target.cells.get(id);
    if (known === undefined) target.cells.set(id, copyCell(cell));
    else mergeCell(known, cell);
    if (folded !== "") {
      losses.foldedSpans.set(folded, (losses.foldedSpans.get(folded) ?? 0) + cell.count);
    }
  }
  for (const edge of source.edges.values()) {
    const into = edgeOf(target, idOf(edge.caller).id, idOf(edge.callee).id);
    if (into === undefined) losses.droppedCalls += edge.cell.count;
    else mergeEdgeCell(into, edge.cell);
  }
  return (sourceId) => idOf(sourceId).id;
}

/** An empty cube for the same window and limits as `like`. */
export function emptyLike(like: Cube, dimensions: readonly string[]): Cube {
  const { keysMax } = like.keys;
  return createCube(like.windowStartMs, dimensions, { keysMax, edgesMax: like.edgesMax });
}

interface Placed {
  readonly id: KeyId;
  /** The last dimension folded, "" when none was. */
  readonly folded: string;
}

function createIdMap(target: KeyTable, source: KeyTable): (sourceId: KeyId) => Placed {
  const columns = target.dimensions.map((name) => source.dimensions.indexOf(name));
  const views = levels.map((level) => viewOf(target, Math.floor(target.keysMax * level.share)));
  const placed = new Map<KeyId, Placed>();
  return (sourceId) => {
    let known = placed.get(sourceId);
    if (known === undefined) {
      const key = keyOf(source, sourceId);
      known = place(
        target,
        views,
        columns.map((column) => (column < 0 ? "" : (key[column] as string))),
      );
      placed.set(sourceId, known);
    }
    return known;
  };
}

/** The same table, taking new keys up to another limit. */
function viewOf(table: KeyTable, keysMax: number): KeyTable {
  const { dimensions, keys, root } = table;
  return { dimensions, keys, root, keysMax, size: keys.length };
}

function place(target: KeyTable, views: readonly KeyTable[], key: CompositeKey): Placed {
  const values = [...key];
  for (const [index, level] of levels.entries()) {
    fold(target.dimensions, values, level);
    const id = intern(views[index] as KeyTable, values);
    if (id !== noKey) return { id, folded: level.name };
  }
  return { id: internOrFold(target, values), folded: "span.kind" };
}

function fold(dimensions: readonly string[], values: string[], level: FoldLevel): void {
  if (level.name === "user") values.fill(overflowValue, builtInDimensions.length);
  for (const name of level.dimensions) {
    const index = dimensions.indexOf(name);
    if (index >= 0) values[index] = overflowValue;
  }
}
