/**
 * A cube as bytes: version, window start, the keys, varint size and so many bits of cells and
 * edges, then varint count and the digests, each behind the varint place of its cell. Cells are in
 * the order of the keys, edges in that of caller and callee, so equal cubes have equal bytes
 * whatever order their keys were interned in.
 *
 *   of each key: 1 bit, whether it has a cell; then of the cell
 *     count, errors, slow (gamma); origin errors and origin slow where there are any (gamma)
 *     1 bit, whether the adjusted count is another than the count; then that (wide)
 *     durations; 1 bit, whether the self times are the same; else how many fewer (gamma), and they
 *     2 bits: no customers, a list of them, or sketches; see `CustomerColumn`
 *   of each edge, their number first (gamma):
 *     caller less the one before (gamma); callee less the one before less one (gamma), or, of
 *     another caller, as it is; count, errors, calls without gap (gamma), gaps
 */
import { BitReader, BitWriter } from "../base/bits.ts";
import type { ByteReader, ByteWriter } from "../base/bytes.ts";
import { assert } from "../base/errors.ts";
import { ok, type Result, refuse } from "../base/result.ts";
import { readCell, writeCell } from "./cell-codec.ts";
import { type Cube, type CubeLimits, createCube } from "./cube.ts";
import { decodeDigest, encodeDigest } from "./digest-codec.ts";
import type { EdgeTable } from "./edge-table.ts";
import { readHistogram, writeHistogram } from "./histogram-column-codec.ts";
import { foldedKeysMax, type KeyId } from "./key.ts";
import { decodeKeys, type EncodedKeys, encodeKeys } from "./key-codec.ts";

export const cubeVersion = 1;

/** Writes a cube; returns, by KeyId, the id each key has in what `decodeCube` gives. */
export function encodeCube(writer: ByteWriter, cube: Cube): Uint32Array {
  writer.u8(cubeVersion);
  writer.varint(cube.windowStartMs);
  const keys = encodeKeys(writer, cube.keys);
  const bits = new BitWriter();
  for (const id of keys.order) {
    const row = cube.cells.rowOf(id);
    bits.bits(row < 0 ? 0 : 1, 1);
    if (row >= 0) writeCell(bits, cube.cells, row);
  }
  writeEdges(bits, cube.edges, keys);
  const bytes = bits.finish();
  writer.varint(bytes.length);
  writer.bytes(bytes);
  writeDigests(writer, cube, keys);
  return keys.places;
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
  if (reader.problem !== undefined) return undefined;
  const { dimensions, keys } = decodeKeys(reader, limits.keysMax + foldedKeysMax + 1);
  const bits = new BitReader(reader.bytes(reader.varint()));
  if (reader.problem !== undefined) return undefined;
  const cube = createCube(windowStartMs, dimensions, {
    keysMax: Math.max(limits.keysMax, keys.length),
    edgesMax: limits.edgesMax,
  });
  // Ascending, so no two are equal.
  for (const key of keys) cube.keys.keys.push(key);
  for (let id = 0; id < keys.length && bits.problem === undefined; id++) {
    if (bits.bits(1) === 1) readCell(bits, cube.cells, cube.cells.rowFor(id));
    if (bits.remaining < 0) break;
  }
  readEdges(bits, cube);
  bits.checkEnd();
  if (bits.problem !== undefined) reader.reject(`cube ${bits.problem}`);
  else readDigests(reader, cube);
  return cube;
}

function writeEdges(bits: BitWriter, edges: EdgeTable, { places }: EncodedKeys): void {
  const rows = Array.from({ length: edges.size }, (_, row) => ({
    row,
    caller: places[edges.callerOf(row)] as number,
    callee: places[edges.calleeOf(row)] as number,
  })).sort((a, b) => a.caller - b.caller || a.callee - b.callee);
  bits.gamma(rows.length);
  let before = { caller: 0, callee: -1 };
  for (const { row, caller, callee } of rows) {
    bits.gamma(caller - before.caller);
    if (caller === before.caller) bits.gamma(callee - before.callee - 1);
    else bits.upTo(callee, places.length - 1);
    const [count, errors] = [edges.countOf(row), edges.errorsOf(row)];
    bits.gamma(count);
    bits.gamma(errors);
    assert(edges.gaps.countOf(row) <= count, "an edge has no more gaps than calls");
    bits.gamma(count - edges.gaps.countOf(row));
    writeHistogram(bits, edges.gaps, row);
    before = { caller, callee };
  }
}

function readEdges(bits: BitReader, cube: Cube): void {
  const { edges, keys } = cube;
  const size = bits.gamma();
  if (size > edges.rowsMax) bits.reject(`claims ${size} edges, at most ${edges.rowsMax}`);
  let caller: KeyId = 0;
  let callee: KeyId = -1;
  for (let at = 0; at < size && bits.problem === undefined; at++) {
    const step = bits.gamma();
    caller += step;
    callee = step === 0 ? callee + 1 + bits.gamma() : bits.upTo(keys.size - 1);
    if (caller >= keys.size || callee >= keys.size) {
      bits.reject(`has an edge of keys ${caller} and ${callee} of ${keys.size}`);
    }
    const count = bits.gamma();
    const errors = bits.gamma();
    const without = bits.gamma();
    if (errors > count) bits.reject(`edge errors ${errors} exceeds ${count}`);
    if (without > count) bits.reject(`edge without gap ${without} exceeds ${count}`);
    if (bits.remaining < 0) bits.reject("ends within an edge");
    if (bits.problem !== undefined) return;
    const row = edges.append(caller, callee);
    edges.addCalls(row, count, errors);
    readHistogram(bits, edges.gaps, { row, count: count - without });
  }
}

function writeDigests(writer: ByteWriter, cube: Cube, { places }: EncodedKeys): void {
  const digests = [...cube.cells.digests]
    .map(([row, digest]) => ({ place: places[cube.cells.keyOf(row)] as number, digest }))
    .sort((a, b) => a.place - b.place);
  writer.varint(digests.length);
  for (const { place, digest } of digests) {
    writer.varint(place);
    encodeDigest(writer, digest);
  }
}

function readDigests(reader: ByteReader, { cells, keys }: Cube): void {
  const count = reader.varint();
  let before = -1;
  for (let at = 0; at < count && reader.problem === undefined; at++) {
    const key = reader.varint();
    const row = key < keys.size ? cells.rowOf(key) : -1;
    if (row < 0) reader.reject(`cube has values for key ${key}, which has no cell`);
    if (key <= before) reader.reject("cube values are not in ascending order");
    const digest = decodeDigest(reader);
    if (reader.problem === undefined) cells.digests.set(row, digest);
    before = key;
  }
}
