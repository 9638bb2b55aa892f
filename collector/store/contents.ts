/**
 * The content of a window, whole: to blocks and back. In its canonical form the ids of the keys
 * are their places in ascending order, so equal contents give equal blocks.
 */
import { ok, type Result } from "../../base/result.ts";
import { type Cube, createCube, edgeName } from "../../sketch/cube.ts";
import { builtInDimensions, compareKeys, intern, type KeyId, keyOf } from "../../sketch/key.ts";
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

/** The same contents in canonical form; the cells are those of the source, not copies. */
export function canonicalContents(source: WindowContents): WindowContents {
  const { cube } = source;
  const ids = cube.keys.keys.map((_, id) => id);
  ids.sort((a, b) => compareKeys(keyOf(cube.keys, a), keyOf(cube.keys, b)));
  const places = new Uint32Array(ids.length);
  const keysMax = Math.max(cube.keys.keysMax, ids.length);
  const { edgesMax, windowStartMs } = cube;
  const sorted = createCube(windowStartMs, cube.keys.dimensions, { keysMax, edgesMax });
  for (const [place, id] of ids.entries()) {
    places[id] = intern(sorted.keys, keyOf(cube.keys, id));
    const cell = cube.cells.get(id);
    if (cell !== undefined) sorted.cells.set(place, cell);
  }
  const edges = [...cube.edges.values()].map(({ caller, callee, cell }) => ({
    caller: places[caller] as number,
    callee: places[callee] as number,
    cell,
  }));
  edges.sort((a, b) => a.caller - b.caller || a.callee - b.callee);
  for (const edge of edges) sorted.edges.set(edgeName(edge.caller, edge.callee), edge);
  const halfEdges = source.halfEdges
    .map((half) => ({ ...half, key: places[half.key] as number }))
    .sort(compareHalfEdges);
  return { cube: sorted, halfEdges };
}

/** The blocks of contents in canonical form. */
export function encodeContents({ cube, halfEdges }: WindowContents): Block[] {
  const { dimensions, keys } = cube.keys;
  const blocks: Block[] = [];
  for (let at = 0; at < keys.length; at += blockKeysMax) {
    const cells = keys
      .slice(at, at + blockKeysMax)
      .map((key, index) => ({ key, cell: cube.cells.get(at + index) }));
    blocks.push(encodeCells(dimensions, cells, at));
  }
  const edges = [...cube.edges.values()];
  for (let at = 0; at < edges.length; at += blockKeysMax) {
    const part = edges.slice(at, at + blockKeysMax).map(({ caller, callee, cell }) => ({
      caller: keyOf(cube.keys, caller),
      callee: keyOf(cube.keys, callee),
      cell,
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
      const cell = part.cells.get(index);
      if (cell !== undefined) cube.cells.set(id, cell);
    }
    return ok(undefined);
  }

  #addEdges(bytes: Uint8Array): Result<undefined> {
    const decoded = decodeEdges(bytes);
    if (!decoded.ok) return decoded;
    const part = decoded.value;
    const cube = this.#cubeLike(part);
    for (const { caller, callee, cell } of part.edges.values()) {
      const from = intern(cube.keys, keyOf(part.keys, caller));
      const to = intern(cube.keys, keyOf(part.keys, callee));
      cube.edges.set(edgeName(from, to), { caller: from, callee: to, cell });
    }
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
