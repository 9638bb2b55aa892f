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
import type { CellTable } from "../../sketch/cell-table.ts";
import { type Cube, createCube } from "../../sketch/cube.ts";
import { decodeCube, encodeCube } from "../../sketch/cube-codec.ts";
import type { EdgeTable } from "../../sketch/edge-table.ts";
import { type CompositeKey, intern } from "../../sketch/key.ts";
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

/** A row of somebody's table; nothing is copied before it is written. */
export interface CellRow {
  readonly cells: CellTable;
  readonly row: number;
  /** Customers hashed under another key say nothing about these. */
  readonly isForeign: boolean;
}

export interface EdgeRow {
  readonly edges: EdgeTable;
  readonly row: number;
}

/** What is merged under a key; nothing for one that only edges or half-edges name. */
export interface KeyedCell {
  readonly key: CompositeKey;
  readonly rows: readonly CellRow[];
}

export interface KeyedEdge {
  readonly caller: CompositeKey;
  readonly callee: CompositeKey;
  readonly rows: readonly EdgeRow[];
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
  const cube = createCube(0, dimensions, limits);
  for (const [id, { key, rows }] of cells.entries()) {
    // In order already, so no table has to be searched.
    cube.keys.keys.push(key);
    for (const row of rows) addCellRow(cube.cells, id, row);
  }
  const writer = createByteWriter();
  writer.varint(firstPlace);
  encodeCube(writer, cube);
  const [first = [], last = []] = [cells[0]?.key, cells.at(-1)?.key];
  return { kind: "keys", first, last, count: cells.length, bytes: writer.finish() };
}

function addCellRow(into: CellTable, id: number, { cells, row, isForeign }: CellRow): void {
  const target = into.rowFor(id);
  if (isForeign) into.mergeWithoutCustomers(target, cells, row);
  else into.merge(target, cells, row);
}

/** Edges in ascending order of caller, then callee. */
export function encodeEdges(dimensions: readonly string[], edges: readonly KeyedEdge[]): Block {
  const cube = createCube(0, dimensions, limits);
  for (const { caller, callee, rows } of edges) {
    const target = cube.edges.rowFor(intern(cube.keys, caller), intern(cube.keys, callee));
    for (const { edges: from, row } of rows) cube.edges.merge(target, from, row);
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
