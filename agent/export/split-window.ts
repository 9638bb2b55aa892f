/**
 * Cuts a window into parts that are windows themselves: each key's cell, each edge and each half-edge
 * is in one of them, so merging them gives the window back exactly. What the window says besides
 * goes with the first part.
 */
import type { Cell } from "../../sketch/cell.ts";
import { type Cube, createCube, edgeName } from "../../sketch/cube.ts";
import { intern, type KeyId, keyOf } from "../../sketch/key.ts";
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
  const keysMax = cube.keys.size;
  const part = createCube(cube.windowStartMs, cube.keys.dimensions, {
    keysMax,
    edgesMax: cube.edgesMax,
  });
  const idOf = (id: KeyId): KeyId => intern(part.keys, keyOf(cube.keys, id));
  for (const [id, cell] of shareOf([...cube.cells], share)) part.cells.set(idOf(id), cell);
  for (const edge of shareOf([...cube.edges.values()], share)) {
    const caller = idOf(edge.caller);
    const callee = idOf(edge.callee);
    part.edges.set(edgeName(caller, callee), { caller, callee, cell: edge.cell });
  }
  const halfEdges = shareOf(window.halfEdges, share).map((half) => ({
    ...half,
    key: idOf(half.key),
  }));
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

function shareOf<T>(items: readonly T[], { index, count }: Share): T[] {
  const start = Math.floor((items.length * index) / count);
  return items.slice(start, Math.floor((items.length * (index + 1)) / count));
}

function countsOf(whole: BatchCounts, cube: Cube, isFirst: boolean): BatchCounts {
  const sum = (count: (cell: Cell) => number): number => {
    let total = 0;
    for (const cell of cube.cells.values()) total += count(cell);
    return total;
  };
  const { rejected, late, unpaired } = whole;
  return {
    spans: sum((cell) => cell.count),
    errors: sum((cell) => cell.errors),
    ...(isFirst ? { rejected, late, unpaired } : { rejected: 0, late: 0, unpaired: 0 }),
  };
}
