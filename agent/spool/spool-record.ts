/**
 * One record of the spool: an encoded batch behind an envelope that says what is needed to send it,
 * to give it up and to number the next one, so that the batch itself is read only to be sent.
 *
 *   u8 1, 16 bytes stream id, varint seq, u8 kind + 16 * blind + 32 * moved
 *   varints windowStartMs, spans, errors, streamSpans, watermarkMs, sealedMs
 *   of a moved record: 16 bytes stream id, varint seq it had before
 *   varint count, then { varints spans, errors, windowStartMs } of the records before it
 *   the batch
 *
 * A segment file begins with a header: u8 0, u8 version, 16 bytes stream id, varint createdMs,
 * varint settledBelow, varint the spans before that number plus 1, 0 for not known, varints seq and
 * streamSpans of the last certain number, and what the records of the file before count, as a
 * tombstone writes it.
 * Notes stand between the records: u8 2, varint watermarkMs, up to when an idle agent was
 * listening; u8 3, 16 bytes stream id, varint seq, up to where numbers that were used blindly are
 * certain, and so may have been sent.
 */
import {
  type ByteReader,
  type ByteWriter,
  createByteReader,
  createByteWriter,
} from "../../base/bytes.ts";
import { decodeLostRecords, encodeLostRecords, lostRecordsMax } from "../../wire/lost-records.ts";
import type { LostRecord, SequencedBatch } from "../../wire/sketch-batch.ts";

/** What a record counts, should it be lost. */
export type RecordCounts = Omit<LostRecord, "seq">;

export interface RecordName {
  readonly streamId: string;
  readonly seq: number;
}

export interface RecordFacts extends RecordName, RecordCounts {
  readonly kind: SequencedBatch["kind"];
  /** Spans of all window records of the stream with numbers up to `seq`. */
  readonly streamSpans: number;
  readonly watermarkMs: number;
  /** When it was put in, by our clock. */
  readonly sealedMs: number;
  /** Numbered before the collector had said which numbers it has; not sent until it does. */
  readonly isBlind: boolean;
  /** Its name before its stream forked. */
  readonly origin: RecordName | undefined;
  /** Of the records `seq - 1`, `seq - 2` and so on, so that one that is damaged can be declared. */
  readonly before: readonly RecordCounts[];
}

export interface CertainNumber {
  readonly seq: number;
  readonly streamSpans: number;
}

export interface SegmentHeader {
  readonly streamId: string;
  readonly createdMs: number;
  /** The collector has acknowledged every record of the stream before this one. */
  readonly settledBelow: number;
  /** Spans of all records of the stream before it; undefined where that is not known. */
  readonly settledSpans: number | undefined;
  /** The last number that was not used blindly, and the spans up to it. */
  readonly certain: CertainNumber;
  /** Records of the stream in the file before, should it be damaged; ascending. */
  readonly previous: readonly LostRecord[];
}

export type SpoolPayload =
  | ({ readonly type: "header" } & SegmentHeader)
  | { readonly type: "mark"; readonly watermarkMs: number }
  | ({ readonly type: "certain" } & RecordName)
  | { readonly type: "record"; readonly facts: RecordFacts; readonly batch: Uint8Array };

/** Each costs about ten bytes a record; a damaged page of a quiet agent hits as many. */
export const countsBeforeMax = 8;

const formatVersion = 1;
const headerTag = 0;
const recordTag = 1;
const markTag = 2;
const certainTag = 3;
const kinds = ["window", "tombstone", "gap"] as const;
const blindFlag = 16;
const movedFlag = 32;
const kindMask = 15;
const streamIdSize = 16;

export function encodeSpoolHeader(header: SegmentHeader): Uint8Array {
  const writer = createByteWriter();
  writer.u8(headerTag);
  writer.u8(formatVersion);
  writer.bytes(Buffer.from(header.streamId, "hex"));
  writer.varint(header.createdMs);
  writer.varint(header.settledBelow);
  writer.varint(header.settledSpans === undefined ? 0 : header.settledSpans + 1);
  writer.varint(header.certain.seq);
  writer.varint(header.certain.streamSpans);
  const { previous } = header;
  if (previous.length > 0) encodeLostRecords(writer, previous.slice(0, lostRecordsMax));
  return writer.finish();
}

export function encodeSpoolMark(watermarkMs: number): Uint8Array {
  const writer = createByteWriter();
  writer.u8(markTag);
  writer.varint(watermarkMs);
  return writer.finish();
}

export function encodeSpoolCertain(name: RecordName): Uint8Array {
  const writer = createByteWriter();
  writer.u8(certainTag);
  writeName(writer, name);
  return writer.finish();
}

export function encodeSpoolRecord(facts: RecordFacts, batch: Uint8Array): Uint8Array {
  const writer = createByteWriter();
  const { origin } = facts;
  writer.u8(recordTag);
  writeName(writer, facts);
  const flags = (facts.isBlind ? blindFlag : 0) | (origin === undefined ? 0 : movedFlag);
  writer.u8(kinds.indexOf(facts.kind) | flags);
  writer.varint(facts.windowStartMs);
  writer.varint(facts.spans);
  writer.varint(facts.errors);
  writer.varint(facts.streamSpans);
  writer.varint(facts.watermarkMs);
  writer.varint(facts.sealedMs);
  if (origin !== undefined) writeName(writer, origin);
  writer.varint(facts.before.length);
  for (const { spans, errors, windowStartMs } of facts.before) {
    writer.varint(spans);
    writer.varint(errors);
    writer.varint(windowStartMs);
  }
  writer.bytes(batch);
  return writer.finish();
}

/** What a payload of a segment file is; undefined for one of a later format. */
export function decodeSpoolPayload(payload: Uint8Array): SpoolPayload | undefined {
  const reader = createByteReader(payload);
  const tag = reader.u8();
  let decoded: SpoolPayload | undefined;
  if (tag === headerTag && reader.u8() === formatVersion) {
    decoded = { type: "header", ...readHeader(reader) };
  } else if (tag === markTag) {
    decoded = { type: "mark", watermarkMs: reader.varint() };
  } else if (tag === certainTag) {
    decoded = { type: "certain", ...readName(reader) };
  } else if (tag === recordTag) {
    const facts = readFacts(reader);
    const batch = payload.subarray(reader.offset);
    decoded = facts === undefined ? undefined : { type: "record", facts, batch };
  }
  return reader.problem === undefined ? decoded : undefined;
}

function readHeader(reader: ByteReader): SegmentHeader {
  const streamId = readStreamId(reader);
  const createdMs = reader.varint();
  const settledBelow = reader.varint();
  const spans = reader.varint();
  const settledSpans = spans === 0 ? undefined : spans - 1;
  const seq = reader.varint();
  const certain = { seq, streamSpans: reader.varint() };
  const previous = reader.remaining > 0 ? decodeLostRecords(reader, Number.MAX_SAFE_INTEGER) : [];
  return { streamId, createdMs, settledBelow, settledSpans, certain, previous };
}

function readFacts(reader: ByteReader): RecordFacts | undefined {
  const name = readName(reader);
  const flags = reader.u8();
  const kind = kinds[flags & kindMask];
  if (kind === undefined) return undefined;
  return {
    ...name,
    kind,
    windowStartMs: reader.varint(),
    spans: reader.varint(),
    errors: reader.varint(),
    streamSpans: reader.varint(),
    watermarkMs: reader.varint(),
    sealedMs: reader.varint(),
    isBlind: (flags & blindFlag) !== 0,
    origin: (flags & movedFlag) === 0 ? undefined : readName(reader),
    before: readBefore(reader),
  };
}

function readBefore(reader: ByteReader): RecordCounts[] {
  const count = reader.varint();
  if (count > countsBeforeMax) reader.reject(`counts of ${count} records`);
  const before: RecordCounts[] = [];
  for (let at = 0; at < count && reader.problem === undefined; at++) {
    const spans = reader.varint();
    const errors = reader.varint();
    before.push({ spans, errors, windowStartMs: reader.varint() });
  }
  return before;
}

function writeName(writer: ByteWriter, { streamId, seq }: RecordName): void {
  writer.bytes(Buffer.from(streamId, "hex"));
  writer.varint(seq);
}

function readName(reader: ByteReader): RecordName {
  const streamId = readStreamId(reader);
  return { streamId, seq: reader.varint() };
}

function readStreamId(reader: ByteReader): string {
  return Buffer.from(reader.bytes(streamIdSize)).toString("hex");
}
