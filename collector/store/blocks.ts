/**
 * The content of a window as blocks that stand alone: each opens, checks and reads by itself, so a
 * damaged one costs its keys and no others, and a scan reads only those whose keys it wants.
 *
 *   keys        at most `blockKeysMax` keys in ascending order, with their cells, as a cube
 *   edges       at most `blockKeysMax` edges in the order of caller, then callee, as a cube
 *   half-edges  at most `blockHalfEdgesMax`, naming keys by their place in the whole window
 */
import { createByteReader, createByteWriter } from "../../base/bytes.ts";
import { ok, type Result } from "../../base/result.ts";
import type { Cell, EdgeCell } from "../../sketch/cell.ts";
import { type Cube, createCube, decodeCube, edgeName, encodeCube } from "../../sketch/cube.ts";
import { type CompositeKey, intern, type KeyTable } from "../../sketch/key.ts";
import type { HalfEdgeInWindow } from "../decide.ts";
import { encodeHalfEdges } from "./half-edges.ts";

export type BlockKind = "keys" | "edges" | "halfEdges";

export interface BlockEntry {
  readonly kind: BlockKind;
  /** First and last key; of edges first and last caller; [] for half-edges. */
  readonly first: CompositeKey;
  readonly last: CompositeKey;
  /** Keys, edges or half-edges inside. */
  readonly count: number;
}

export interface Block extends BlockEntry {
  readonly bytes: Uint8Array;
}

/** Of a key that only edges or half-edges name there is no cell. */
export interface KeyedCell {
  readonly key: CompositeKey;
  readonly cell: Cell | undefined;
}

export interface KeyedEdge {
  readonly caller: CompositeKey;
  readonly callee: CompositeKey;
  readonly cell: EdgeCell;
}

export const blockKeysMax = 512;
export const blockHalfEdgesMax = 4_096;
const limits = { keysMax: 2 * blockKeysMax, edgesMax: blockKeysMax };

/** Cells in ascending order of their keys; `firstPlace` is the place of the first in the window. */
export function encodeCells(
  dimensions: readonly string[],
  cells: readonly KeyedCell[],
  firstPlace: number,
): Block {
  const keys = cells.map(({ key }) => key);
  const cube = {
    ...createCube(0, dimensions, limits),
    keys: sortedTable(dimensions, keys),
  };
  for (const [id, { cell }] of cells.entries()) if (cell !== undefined) cube.cells.set(id, cell);
  const writer = createByteWriter();
  writer.varint(firstPlace);
  encodeCube(writer, cube);
  const [first = [], last = []] = [keys[0], keys.at(-1)];
  return { kind: "keys", first, last, count: cells.length, bytes: writer.finish() };
}

/** A table that is only read from: keys that are sorted already need no index to be written. */
function sortedTable(dimensions: readonly string[], keys: CompositeKey[]): KeyTable {
  return { dimensions, keysMax: keys.length, size: keys.length, keys, root: new Map() };
}

/** Edges in ascending order of caller, then callee. */
export function encodeEdges(dimensions: readonly string[], edges: readonly KeyedEdge[]): Block {
  const cube = createCube(0, dimensions, limits);
  for (const { caller, callee, cell } of edges) {
    const [from, to] = [intern(cube.keys, caller), intern(cube.keys, callee)];
    cube.edges.set(edgeName(from, to), { caller: from, callee: to, cell });
  }
  const writer = createByteWriter();
  encodeCube(writer, cube);
  const [first = [], last = []] = [edges[0]?.caller, edges.at(-1)?.caller];
  return { kind: "edges", first, last, count: edges.length, bytes: writer.finish() };
}

export interface DecodedCells {
  readonly cube: Cube;
  readonly firstPlace: number;
}

export function decodeCells(bytes: Uint8Array): Result<DecodedCells> {
  const reader = createByteReader(bytes);
  const firstPlace = reader.varint();
  const cube = decodeCube(reader, limits);
  return cube.ok ? ok({ cube: cube.value, firstPlace }) : cube;
}

/** A cube with edges and no cells. */
export function decodeEdges(bytes: Uint8Array): Result<Cube> {
  return decodeCube(createByteReader(bytes), limits);
}

/** Half-edges, at most `blockHalfEdgesMax`. */
export function encodeHalves(halfEdges: readonly HalfEdgeInWindow[]): Block {
  const bytes = encodeHalfEdges(halfEdges);
  return { kind: "halfEdges", first: [], last: [], count: halfEdges.length, bytes };
}
