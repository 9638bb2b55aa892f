/**
 * What the collector remembers of each agent stream: which batches it has, how the newest looked,
 * when it was heard, its watermark and how much traffic it usually carries.
 *
 * All of it is derived from logged batches, in log order, so a replay gives the same state; the
 * head of a log file holds it encoded.
 */
import { createByteReader, createByteWriter } from "../../base/bytes.ts";
import { addNumber, closeOldestHoles, hasNumber, type Interval } from "./intervals.ts";

export interface StreamState {
  readonly id: string;
  agent: string;
  intervals: readonly Interval[];
  /** Digests of the newest records, by sequence number. */
  readonly digests: Map<number, string>;
  heardMs: number;
  watermarkMs: number;
  hashKeyId: string;
  /** Spans a window, smoothed; what the stream counts for in coverage. */
  weight: number;
}

export interface StreamRecord {
  readonly streamId: string;
  readonly seq: number;
  readonly agent: string;
  readonly digest: string;
  readonly watermarkMs: number;
  readonly hashKeyId: string;
}

export type Known = "new" | "duplicate" | "forked";

const intervalsMax = 64;
const digestsMax = 64;
const hour = 3_600_000;
/** Longer than any spool, so forgetting a stream can never make a duplicate count twice. */
const forgetAfterMs = 7 * 24 * hour;
/** When the table is full, streams silent for longer than a spool lasts make room. */
const evictAfterMs = 24 * hour;
const returnWithinMs = 600_000;
const stateVersion = 1;

export class Streams {
  readonly #streams = new Map<string, StreamState>();
  readonly #countMax: number;
  /** Sequence numbers given up because a stream had too many holes. */
  numbersClosed = 0;

  constructor(countMax: number) {
    this.#countMax = countMax;
  }

  get size(): number {
    return this.#streams.size;
  }

  values(): Iterable<StreamState> {
    return this.#streams.values();
  }

  find(id: string): StreamState | undefined {
    return this.#streams.get(id);
  }

  know(record: Pick<StreamRecord, "streamId" | "seq" | "digest">): Known {
    const stream = this.#streams.get(record.streamId);
    if (stream === undefined || !hasNumber(stream.intervals, record.seq)) return "new";
    const digest = stream.digests.get(record.seq);
    return digest === undefined || digest === record.digest ? "duplicate" : "forked";
  }

  /** Whether a record of this stream could be remembered; makes room when it can. */
  hasRoomFor(id: string, nowMs: number): boolean {
    if (this.#streams.has(id) || this.#streams.size < this.#countMax) return true;
    this.#forget(nowMs - evictAfterMs);
    return this.#streams.size < this.#countMax;
  }

  /** Takes note of a durable record. */
  add(record: StreamRecord, receivedMs: number): StreamState {
    const stream = this.#streams.get(record.streamId) ?? this.#create(record, receivedMs);
    const { intervals, numbersClosed } = closeOldestHoles(
      addNumber(stream.intervals, record.seq),
      intervalsMax,
    );
    stream.intervals = intervals;
    this.numbersClosed += numbersClosed;
    stream.digests.set(record.seq, record.digest);
    if (stream.digests.size > digestsMax) stream.digests.delete(Math.min(...stream.digests.keys()));
    this.#hear(stream, record, receivedMs);
    return stream;
  }

  /** Takes note of a sign of life. */
  hear(record: StreamRecord, receivedMs: number): void {
    const stream = this.#streams.get(record.streamId) ?? this.#create(record, receivedMs);
    this.#hear(stream, record, receivedMs);
  }

  #hear(stream: StreamState, record: StreamRecord, receivedMs: number): void {
    stream.heardMs = Math.max(stream.heardMs, receivedMs);
    // A watermark of the future would close windows before their data is here.
    const watermarkMs = Math.min(record.watermarkMs, receivedMs);
    stream.watermarkMs = Math.max(stream.watermarkMs, watermarkMs);
    stream.hashKeyId = record.hashKeyId;
    stream.agent = record.agent;
  }

  #create(record: StreamRecord, receivedMs: number): StreamState {
    this.#forget(receivedMs - forgetAfterMs);
    const stream: StreamState = {
      id: record.streamId,
      agent: record.agent,
      intervals: [],
      digests: new Map(),
      heardMs: receivedMs,
      watermarkMs: 0,
      hashKeyId: record.hashKeyId,
      weight: 0,
    };
    this.#streams.set(stream.id, stream);
    return stream;
  }

  /** Gives streams heard shortly before a restart the time to come back. */
  expectFrom(nowMs: number): void {
    for (const stream of this.#streams.values()) {
      if (nowMs - stream.heardMs < returnWithinMs) stream.heardMs = nowMs;
    }
  }

  #forget(beforeMs: number): void {
    for (const stream of this.#streams.values()) {
      if (stream.heardMs < beforeMs) this.#streams.delete(stream.id);
    }
  }

  encode(): Uint8Array {
    const writer = createByteWriter();
    writer.u8(stateVersion);
    writer.varint(this.#streams.size);
    for (const stream of this.#streams.values()) {
      writer.string(stream.id);
      writer.string(stream.agent);
      writer.string(stream.hashKeyId);
      writer.varint(stream.heardMs);
      writer.varint(stream.watermarkMs);
      writer.f64(stream.weight);
      writer.varint(stream.intervals.length);
      for (const [from, to] of stream.intervals) {
        writer.varint(from);
        writer.varint(to);
      }
      writer.varint(stream.digests.size);
      for (const [seq, digest] of stream.digests) {
        writer.varint(seq);
        writer.string(digest);
      }
    }
    return writer.finish();
  }

  /** Replaces everything by an encoded state; false, and no change, when it does not decode. */
  decode(bytes: Uint8Array): boolean {
    const reader = createByteReader(bytes);
    if (reader.u8() !== stateVersion) return false;
    const streams: StreamState[] = [];
    for (let left = reader.varint(); left > 0 && reader.problem === undefined; left--) {
      streams.push({
        id: reader.string(),
        agent: reader.string(),
        hashKeyId: reader.string(),
        heardMs: reader.varint(),
        watermarkMs: reader.varint(),
        weight: reader.f64(),
        intervals: readPairs(reader, () => reader.varint()),
        digests: new Map(readPairs(reader, () => reader.string())),
      });
    }
    if (reader.problem !== undefined) return false;
    this.#streams.clear();
    for (const stream of streams) this.#streams.set(stream.id, stream);
    return true;
  }
}

function readPairs<T>(
  reader: { varint(): number; readonly problem: string | undefined },
  second: () => T,
): [number, T][] {
  const pairs: [number, T][] = [];
  for (let left = reader.varint(); left > 0 && reader.problem === undefined; left--) {
    pairs.push([reader.varint(), second()]);
  }
  return pairs;
}
