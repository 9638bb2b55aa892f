/**
 * What a window record holds besides its header:
 *
 *   varints spans, errors, rejected, late, unpaired; varint keyDemand
 *   varint count, then { string dimension, varint spans } in ascending order of dimension
 *   the cube, u8 halfEdgeShift, the half-edges
 */
import type { ByteReader, ByteWriter } from "../base/bytes.ts";
import { assert } from "../base/errors.ts";
import { type Cube, type CubeLimits, createCube } from "../sketch/cube.ts";
import { decodeCube, encodeCube } from "../sketch/cube-codec.ts";
import { builtInDimensions, dimensionsMax, isMetricKey } from "../sketch/key.ts";
import { decodeHalfEdges, encodeHalfEdges, type HalfEdge } from "./half-edge.ts";

export interface BatchCounts {
  /** Of the cells: their counts and errors, summed. */
  readonly spans: number;
  readonly errors: number;
  /** Spans refused since the batch before, as their ids were invalid. */
  readonly rejected: number;
  readonly late: number;
  readonly unpaired: number;
}

/** How many spans had the value of this dimension folded into `overflowValue`. */
export interface FoldedSpans {
  readonly dimension: string;
  readonly spans: number;
}

export interface WindowContent {
  readonly cube: Cube;
  readonly halfEdges: readonly HalfEdge[];
  /** Half-edges are kept when the top so many bits of their trace's hash are 0. */
  readonly halfEdgeShift: number;
  readonly counts: BatchCounts;
  readonly folded: readonly FoldedSpans[];
  /** Estimate of the distinct keys there would be without a limit. */
  readonly keyDemand: number;
}

export interface BatchLimits extends CubeLimits {
  readonly halfEdgesMax: number;
}

const textSizeMax = 1024;
const shiftMax = 32;

export function encodeWindowContent(writer: ByteWriter, content: WindowContent): void {
  writeCounts(writer, content);
  const places = encodeCube(writer, content.cube);
  writer.u8(content.halfEdgeShift);
  const { windowStartMs } = content.cube;
  encodeHalfEdges(writer, content.halfEdges, { places, windowStartMs });
}

/** The content; what does not hold together is rejected at the reader. */
export function decodeWindowContent(
  reader: ByteReader,
  windowLengthMs: number,
  limits: BatchLimits,
): WindowContent {
  const counts = readCounts(reader);
  const keyDemand = reader.varint();
  const folded = readFolded(reader);
  const cube = readCube(reader, limits);
  const { windowStartMs } = cube;
  if (windowStartMs % windowLengthMs !== 0) {
    reader.reject(`window starts at ${windowStartMs}, no multiple of ${windowLengthMs} ms`);
  }
  checkCounts(reader, counts, cube);
  const halfEdgeShift = reader.u8();
  if (halfEdgeShift > shiftMax) {
    reader.reject(`has a half-edge shift of ${halfEdgeShift}, at most ${shiftMax}`);
  }
  const context = { keys: cube.keys.size, windowStartMs, countMax: limits.halfEdgesMax };
  const halfEdges = reader.problem === undefined ? decodeHalfEdges(reader, context) : [];
  checkMetrics(reader, cube, halfEdges);
  return { counts, keyDemand, folded, cube, halfEdgeShift, halfEdges };
}

function writeCounts(writer: ByteWriter, content: WindowContent): void {
  const { spans, errors, rejected, late, unpaired } = content.counts;
  for (const count of [spans, errors, rejected, late, unpaired, content.keyDemand]) {
    writeCount(writer, count);
  }
  const folded = [...content.folded].sort((a, b) => (a.dimension < b.dimension ? -1 : 1));
  writer.varint(folded.length);
  for (const { dimension, spans: count } of folded) {
    writer.string(dimension);
    writeCount(writer, count);
  }
}

function readCounts(reader: ByteReader): BatchCounts {
  const counts: BatchCounts = {
    spans: reader.varint(),
    errors: reader.varint(),
    rejected: reader.varint(),
    late: reader.varint(),
    unpaired: reader.varint(),
  };
  if (counts.errors > counts.spans) {
    reader.reject(`has ${counts.errors} errors in ${counts.spans} spans`);
  }
  return counts;
}

function readFolded(reader: ByteReader): FoldedSpans[] {
  const count = reader.varint();
  if (count > dimensionsMax) {
    reader.reject(`folds ${count} dimensions, at most ${dimensionsMax}`);
    return [];
  }
  const folded: FoldedSpans[] = [];
  for (let at = 0; at < count && reader.problem === undefined; at++) {
    const dimension = readText(reader, "dimension");
    const before = folded.at(-1)?.dimension;
    if (before !== undefined && before >= dimension) {
      reader.reject("folded dimensions are not in ascending order");
    }
    folded.push({ dimension, spans: reader.varint() });
  }
  return folded;
}

function readCube(reader: ByteReader, limits: CubeLimits): Cube {
  if (reader.problem === undefined) {
    const decoded = decodeCube(reader, limits);
    if (decoded.ok) return decoded.value;
    reader.reject(decoded.error.message);
  }
  return createCube(0, builtInDimensions, { keysMax: 0, edgesMax: 0 });
}

/** The ledger counts by the header, the windows by the cells, so both must say the same. */
function checkCounts(reader: ByteReader, counts: BatchCounts, cube: Cube): void {
  let spans = 0;
  let errors = 0;
  for (const cell of cube.cells.values()) {
    spans += cell.count;
    errors += cell.errors;
  }
  if (spans !== counts.spans || errors !== counts.errors) {
    reader.reject(
      `says ${counts.spans} spans and ${counts.errors} errors, its cells ${spans} and ${errors}`,
    );
  }
}

/** Metrics have values and no spans: who counted them in would count what nobody did. */
function checkMetrics(reader: ByteReader, cube: Cube, halfEdges: readonly HalfEdge[]): void {
  const { keys, cells, edges } = cube;
  const metrics = new Set<number>();
  for (const [id, key] of keys.keys.entries()) if (isMetricKey(key)) metrics.add(id);
  if (metrics.size === 0) return;
  for (const id of metrics) {
    const row = cells.rowOf(id);
    if (row >= 0 && cells.countOf(row) > 0) reader.reject("has spans under a metric's key");
  }
  const isNamed =
    halfEdges.some(({ key }) => metrics.has(key)) ||
    Array.from({ length: edges.size }, (_, row) => row).some(
      (row) => metrics.has(edges.callerOf(row)) || metrics.has(edges.calleeOf(row)),
    );
  if (isNamed) reader.reject("has a call of a metric");
}

/** A text of the header or the content. */
export function readText(reader: ByteReader, name: string): string {
  const text = reader.string();
  if (text.length > textSizeMax) {
    reader.reject(`has a ${name} of ${text.length} characters, at most ${textSizeMax}`);
    return "";
  }
  return text;
}

export function writeCount(writer: ByteWriter, value: number): void {
  assert(Number.isSafeInteger(value) && value >= 0, `a count is a whole number, not ${value}`);
  writer.varint(value);
}
