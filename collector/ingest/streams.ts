/**
 * The agent streams the collector knows, up to a number.
 *
 * A stream that is forgotten would have its records taken for new ones. That can count nothing
 * twice: a record is made after its window, so one that was ever applied has a window that is at
 * least as old as the stream's silence, less the skew of two clocks. Streams are kept for longer
 * than late data is merged (`historyMs`, 48 hours), so a repetition that comes after its stream
 * was forgotten, from a spool, a broker's queue or a captured connection, is too old for any
 * window, and goes into none.
 */
import type { BatchHeader, HeartbeatBatch } from "../../wire/sketch-batch.ts";
import { addNumbers, hasNumber } from "./intervals.ts";
import { decodeStreams, encodeStreams } from "./stream-codec.ts";
import {
  applyHeartbeat,
  applyRecord,
  createStreamState,
  type DurableRecord,
  type StreamState,
} from "./stream-state.ts";

export type Known = "new" | "duplicate" | "forked";

/** Most intervals of one stream; a record that needs more is refused, so its agent fills holes. */
export const intervalsMax = 64;
const hour = 3_600_000;
const forgetAfterMs = 7 * 24 * hour;
/** When the table is full; late data is merged for 48 hours, and clocks differ by half a minute. */
const evictAfterMs = 49 * hour;
const returnWithinMs = 600_000;

export class Streams {
  readonly #streams = new Map<string, StreamState>();
  readonly #countMax: number;
  /** Streams that were silent for so long that nobody needs to remember them. */
  forgotten = 0;

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

  know(record: {
    readonly streamId: string;
    readonly seq: number;
    readonly digest: string;
  }): Known {
    const stream = this.#streams.get(record.streamId);
    if (stream === undefined || !hasNumber(stream.intervals, record.seq)) return "new";
    const digest = stream.digests.get(record.seq);
    return digest === undefined || digest === record.digest ? "duplicate" : "forked";
  }

  /** How many intervals the stream has once these numbers, ascending, are added. */
  intervalsWith(id: string, numbers: readonly number[]): number {
    return addNumbers(this.#streams.get(id)?.intervals ?? [], numbers).length;
  }

  /** Whether a record of this stream could be remembered; makes room when it can. */
  hasRoomFor(id: string, nowMs: number): boolean {
    if (this.#streams.has(id) || this.#streams.size < this.#countMax) return true;
    this.#forget(nowMs - evictAfterMs);
    return this.#streams.size < this.#countMax;
  }

  /** Takes note of a durable record whose number is new. */
  add(record: DurableRecord): void {
    applyRecord(this.#streamOf(record.batch, record.receivedMs), record);
  }

  /** Takes note that a record of the stream had a number another has. */
  fork(id: string): void {
    const stream = this.#streams.get(id);
    if (stream !== undefined) stream.forks = 1;
  }

  /** Takes note of a sign of life. */
  hear(batch: HeartbeatBatch, receivedMs: number): void {
    applyHeartbeat(this.#streamOf(batch, receivedMs), batch, receivedMs);
  }

  #streamOf(header: BatchHeader, nowMs: number): StreamState {
    const known = this.#streams.get(header.streamId);
    if (known !== undefined) return known;
    this.#forget(nowMs - forgetAfterMs);
    const stream = createStreamState(header, nowMs);
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
      if (stream.heardMs >= beforeMs) continue;
      this.#streams.delete(stream.id);
      this.forgotten++;
    }
  }

  encode(): Uint8Array {
    return encodeStreams(this.#streams.values());
  }

  /** Replaces everything by an encoded state; false, and no change, when it does not decode. */
  decode(bytes: Uint8Array): boolean {
    const streams = decodeStreams(bytes);
    if (streams === undefined) return false;
    this.#streams.clear();
    for (const stream of streams) this.#streams.set(stream.id, stream);
    return true;
  }
}
