/**
 * What an agent ships: one window's cube and half-edges, or a heartbeat that only moves the
 * watermark; either under a stream id and a sequence number.
 *
 *   u8 version, u8 kind (0 heartbeat, 1 window)
 *   16 bytes stream id, varint seq, string agent, varint watermarkMs, string hashKeyId,
 *   varint thresholdsRevision, varint windowLengthMs
 *   varints spans, errors, rejected, late, unpaired; varint keyDemand
 *   varint count, then { string dimension, varint spans } in ascending order of dimension
 *   of a window only: the cube, u8 halfEdgeShift, the half-edges
 *
 * Equal batches give equal bytes, but for key ids: keys come back in sorted order, and half-edges
 * with them. Checksums are the store's and the transport's.
 */
import {
  type ByteReader,
  type ByteWriter,
  createByteReader,
  createByteWriter,
} from "../base/bytes.ts";
import { assert } from "../base/errors.ts";
import { ok, type Result, refuse } from "../base/result.ts";
import type { Cube, CubeLimits } from "../sketch/cube.ts";
import { decodeCube, encodeCube } from "../sketch/cube-codec.ts";
import { dimensionsMax } from "../sketch/key.ts";
import { decodeHalfEdges, encodeHalfEdges, type HalfEdge } from "./half-edge.ts";

export type { HalfEdge };

export interface BatchCounts {
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

export interface SketchBatch {
  readonly kind: "window" | "heartbeat";
  /** 32 lower-case hexadecimal digits. */
  readonly streamId: string;
  /** From 1, without gaps within a stream. */
  readonly seq: number;
  readonly agent: string;
  readonly watermarkMs: number;
  /** Names the key customers are hashed with, without telling it. */
  readonly hashKeyId: string;
  readonly thresholdsRevision: number;
  readonly windowLengthMs: number;
  /** Of a window only. */
  readonly cube: Cube | undefined;
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

export const defaultBatchLimits: BatchLimits = {
  keysMax: 1_000_000,
  edgesMax: 1_000_000,
  halfEdgesMax: 1_000_000,
};

const batchVersion = 1;

const heartbeatKind = 0;
const windowKind = 1;
const streamIdSize = 16;
const textSizeMax = 1024;
const shiftMax = 32;

/** The bytes of a batch; its half-edges' keys are those of its cube. */
export function encodeSketchBatch(batch: SketchBatch): Uint8Array {
  const isWindow = batch.kind === "window";
  assert(isWindow === (batch.cube !== undefined), "a window has a cube, a heartbeat has none");
  assert(isWindow || batch.halfEdges.length === 0, "a heartbeat has no half-edges");
  const writer = createByteWriter();
  writer.u8(batchVersion);
  writer.u8(isWindow ? windowKind : heartbeatKind);
  writeHeader(writer, batch);
  writeCounts(writer, batch);
  if (batch.cube !== undefined) {
    const places = encodeCube(writer, batch.cube);
    writer.u8(batch.halfEdgeShift);
    const { windowStartMs } = batch.cube;
    encodeHalfEdges(writer, batch.halfEdges, { places, windowStartMs });
  }
  return writer.finish();
}

/** A batch, or why the bytes are none; reads no more than `limits` and the bytes justify. */
export function decodeSketchBatch(
  bytes: Uint8Array,
  limits: BatchLimits = defaultBatchLimits,
): Result<SketchBatch> {
  const reader = createByteReader(bytes);
  const version = reader.u8();
  if (version !== batchVersion) {
    return refuse("BATCH_INVALID", `batch version is ${version}, not ${batchVersion}`);
  }
  const kind = reader.u8();
  if (kind > windowKind) reader.reject(`batch kind is ${kind}, not 0 or 1`);
  const header = { ...readHeader(reader), ...readCounts(reader) };
  const body = kind === windowKind ? readWindow(reader, header.windowLengthMs, limits) : heartbeat;
  if (reader.remaining > 0) reader.reject(`${reader.remaining} bytes behind the batch`);
  if (reader.problem !== undefined) return refuse("BATCH_INVALID", `batch ${reader.problem}`);
  return ok({ kind: kind === windowKind ? "window" : "heartbeat", ...header, ...body });
}

type Header = Pick<
  SketchBatch,
  | "streamId"
  | "seq"
  | "agent"
  | "watermarkMs"
  | "hashKeyId"
  | "thresholdsRevision"
  | "windowLengthMs"
>;
type Counts = Pick<SketchBatch, "counts" | "keyDemand" | "folded">;
type Body = Pick<SketchBatch, "cube" | "halfEdges" | "halfEdgeShift">;

const heartbeat: Body = { cube: undefined, halfEdges: [], halfEdgeShift: 0 };

function writeHeader(writer: ByteWriter, batch: Header): void {
  assert(/^[0-9a-f]{32}$/.test(batch.streamId), "a stream id is 32 lower-case hex digits");
  for (let at = 0; at < streamIdSize; at++) {
    writer.u8(Number.parseInt(batch.streamId.slice(at * 2, at * 2 + 2), 16));
  }
  writeCount(writer, batch.seq);
  writer.string(batch.agent);
  writeCount(writer, batch.watermarkMs);
  writer.string(batch.hashKeyId);
  writeCount(writer, batch.thresholdsRevision);
  writeCount(writer, batch.windowLengthMs);
}

function readHeader(reader: ByteReader): Header {
  const id = reader.bytes(streamIdSize);
  const streamId = Array.from(id, (byte) => byte.toString(16).padStart(2, "0")).join("");
  const seq = reader.varint();
  if (seq < 1) reader.reject("has sequence number 0, the first is 1");
  const agent = readText(reader, "agent");
  const watermarkMs = reader.varint();
  const hashKeyId = readText(reader, "hashKeyId");
  const thresholdsRevision = reader.varint();
  const windowLengthMs = reader.varint();
  if (windowLengthMs < 1) reader.reject("has windows of 0 ms");
  return { streamId, seq, agent, watermarkMs, hashKeyId, thresholdsRevision, windowLengthMs };
}

function writeCounts(writer: ByteWriter, batch: Counts): void {
  const { spans, errors, rejected, late, unpaired } = batch.counts;
  for (const count of [spans, errors, rejected, late, unpaired, batch.keyDemand]) {
    writeCount(writer, count);
  }
  const folded = [...batch.folded].sort((a, b) => (a.dimension < b.dimension ? -1 : 1));
  writer.varint(folded.length);
  for (const { dimension, spans: count } of folded) {
    writer.string(dimension);
    writeCount(writer, count);
  }
}

function readCounts(reader: ByteReader): Counts {
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
  const keyDemand = reader.varint();
  return { counts, keyDemand, folded: readFolded(reader) };
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

function readWindow(reader: ByteReader, windowLengthMs: number, limits: BatchLimits): Body {
  if (reader.problem !== undefined) return heartbeat;
  const decoded = decodeCube(reader, limits);
  if (!decoded.ok) {
    reader.reject(decoded.error.message);
    return heartbeat;
  }
  const cube = decoded.value;
  const { windowStartMs } = cube;
  if (windowStartMs % windowLengthMs !== 0) {
    reader.reject(`window starts at ${windowStartMs}, no multiple of ${windowLengthMs} ms`);
  }
  const halfEdgeShift = reader.u8();
  if (halfEdgeShift > shiftMax) {
    reader.reject(`has a half-edge shift of ${halfEdgeShift}, at most ${shiftMax}`);
  }
  const context = { keys: cube.keys.size, windowStartMs, countMax: limits.halfEdgesMax };
  return { cube, halfEdgeShift, halfEdges: decodeHalfEdges(reader, context) };
}

function readText(reader: ByteReader, name: string): string {
  const text = reader.string();
  if (text.length > textSizeMax) {
    reader.reject(`has a ${name} of ${text.length} characters, at most ${textSizeMax}`);
    return "";
  }
  return text;
}

function writeCount(writer: ByteWriter, value: number): void {
  assert(Number.isSafeInteger(value) && value >= 0, `a count is a whole number, not ${value}`);
  writer.varint(value);
}
