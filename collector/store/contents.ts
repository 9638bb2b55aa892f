/**
 * The content of a window, whole: to blocks and back. In its canonical form the ids of the keys
 * are their places in ascending order, so equal contents give equal blocks.
 */
import { ok, type Result } from "../../base/result.ts";
import { type Cube, createCube, mergeEdges } from "../../sketch/cube.ts";
import { builtInDimensions, intern, type KeyId, keyOf } from "../../sketch/key.ts";
import { rankKeys } from "../../sketch/key-ranks.ts";
import type { HalfEdgeInWindow } from "../decide.ts";
import {
  type Block,
  type BlockKind,
  blockHalfEdgesMax,
  blockKeysMax,
  decodeCells,
  decodeEdges,
  encodeCells,
  encodeEdges,
  encodeHalves,
} from "./blocks.ts";
import { compareHalfEdges, decodeHalfEdges } from "./half-edges.ts";

export interface WindowContents {
  readonly cube: Cube;
  readonly halfEdges: readonly HalfEdgeInWindow[];
}

/** What was stored under other limits is still read. */
const storedLimits = { keysMax: 2 ** 22, edgesMax: 2 ** 22 };

/** The same contents in canonical form. */
export function canonicalContents(source: WindowContents): WindowContents {
  const { keys, cells, edges, windowStartMs } = source.cube;
  const { order } = rankKeys(keys);
  const places = new Uint32Array(order.length);
  const sorted = createCube(windowStartMs, keys.dimensions, {
    keysMax: Math.max(keys.keysMax, order.length),
    edgesMax: edges.rowsMax,
  });
  for (const [place, id] of order.entries()) {
    places[id] = place;
    sorted.keys.keys.push(keyOf(keys, id));
    const row = cells.rowOf(id);
    if (row >= 0) sorted.cells.merge(sorted.cells.rowFor(place), cells, row);
  }
  const ends = Array.from({ length: edges.size }, (_, row) => ({
    row,
    caller: places[edges.callerOf(row)] as number,
    callee: places[edges.calleeOf(row)] as number,
  })).sort((a, b) => a.caller - b.caller || a.callee - b.callee);
  for (const { row, caller, callee } of ends) {
    sorted.edges.merge(sorted.edges.append(caller, callee), edges, row);
  }
  const halfEdges = source.halfEdges
    .map((half) => ({ ...half, key: places[half.key] as number }))
    .sort(compareHalfEdges);
  return { cube: sorted, halfEdges };
}

/** The blocks of contents in canonical form. */
export function encodeContents({ cube, halfEdges }: WindowContents): Block[] {
  const { cells, edges } = cube;
  const { dimensions, keys } = cube.keys;
  const blocks: Block[] = [];
  for (let at = 0; at < keys.length; at += blockKeysMax) {
    const part = keys.slice(at, at + blockKeysMax).map((key, index) => {
      const row = cells.rowOf(at + index);
      return { key, rows: row < 0 ? [] : [{ cells, row, isForeign: false }] };
    });
    blocks.push(encodeCells(dimensions, part, at));
  }
  for (let at = 0; at < edges.size; at += blockKeysMax) {
    const count = Math.min(blockKeysMax, edges.size - at);
    const part = Array.from({ length: count }, (_, index) => ({
      caller: keyOf(cube.keys, edges.callerOf(at + index)),
      callee: keyOf(cube.keys, edges.calleeOf(at + index)),
      rows: [{ edges, row: at + index }],
    }));
    blocks.push(encodeEdges(dimensions, part));
  }
  for (let at = 0; at < halfEdges.length; at += blockHalfEdgesMax) {
    blocks.push(encodeHalves(halfEdges.slice(at, at + blockHalfEdgesMax)));
  }
  return blocks;
}

/** Contents put together from blocks in their order; some may be missing. */
export class ContentsReader {
  readonly #windowStartMs: number;
  #cube: Cube | undefined;
  readonly #idByPlace: KeyId[] = [];
  readonly #halfEdges: HalfEdgeInWindow[] = [];

  constructor(windowStartMs: number) {
    this.#windowStartMs = windowStartMs;
  }

  /** Takes a block, or says why it is none; key blocks come before half-edges. */
  add(kind: BlockKind, bytes: Uint8Array): Result<undefined> {
    if (kind === "keys") return this.#addCells(bytes);
    if (kind === "edges") return this.#addEdges(bytes);
    const halfEdges = decodeHalfEdges(bytes, (place) => this.#idByPlace[place]);
    if (!halfEdges.ok) return halfEdges;
    for (const half of halfEdges.value) this.#halfEdges.push(half);
    return ok(undefined);
  }

  #addCells(bytes: Uint8Array): Result<undefined> {
    const decoded = decodeCells(bytes);
    if (!decoded.ok) return decoded;
    const { cube: part, firstPlace } = decoded.value;
    const cube = this.#cubeLike(part);
    for (const [index, key] of part.keys.keys.entries()) {
      const id = intern(cube.keys, key);
      this.#idByPlace[firstPlace + index] = id;
      const row = part.cells.rowOf(index);
      if (row >= 0) cube.cells.merge(cube.cells.rowFor(id), part.cells, row);
    }
    return ok(undefined);
  }

  #addEdges(bytes: Uint8Array): Result<undefined> {
    const decoded = decodeEdges(bytes);
    if (!decoded.ok) return decoded;
    const part = decoded.value;
    const cube = this.#cubeLike(part);
    mergeEdges(cube.edges, part.edges, {
      idOf: (id) => intern(cube.keys, keyOf(part.keys, id)),
      drop: () => {},
    });
    return ok(undefined);
  }

  #cubeLike(part: Cube): Cube {
    this.#cube ??= createCube(this.#windowStartMs, part.keys.dimensions, storedLimits);
    return this.#cube;
  }

  finish(): WindowContents {
    const cube = this.#cube ?? createCube(this.#windowStartMs, builtInDimensions, storedLimits);
    return { cube, halfEdges: this.#halfEdges };
  }
}

/** What the blocks of one window hold. */
export function decodeContents(windowStartMs: number, blocks: readonly Block[]): WindowContents {
  const reader = new ContentsReader(windowStartMs);
  for (const { kind, bytes } of blocks) reader.add(kind, bytes);
  return reader.finish();
}
