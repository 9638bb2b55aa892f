/**
 * What an agent ships, one record at a time: a window's cube and half-edges, the declaration that
 * records are lost, that the agent was not listening for a while, or a heartbeat. Each comes under
 * a stream id and a sequence number; docs/wire-format.md has the protocol.
 *
 *   u8 version, u8 kind (0 heartbeat, 1 window, 2 tombstone, 3 gap)
 *   16 bytes stream id, varint seq, varint streamSpans, string agent, varint watermarkMs,
 *   string hashKeyId, varint thresholdsRevision, varint windowLengthMs
 *   heartbeat   varint oldestSeq, varint question
 *   window      the content of window-content.ts
 *   tombstone   u8 cause, the records of lost-records.ts
 *   gap         varint gapFromMs, varint gapToMs
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
import type { HalfEdge } from "./half-edge.ts";
import {
  decodeLostRecords,
  encodeLostRecords,
  type LossCause,
  type LostRecord,
  lossCauses,
} from "./lost-records.ts";
import {
  type BatchCounts,
  type BatchLimits,
  decodeWindowContent,
  encodeWindowContent,
  type FoldedSpans,
  readText,
  type WindowContent,
  writeCount,
} from "./window-content.ts";

export type { BatchCounts, BatchLimits, FoldedSpans, HalfEdge, LossCause, LostRecord };

export interface BatchHeader {
  /** 32 lower-case hexadecimal digits. */
  readonly streamId: string;
  /**
   * From 1, without holes within a stream and never used twice. A heartbeat takes none: it names
   * the last one used, 0 when there is none.
   */
  readonly seq: number;
  /** Spans of all window records of the stream with numbers up to `seq`. */
  readonly streamSpans: number;
  readonly agent: string;
  /** The agent expects no more spans that ended before this. */
  readonly watermarkMs: number;
  /** Names the key customers are hashed with, without telling it. */
  readonly hashKeyId: string;
  readonly thresholdsRevision: number;
  readonly windowLengthMs: number;
}

export interface WindowBatch extends BatchHeader, WindowContent {
  readonly kind: "window";
}

/** Declares that records before this one will never come. */
export interface TombstoneBatch extends BatchHeader {
  readonly kind: "tombstone";
  readonly cause: LossCause;
  /** In ascending order of seq, at least one. */
  readonly lost: readonly LostRecord[];
}

/** Declares that the agent was not listening from `gapFromMs` until `gapToMs`. */
export interface GapBatch extends BatchHeader {
  readonly kind: "gap";
  readonly gapFromMs: number;
  readonly gapToMs: number;
}

/** Neither kept nor counted: hello, probe and sign of life. Its answer is an acknowledgement. */
export interface HeartbeatBatch extends BatchHeader {
  readonly kind: "heartbeat";
  /** The oldest record the agent still holds; one more than `seq` when it holds none. */
  readonly oldestSeq: number;
  /**
   * Any number below 2^32, another each time. An answer that comes without a connection of its own
   * names it: one to an earlier process says what was so then.
   */
  readonly question: number;
}

/** A record with a number of its own, to be applied exactly once. */
export type SequencedBatch = WindowBatch | TombstoneBatch | GapBatch;

export type SketchBatch = SequencedBatch | HeartbeatBatch;

export const defaultBatchLimits: BatchLimits = {
  keysMax: 1_000_000,
  edgesMax: 1_000_000,
  halfEdgesMax: 1_000_000,
};

const batchVersion = 1;
/** In the order of their codes in the bytes. */
const kinds = ["heartbeat", "window", "tombstone", "gap"] as const;
const streamIdSize = 16;
const questionEnd = 2 ** 32;

/** The bytes of a batch; its half-edges' keys are those of its cube. */
export function encodeSketchBatch(batch: SketchBatch): Uint8Array {
  const writer = createByteWriter();
  writer.u8(batchVersion);
  writer.u8(kinds.indexOf(batch.kind));
  assert(batch.seq > 0 || batch.kind === "heartbeat", "the first sequence number is 1");
  writeHeader(writer, batch);
  if (batch.kind === "window") encodeWindowContent(writer, batch);
  else if (batch.kind === "tombstone") {
    writer.u8(lossCauses.indexOf(batch.cause));
    encodeLostRecords(writer, batch.lost);
  } else if (batch.kind === "gap") {
    assert(batch.gapFromMs < batch.gapToMs, "a gap lasts");
    writeCount(writer, batch.gapFromMs);
    writeCount(writer, batch.gapToMs);
  } else {
    writeCount(writer, batch.oldestSeq);
    writeCount(writer, batch.question);
  }
  return writer.finish();
}

/** Who sent a batch and which it is: what can be answered even when its content cannot be read. */
export interface BatchHead extends BatchHeader {
  readonly kind: SketchBatch["kind"];
  /** A heartbeat's; undefined for a record. */
  readonly question: number | undefined;
}

/** The head alone; what follows it is not looked at, but for a heartbeat's question. */
export function decodeBatchHead(bytes: Uint8Array): Result<BatchHead> {
  const reader = createByteReader(bytes);
  const kind = readKind(reader);
  if (!kind.ok) return kind;
  const header = readHeader(reader, kind.value);
  const isHeartbeat = kind.value === "heartbeat";
  const question = isHeartbeat ? readHeartbeat(reader, header).question : undefined;
  if (reader.problem !== undefined) return refuse("BATCH_INVALID", `batch ${reader.problem}`);
  return ok({ kind: kind.value, ...header, question });
}

/** A batch, or why the bytes are none; reads no more than `limits` and the bytes justify. */
export function decodeSketchBatch(
  bytes: Uint8Array,
  limits: BatchLimits = defaultBatchLimits,
): Result<SketchBatch> {
  const reader = createByteReader(bytes);
  const kind = readKind(reader);
  if (!kind.ok) return kind;
  const batch = readBody(reader, kind.value, readHeader(reader, kind.value), limits);
  if (reader.remaining > 0) reader.reject(`${reader.remaining} bytes behind the batch`);
  if (reader.problem !== undefined) return refuse("BATCH_INVALID", `batch ${reader.problem}`);
  return ok(batch);
}

function readKind(reader: ByteReader): Result<SketchBatch["kind"]> {
  const version = reader.u8();
  if (version > batchVersion) {
    return refuse("BATCH_VERSION", `batch version is ${version}, not ${batchVersion}`);
  }
  if (version < batchVersion) reader.reject(`has version ${version}, the first is 1`);
  const code = reader.u8();
  const kind = kinds[code];
  if (reader.problem !== undefined) return refuse("BATCH_INVALID", `batch ${reader.problem}`);
  if (kind !== undefined) return ok(kind);
  return refuse("BATCH_INVALID", `batch kind is ${code}, not from 0 to ${kinds.length - 1}`);
}

function writeHeader(writer: ByteWriter, header: BatchHeader): void {
  assert(/^[0-9a-f]{32}$/.test(header.streamId), "a stream id is 32 lower-case hex digits");
  for (let at = 0; at < streamIdSize; at++) {
    writer.u8(Number.parseInt(header.streamId.slice(at * 2, at * 2 + 2), 16));
  }
  writeCount(writer, header.seq);
  writeCount(writer, header.streamSpans);
  writer.string(header.agent);
  writeCount(writer, header.watermarkMs);
  writer.string(header.hashKeyId);
  writeCount(writer, header.thresholdsRevision);
  writeCount(writer, header.windowLengthMs);
}

function readHeader(reader: ByteReader, kind: SketchBatch["kind"]): BatchHeader {
  const id = reader.bytes(streamIdSize);
  const streamId = Array.from(id, (byte) => byte.toString(16).padStart(2, "0")).join("");
  const seq = reader.varint();
  if (seq < 1 && kind !== "heartbeat") reader.reject("has sequence number 0, the first is 1");
  const streamSpans = reader.varint();
  const agent = readText(reader, "agent");
  const watermarkMs = reader.varint();
  const hashKeyId = readText(reader, "hashKeyId");
  const thresholdsRevision = reader.varint();
  const windowLengthMs = reader.varint();
  if (windowLengthMs < 1) reader.reject("has windows of 0 ms");
  const counts = { thresholdsRevision, windowLengthMs };
  return { streamId, seq, streamSpans, agent, watermarkMs, hashKeyId, ...counts };
}

function readBody(
  reader: ByteReader,
  kind: SketchBatch["kind"],
  header: BatchHeader,
  limits: BatchLimits,
): SketchBatch {
  switch (kind) {
    case "window":
      return readWindow(reader, header, limits);
    case "tombstone": {
      const cause = readCause(reader);
      return { kind, ...header, cause, lost: decodeLostRecords(reader, header.seq) };
    }
    case "gap":
      return readGap(reader, header);
    case "heartbeat":
      return readHeartbeat(reader, header);
  }
}

function readWindow(reader: ByteReader, header: BatchHeader, limits: BatchLimits): WindowBatch {
  const content = decodeWindowContent(reader, header.windowLengthMs, limits);
  if (content.counts.spans > header.streamSpans) {
    const { spans } = content.counts;
    reader.reject(`has ${spans} spans, its stream up to here only ${header.streamSpans}`);
  }
  return { kind: "window", ...header, ...content };
}

function readCause(reader: ByteReader): LossCause {
  const code = reader.u8();
  const cause = lossCauses[code];
  if (cause === undefined) {
    reader.reject(`has cause ${code}, not from 0 to ${lossCauses.length - 1}`);
  }
  return cause ?? "corrupt";
}

function readGap(reader: ByteReader, header: BatchHeader): GapBatch {
  const gapFromMs = reader.varint();
  const gapToMs = reader.varint();
  if (gapFromMs >= gapToMs) reader.reject(`has a gap from ${gapFromMs} to ${gapToMs}`);
  return { kind: "gap", ...header, gapFromMs, gapToMs };
}

function readHeartbeat(reader: ByteReader, header: BatchHeader): HeartbeatBatch {
  const oldestSeq = reader.varint();
  if (oldestSeq < 1 || oldestSeq > header.seq + 1) {
    reader.reject(`has oldest record ${oldestSeq}, not from 1 to ${header.seq + 1}`);
  }
  const question = reader.varint();
  if (question >= questionEnd) reader.reject(`has question ${question}, not below 2^32`);
  return { kind: "heartbeat", ...header, oldestSeq, question };
}
