/**
 * Adds a cube to another whose dimensions may differ and whose table may be full.
 *
 * Dimensions: the built-in ones, then the users' of all sources, sorted, so the order in which
 * agents report does not matter. Folding: as a table fills, new keys lose first the users'
 * dimensions, then version, region and environment, peer, operation; the service and the counts
 * of failed spans are never lost. Below three quarters of the limit nothing is folded. Keys of
 * metrics are never folded, as values of several do not add up: they enter a table until it is half
 * full, and one too many is left out and counted.
 */
import { type Cube, createCube, mergeEdges } from "../../sketch/cube.ts";
import {
  builtInDimensions,
  type CompositeKey,
  dimensionsMax,
  internOrFold,
  internWithin,
  isMetricKey,
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
  droppedMetrics: number;
}

export function createLosses(): Losses {
  return {
    foldedSpans: new Map(),
    droppedCalls: 0,
    droppedHalfEdges: 0,
    droppedDimensions: 0,
    droppedMetrics: 0,
  };
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

/** How full a table may be for another metric's key to enter. */
const metricsShare = 0.5;

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
  const placedAt = createIdMap(target.keys, source.keys);
  const { cells } = source;
  for (let row = 0; row < cells.size; row++) {
    const { id, folded } = placedAt(cells.keyOf(row));
    if (id === noKey) {
      losses.droppedMetrics++;
      continue;
    }
    target.cells.merge(target.cells.rowFor(id), cells, row);
    if (folded !== "") {
      const before = losses.foldedSpans.get(folded) ?? 0;
      losses.foldedSpans.set(folded, before + cells.countOf(row));
    }
  }
  const idOf = (sourceId: KeyId): KeyId => placedAt(sourceId).id;
  mergeEdges(target.edges, source.edges, {
    idOf,
    drop: (calls) => {
      losses.droppedCalls += calls;
    },
  });
  return idOf;
}

/** An empty cube for the same window and limits as `like`. */
export function emptyLike(like: Cube, dimensions: readonly string[]): Cube {
  const { keysMax } = like.keys;
  return createCube(like.windowStartMs, dimensions, { keysMax, edgesMax: like.edges.rowsMax });
}

interface Placed {
  /** `noKey` for a metric that found no room. */
  readonly id: KeyId;
  /** The last dimension folded, "" when none was. */
  readonly folded: string;
}

function createIdMap(target: KeyTable, source: KeyTable): (sourceId: KeyId) => Placed {
  const columns = target.dimensions.map((name) => source.dimensions.indexOf(name));
  const isSame = columns.every((column, index) => column === index);
  const placed: Placed[] = [];
  return (sourceId) => {
    let known = placed[sourceId];
    if (known === undefined) {
      const key = keyOf(source, sourceId);
      known = place(
        target,
        isSame ? key : columns.map((column) => (column < 0 ? "" : (key[column] as string))),
      );
      placed[sourceId] = known;
    }
    return known;
  };
}

function place(target: KeyTable, key: CompositeKey): Placed {
  if (isMetricKey(key)) {
    return { id: internWithin(target, key, target.keysMax * metricsShare), folded: "" };
  }
  const whole = levels[0] as FoldLevel;
  const wholeId = internWithin(target, key, Math.floor(target.keysMax * whole.share));
  if (wholeId !== noKey) return { id: wholeId, folded: whole.name };
  const values = [...key];
  for (const level of levels) {
    fold(target.dimensions, values, level);
    const id = internWithin(target, values, Math.floor(target.keysMax * level.share));
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
