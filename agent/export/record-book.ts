/**
 * Makes records: gives sealed windows, declarations of loss and gaps their names and bytes, and
 * knows what of its stream the collector has. When somebody else turns out to use the stream, or
 * the collector to have forgotten it, the book goes on under a new name, and takes along what was
 * certainly never sent under the old one.
 */
import { assert } from "../../base/errors.ts";
import {
  type BatchHeader,
  decodeSketchBatch,
  encodeSketchBatch,
  type LossCause,
  type LostRecord,
  type SequencedBatch,
  type TombstoneBatch,
} from "../../wire/sketch-batch.ts";
import { hasNumber, type NumberSet } from "../spool/number-set.ts";
import { createEntry, type SpoolEntry } from "../spool/spool-entry.ts";
import type { RecordCounts, RecordName } from "../spool/spool-record.ts";
import { newStream, StreamNumbers, type StreamState } from "../spool/stream-numbers.ts";
import type { SealedWindow } from "../windows/sealed-window.ts";
import { windowLengthMs } from "../windows/windows.ts";
import { splitWindow } from "./split-window.ts";

export interface RecordBookOptions {
  readonly agent: string;
  readonly hashKeyId: string;
  readonly recordBytesMax: number;
  createStreamId(): string;
  /** Below 2^32, another each time. */
  createQuestion(): number;
  /** Epoch milliseconds by our clock. */
  nowMs(): number;
  /** Up to when all windows are delivered, and the newest thresholds. */
  told(): { readonly watermarkMs: number; readonly thresholdsRevision: number };
  /** Takes a record to be spooled and sent. */
  add(entry: SpoolEntry): void;
  /** A record that `by` speaks for from now on. */
  onReplaced(entry: SpoolEntry, by: SpoolEntry): void;
  /** A record with nothing to say any more. */
  onNeedless(entry: SpoolEntry): void;
}

interface FormerStream {
  readonly streamId: string;
  /** Numbers up to here were ours alone. */
  readonly certainSeq: number;
  readonly have: NumberSet;
}

/** A tombstone of so many is far smaller than a record may be. */
const lostPerTombstone = 4_096;
/** Parts of a window are a little unequal. */
const splitSlack = 1.2;
const noCounts: RecordCounts = { spans: 0, errors: 0, windowStartMs: 0 };

export class RecordBook {
  numbers: StreamNumbers;
  readonly #options: RecordBookOptions;
  /** The stream before this one. */
  #former: FormerStream | undefined;
  /** Until when the process before listened. */
  #listenedMs = 0;

  constructor(options: RecordBookOptions) {
    this.#options = options;
    // Nobody else can know a name that was made just now.
    this.numbers = new StreamNumbers(newStream(options.createStreamId()), { isBlind: false });
  }

  /** Goes on with a stream whose last numbers the collector may know better. */
  goOn(state: StreamState, listenedMs: number): void {
    this.numbers = new StreamNumbers(state, { isBlind: true });
    this.#listenedMs = listenedMs;
  }

  /** Goes on under a new name; `have` is what the collector has under the old one. */
  renew(have: NumberSet): void {
    const { streamId, said } = this.numbers;
    this.#former = { streamId, certainSeq: said.seq, have };
    const state = newStream(this.#options.createStreamId());
    this.numbers = new StreamNumbers(state, { isBlind: false });
  }

  /** Makes one record of a window, or several where one would be too large. */
  seal(window: SealedWindow): void {
    const { spans, errors } = window.counts;
    const batch: SequencedBatch = { kind: "window", ...window, ...this.#names(spans) };
    const bytes = encodeSketchBatch(batch);
    const excess = bytes.length / this.#options.recordBytesMax;
    const parts = excess > 1 ? splitWindow(window, Math.ceil(excess * splitSlack)) : [];
    if (parts.length <= 1) {
      this.#put(batch, bytes, { spans, errors, windowStartMs: window.cube.windowStartMs });
      return;
    }
    // What a part says of the time before is true only once the others are there too.
    const watermarkMs = Math.min(window.watermarkMs, this.#options.told().watermarkMs);
    for (const part of parts) this.seal(part === parts.at(-1) ? part : { ...part, watermarkMs });
  }

  /** Declares that nobody was listening. */
  gap(gapFromMs: number, gapToMs: number): void {
    const batch: SequencedBatch = {
      kind: "gap",
      gapFromMs,
      gapToMs,
      ...this.#told(),
      ...this.#names(0),
    };
    this.#put(batch, encodeSketchBatch(batch), noCounts);
  }

  /** Declares records lost. */
  declare(entries: readonly SpoolEntry[], cause: LossCause): void {
    let lost: LostRecord[] = [];
    let group: SpoolEntry[] = [];
    for (const entry of entries) {
      const { facts } = entry;
      // With a tombstone that is lost goes what it declares.
      lost.push(...this.#named(facts.streamId, [lossOf(entry), ...entry.lost]));
      group.push(entry);
      if (lost.length < lostPerTombstone && entry !== entries.at(-1)) continue;
      const tombstone = this.#tombstone(lost, cause);
      for (const replaced of group) this.#options.onReplaced(replaced, tombstone);
      lost = [];
      group = [];
    }
  }

  /** Declares records lost that nobody has any more. */
  declareMissing(streamId: string, missing: readonly LostRecord[], cause: LossCause): void {
    for (let at = 0; at < missing.length; at += lostPerTombstone) {
      this.#tombstone(this.#named(streamId, missing.slice(at, at + lostPerTombstone)), cause);
    }
  }

  /**
   * Makes a record of an earlier stream one of this; false when it has to go as it is, because it
   * may be there already under its old name. What is numbered blindly was never sent.
   */
  rename(entry: SpoolEntry, bytes: Uint8Array): boolean {
    const { facts, isForked, isBlind, wasSent, isRecovered } = entry;
    if (facts.streamId === this.numbers.streamId) return false;
    if (!isForked && !isBlind && (wasSent || isRecovered)) return false;
    const decoded = decodeSketchBatch(bytes);
    assert(decoded.ok && decoded.value.kind !== "heartbeat", "a spooled record is a sound batch");
    const batch = decoded.value;
    if (batch.kind === "tombstone") {
      this.#retell(entry, batch);
      return true;
    }
    const renamed: SequencedBatch = { ...batch, ...this.#names(facts.spans) };
    const renamedBytes = encodeSketchBatch(renamed);
    this.#options.onReplaced(entry, this.#put(renamed, renamedBytes, facts, { origin: facts }));
    return true;
  }

  /**
   * Says what was used and what is held; takes no number. Until numbers are confirmed it tells of
   * those only that nobody else can have used.
   */
  heartbeat(): Uint8Array {
    const { isBlind, said, oldestSeq } = this.numbers;
    const told = this.#told();
    return encodeSketchBatch({
      kind: "heartbeat",
      oldestSeq: Math.min(oldestSeq, said.seq + 1),
      question: this.#options.createQuestion(),
      ...told,
      ...(isBlind ? { watermarkMs: Math.min(told.watermarkMs, this.#listenedMs) } : {}),
      ...this.#names(0),
      ...said,
    });
  }

  /** Declares under this stream what a tombstone of another does, but for what has arrived. */
  #retell(entry: SpoolEntry, { lost, cause }: TombstoneBatch): void {
    const { streamId } = entry.facts;
    const former = this.#former?.streamId === streamId ? this.#former : undefined;
    const isThere = (seq: number): boolean =>
      former !== undefined && seq <= former.certainSeq && hasNumber(former.have, seq);
    const left = lost.filter(({ seq }) => !isThere(seq));
    if (left.length === 0) this.#options.onNeedless(entry);
    else {
      const tombstone = this.#tombstone(this.#named(streamId, left), cause, entry.facts);
      this.#options.onReplaced(entry, tombstone);
    }
  }

  #tombstone(lost: readonly LostRecord[], cause: LossCause, origin?: RecordName): SpoolEntry {
    const bySeq = new Map(lost.map((record) => [record.seq, record]));
    const ascending = [...bySeq.values()].sort((a, b) => a.seq - b.seq);
    const batch: SequencedBatch = {
      kind: "tombstone",
      cause,
      lost: ascending,
      ...this.#told(),
      ...this.#names(0),
    };
    return this.#put(batch, encodeSketchBatch(batch), noCounts, { lost: ascending, origin });
  }

  #put(
    batch: SequencedBatch,
    bytes: Uint8Array,
    { spans, errors, windowStartMs }: RecordCounts,
    more: { readonly origin?: RecordName | undefined; readonly lost?: readonly LostRecord[] } = {},
  ): SpoolEntry {
    const { numbers } = this;
    const { origin, lost = [] } = more;
    const { kind, streamId, seq, streamSpans, watermarkMs } = batch;
    const facts = {
      ...{ kind, streamId, seq, spans, errors, windowStartMs, streamSpans, watermarkMs },
      sealedMs: this.#options.nowMs(),
      isBlind: numbers.isBlind,
      origin: origin === undefined ? undefined : { streamId: origin.streamId, seq: origin.seq },
      before: numbers.before,
    };
    numbers.use(facts);
    const entry = createEntry(facts, { size: bytes.length, bytes, lost });
    this.#options.add(entry);
    return entry;
  }

  /** Records under numbers of this stream: those of another get some that nothing else has. */
  #named(streamId: string, records: readonly LostRecord[]): readonly LostRecord[] {
    if (streamId === this.numbers.streamId) return records;
    return records.map((record) => {
      this.numbers.use(record);
      return { ...record, seq: this.numbers.lastSeq };
    });
  }

  #names(spans: number) {
    const { streamId, lastSeq, streamSpans } = this.numbers;
    const { agent, hashKeyId } = this.#options;
    const names = { streamId, seq: lastSeq + 1, streamSpans: streamSpans + spans };
    return { ...names, agent, hashKeyId } satisfies Partial<BatchHeader>;
  }

  #told() {
    return { ...this.#options.told(), windowLengthMs } satisfies Partial<BatchHeader>;
  }
}

function lossOf({ facts }: SpoolEntry): LostRecord {
  const { seq, spans, errors, windowStartMs } = facts;
  return { seq, spans, errors, windowStartMs };
}
