/**
 * All cells and edges of one window, under one key table. Merging cubes is associative and
 * commutative while the limits hold; past them what is folded depends on the order, and the outcome
 * says how much it was.
 *
 * As bytes: version, window start, keys, cells, edges, all in the order of the keys, so that equal
 * cubes have equal bytes whatever order their keys were interned in.
 */
import type { ByteReader, ByteWriter } from "../base/bytes.ts";
import { assert } from "../base/errors.ts";
import { ok, type Result, refuse } from "../base/result.ts";
import {
  type Cell,
  copyCell,
  createCell,
  createEdgeCell,
  decodeCell,
  decodeEdgeCell,
  type EdgeCell,
  encodeCell,
  encodeEdgeCell,
  mergeCell,
  mergeEdgeCell,
} from "./cell.ts";
import {
  compareKeys,
  createKeyTable,
  foldedKeysMax,
  intern,
  internOrFold,
  type KeyId,
  type KeyTable,
  keyOf,
} from "./key.ts";
import { decodeKeys, encodeKeys } from "./key-codec.ts";

export const cubeVersion = 1;

export interface CubeLimits {
  readonly keysMax: number;
  readonly edgesMax: number;
}

export interface CubeEdge {
  readonly caller: KeyId;
  readonly callee: KeyId;
  readonly cell: EdgeCell;
}

export interface Cube {
  readonly windowStartMs: number;
  readonly keys: KeyTable;
  readonly cells: Map<KeyId, Cell>;
  /** By caller and callee; see `edgeName`. */
  readonly edges: Map<string, CubeEdge>;
  readonly edgesMax: number;
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
    cells: new Map(),
    edges: new Map(),
    edgesMax: limits.edgesMax,
  };
}

/** The cell of a key of `cube.keys`, new if need be. */
export function cellOf(cube: Cube, key: KeyId): Cell {
  let cell = cube.cells.get(key);
  if (cell === undefined) {
    cell = createCell();
    cube.cells.set(key, cell);
  }
  return cell;
}

/** The edge between two keys of the cube, new if need be; undefined when there are `edgesMax`. */
export function edgeOf(cube: Cube, caller: KeyId, callee: KeyId): EdgeCell | undefined {
  const name = edgeName(caller, callee);
  const known = cube.edges.get(name);
  if (known !== undefined) return known.cell;
  if (cube.edges.size >= cube.edgesMax) return undefined;
  const cell = createEdgeCell();
  cube.edges.set(name, { caller, callee, cell });
  return cell;
}

/** The name an edge has in `cube.edges`. */
export function edgeName(caller: KeyId, callee: KeyId): string {
  return `${caller}>${callee}`;
}

/** Merges `source` into `target`, which has the same dimensions; `source` stays as it was. */
export function mergeCube(target: Cube, source: Cube): MergeOutcome {
  assert(
    target.keys.dimensions.length === source.keys.dimensions.length &&
      target.keys.dimensions.every((name, index) => name === source.keys.dimensions[index]),
    "merged cubes have the same dimensions",
  );
  const outcome: MergeOutcome = { foldedSpans: 0, droppedCalls: 0 };
  const ids = new Map<KeyId, KeyId>();
  const idOf = (id: KeyId): KeyId => {
    let known = ids.get(id);
    if (known === undefined) {
      known = internOrFold(target.keys, keyOf(source.keys, id));
      ids.set(id, known);
    }
    return known;
  };
  for (const [id, cell] of source.cells) mergeInto(target, idOf(id), cell);
  for (const edge of source.edges.values()) {
    const into = edgeOf(target, idOf(edge.caller), idOf(edge.callee));
    if (into === undefined) outcome.droppedCalls += edge.cell.count;
    else mergeEdgeCell(into, edge.cell);
  }
  for (const [id, cell] of source.cells) {
    if (isFolded(target, idOf(id), source, id)) outcome.foldedSpans += cell.count;
  }
  return outcome;
}

function mergeInto(target: Cube, id: KeyId, cell: Cell): void {
  const known = target.cells.get(id);
  if (known === undefined) target.cells.set(id, copyCell(cell));
  else mergeCell(known, cell);
}

function isFolded(target: Cube, id: KeyId, source: Cube, sourceId: KeyId): boolean {
  const before = keyOf(source.keys, sourceId);
  return keyOf(target.keys, id).some((value, index) => value !== before[index]);
}

/** Writes a cube; returns, by KeyId, the id each key has in what `decodeCube` gives. */
export function encodeCube(writer: ByteWriter, cube: Cube): Uint32Array {
  const { dimensions, keys } = cube.keys;
  writer.u8(cubeVersion);
  writer.varint(cube.windowStartMs);
  const ids = keys.map((_, id) => id);
  ids.sort((a, b) => compareKeys(keyOf(cube.keys, a), keyOf(cube.keys, b)));
  const places = new Uint32Array(keys.length);
  ids.forEach((id, place) => {
    places[id] = place;
  });
  encodeKeys(
    writer,
    dimensions,
    ids.map((id) => keyOf(cube.keys, id)),
  );
  writer.varint(cube.cells.size);
  let next = 0;
  for (const id of ids) {
    const cell = cube.cells.get(id);
    if (cell === undefined) continue;
    const place = places[id] as number;
    writer.varint(place - next);
    encodeCell(writer, cell);
    next = place + 1;
  }
  writeEdges(writer, cube, places);
  return places;
}

/** Reads a cube whose keys and edges keep within `limits`, or refuses it. */
export function decodeCube(reader: ByteReader, limits: CubeLimits): Result<Cube> {
  const cube = readCube(reader, limits);
  if (cube === undefined || reader.problem !== undefined) {
    return refuse("SKETCH_INVALID", reader.problem ?? "cube is malformed");
  }
  return ok(cube);
}

function readCube(reader: ByteReader, limits: CubeLimits): Cube | undefined {
  const version = reader.u8();
  if (version !== cubeVersion) reader.reject(`cube version is ${version}, not ${cubeVersion}`);
  const windowStartMs = reader.varint();
  const { dimensions, keys } = decodeKeys(reader, limits.keysMax + foldedKeysMax + 1);
  if (reader.problem !== undefined) return undefined;
  const cube = createCube(windowStartMs, dimensions, {
    keysMax: Math.max(limits.keysMax, keys.length),
    edgesMax: limits.edgesMax,
  });
  for (const key of keys) intern(cube.keys, key);
  readCells(reader, cube);
  readEdges(reader, cube);
  return cube;
}

function readCells(reader: ByteReader, cube: Cube): void {
  const count = reader.varint();
  let next = 0;
  for (let at = 0; at < count && reader.problem === undefined; at++) {
    const id = next + reader.varint();
    if (id >= cube.keys.size) reader.reject(`cube has a cell for key ${id} of ${cube.keys.size}`);
    const cell = decodeCell(reader);
    if (!cell.ok) return;
    cube.cells.set(id, cell.value);
    next = id + 1;
  }
}

function writeEdges(writer: ByteWriter, cube: Cube, places: Uint32Array): void {
  const place = (id: KeyId): number => places[id] as number;
  const edges = [...cube.edges.values()].sort(
    (a, b) => place(a.caller) - place(b.caller) || place(a.callee) - place(b.callee),
  );
  writer.varint(edges.length);
  for (const edge of edges) {
    writer.varint(place(edge.caller));
    writer.varint(place(edge.callee));
    encodeEdgeCell(writer, edge.cell);
  }
}

function readEdges(reader: ByteReader, cube: Cube): void {
  const count = reader.varint();
  if (count > cube.edgesMax) {
    reader.reject(`cube claims ${count} edges, at most ${cube.edgesMax}`);
  }
  let before: CubeEdge | undefined;
  for (let at = 0; at < count && reader.problem === undefined; at++) {
    const caller = reader.varint();
    const callee = reader.varint();
    if (caller >= cube.keys.size || callee >= cube.keys.size) {
      reader.reject(`cube has an edge of keys ${caller} and ${callee} of ${cube.keys.size}`);
    }
    if (before !== undefined && (before.caller - caller || before.callee - callee) >= 0) {
      reader.reject("cube edges are not in ascending order");
    }
    const cell = decodeEdgeCell(reader);
    if (!cell.ok) return;
    before = { caller, callee, cell: cell.value };
    cube.edges.set(edgeName(caller, callee), before);
  }
}
