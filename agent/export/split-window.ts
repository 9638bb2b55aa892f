/**
 * Cuts a window into parts that are windows themselves: each key's cell, each edge and each half-edge
 * is in one of them, so merging them gives the window back exactly. What the window says besides
 * goes with the first part.
 */
import { type Cube, createCube } from "../../sketch/cube.ts";
import { intern, type KeyId, keyOf } from "../../sketch/key.ts";
import type { HalfEdge } from "../../wire/half-edge.ts";
import type { BatchCounts, WindowContent } from "../../wire/window-content.ts";

/** At most `count` parts; fewer when there is not so much to part. */
export function splitWindow<T extends WindowContent>(window: T, count: number): T[] {
  const parts: T[] = [];
  for (let index = 0; index < count; index++) {
    const part = partOf(window, { index, count, isFirst: parts.length === 0 });
    const { cells, edges } = part.cube;
    if (cells.size + edges.size + part.halfEdges.length > 0) parts.push(part);
  }
  return parts;
}

interface Share {
  readonly index: number;
  readonly count: number;
  readonly isFirst: boolean;
}

function partOf<T extends WindowContent>(window: T, share: Share): T {
  const { cube } = window;
  const { cells, edges, keys } = cube;
  const part = createCube(cube.windowStartMs, keys.dimensions, {
    keysMax: keys.size,
    edgesMax: edges.rowsMax,
  });
  const idOf = (id: KeyId): KeyId => intern(part.keys, keyOf(keys, id));
  for (const row of rowsOf(cells.size, share)) {
    part.cells.merge(part.cells.rowFor(idOf(cells.keyOf(row))), cells, row);
  }
  for (const row of rowsOf(edges.size, share)) {
    const into = part.edges.rowFor(idOf(edges.callerOf(row)), idOf(edges.calleeOf(row)));
    part.edges.merge(into, edges, row);
  }
  const halfEdges = rowsOf(window.halfEdges.length, share).map((at) => {
    const half = window.halfEdges[at] as HalfEdge;
    return { ...half, key: idOf(half.key) };
  });
  const { isFirst } = share;
  return {
    ...window,
    cube: part,
    halfEdges,
    counts: countsOf(window.counts, part, isFirst),
    folded: isFirst ? window.folded : [],
    keyDemand: isFirst ? window.keyDemand : 0,
  };
}

/** A share of the numbers below `size`. */
function rowsOf(size: number, { index, count }: Share): number[] {
  const start = Math.floor((size * index) / count);
  const end = Math.floor((size * (index + 1)) / count);
  return Array.from({ length: end - start }, (_, at) => start + at);
}

function countsOf(whole: BatchCounts, { cells }: Cube, isFirst: boolean): BatchCounts {
  let [spans, errors] = [0, 0];
  for (let row = 0; row < cells.size; row++) {
    spans += cells.countOf(row);
    errors += cells.errorsOf(row);
  }
  const { rejected, late, unpaired } = whole;
  return {
    spans,
    errors,
    ...(isFirst ? { rejected, late, unpaired } : { rejected: 0, late: 0, unpaired: 0 }),
  };
}
