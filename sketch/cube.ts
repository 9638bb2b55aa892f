/**
 * All cells and edges of one window, under one key table. Merging cubes is associative and
 * commutative while the limits hold; past them what is folded depends on the order, and the outcome
 * says how much it was.
 */
import { assert } from "../base/errors.ts";
import type { Cell, EdgeCell } from "./cell.ts";
import { CellTable } from "./cell-table.ts";
import { EdgeTable } from "./edge-table.ts";
import { createKeyTable, internOrFold, type KeyId, type KeyTable, keyOf } from "./key.ts";

export interface CubeLimits {
  readonly keysMax: number;
  readonly edgesMax: number;
}

export interface Cube {
  readonly windowStartMs: number;
  readonly keys: KeyTable;
  readonly cells: CellTable;
  readonly edges: EdgeTable;
}

/** What a merge could not keep apart. */
export interface MergeOutcome {
  /** Spans whose key was folded because the target's table is full. */
  foldedSpans: number;
  /** Calls whose edge was left out because the target has `edgesMax`. */
  droppedCalls: number;
}

export function createCube(
  windowStartMs: number,
  dimensions: readonly string[],
  limits: CubeLimits,
): Cube {
  return {
    windowStartMs,
    keys: createKeyTable(dimensions, limits),
    cells: new CellTable(),
    edges: new EdgeTable(limits.edgesMax),
  };
}

/** Merges a cell into that of a key of `cube.keys`; the cell stays as it was. */
export function addCell(cube: Cube, key: KeyId, cell: Cell): void {
  cube.cells.mergeCell(cube.cells.rowFor(key), cell);
}

/** Merges an edge between two keys of the cube; false when there are as many as there may be. */
export function addEdge(
  cube: Cube,
  ends: { caller: KeyId; callee: KeyId },
  edge: EdgeCell,
): boolean {
  const row = cube.edges.rowFor(ends.caller, ends.callee);
  if (row >= 0) cube.edges.mergeCell(row, edge);
  return row >= 0;
}

/** Merges `source` into `target`, which has the same dimensions; `source` stays as it was. */
export function mergeCube(target: Cube, source: Cube): MergeOutcome {
  assert(
    target.keys.dimensions.length === source.keys.dimensions.length &&
      target.keys.dimensions.every((name, index) => name === source.keys.dimensions[index]),
    "merged cubes have the same dimensions",
  );
  const outcome: MergeOutcome = { foldedSpans: 0, droppedCalls: 0 };
  const ids = source.keys.keys.map((key) => internOrFold(target.keys, key));
  const idOf = (id: KeyId): KeyId => ids[id] as KeyId;
  for (let row = 0; row < source.cells.size; row++) {
    const sourceId = source.cells.keyOf(row);
    const id = idOf(sourceId);
    target.cells.merge(target.cells.rowFor(id), source.cells, row);
    if (isFolded(target, id, source, sourceId)) {
      outcome.foldedSpans += source.cells.countOf(row);
    }
  }
  mergeEdges(target.edges, source.edges, {
    idOf,
    drop: (calls) => (outcome.droppedCalls += calls),
  });
  return outcome;
}

/** Merges edges under other key ids; `drop` is told of calls for which there was no room. */
export function mergeEdges(
  target: EdgeTable,
  source: EdgeTable,
  how: { idOf(id: KeyId): KeyId; drop(calls: number): void },
): void {
  for (let row = 0; row < source.size; row++) {
    const into = target.rowFor(how.idOf(source.callerOf(row)), how.idOf(source.calleeOf(row)));
    if (into < 0) how.drop(source.countOf(row));
    else target.merge(into, source, row);
  }
}

function isFolded(target: Cube, id: KeyId, source: Cube, sourceId: KeyId): boolean {
  const before = keyOf(source.keys, sourceId);
  return keyOf(target.keys, id).some((value, index) => value !== before[index]);
}
