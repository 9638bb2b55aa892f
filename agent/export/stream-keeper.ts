/**
 * Keeps what we know of our streams and what the collector says of them in agreement. Where they
 * contradict each other somebody else uses the stream too, or the collector has forgotten it; then
 * a new one begins.
 */
import type { Log } from "../../base/log.ts";
import type { Ack } from "../../wire/agent-link.ts";
import type { LostRecord } from "../../wire/sketch-batch.ts";
import { hasNumber, type NumberSet } from "../spool/number-set.ts";
import type { RecoveredSpool } from "../spool/recover-spool.ts";
import { release, type SpoolEntry } from "../spool/spool-entry.ts";
import { encodeSpoolCertain, encodeSpoolHeader } from "../spool/spool-record.ts";
import type { StreamNumbers } from "../spool/stream-numbers.ts";
import type { DeliveryMetrics } from "./delivery-metrics.ts";
import type { RecordBook } from "./record-book.ts";
import type { SendQueue } from "./send-queue.ts";

export interface StreamKeeperOptions {
  readonly book: RecordBook;
  readonly queue: SendQueue;
  readonly metrics: DeliveryMetrics;
  readonly log: Log;
  /** Epoch milliseconds by our clock. */
  nowMs(): number;
  /** Puts a note into the spool; resolves to whether it is durable. */
  note(payload: Uint8Array): Promise<boolean>;
  /** Records may be sent. */
  onReady(): void;
}

export class StreamKeeper {
  readonly #options: StreamKeeperOptions;
  #missing: { readonly streamId: string; readonly records: readonly LostRecord[] } | undefined;
  /** There may be records that were numbered blindly, which wait to be confirmed. */
  #hasBlind = false;
  #isCertifying = false;

  constructor(options: StreamKeeperOptions) {
    this.#options = options;
  }

  get hasBlind(): boolean {
    return this.#hasBlind;
  }

  /** Goes on with the stream of a spool, unless another one is `isInUse` already. */
  goOn({ stream, missing, watermarkMs }: RecoveredSpool, isInUse: boolean): void {
    if (stream === undefined) return;
    const { book, queue, log } = this.#options;
    if (!isInUse) book.goOn(stream, watermarkMs);
    if (missing.length > 0) this.#missing = { streamId: stream.streamId, records: missing };
    this.#hasBlind = true;
    this.#releaseForeign();
    const { records, spans } = queue.totals;
    log.info("the spool was recovered", { streamId: stream.streamId, records, spans });
  }

  onAdded(entry: SpoolEntry): void {
    this.#hasBlind ||= entry.isBlind;
  }

  /** The first payload of a new spool file. */
  headerOf(previous: readonly SpoolEntry[]): Uint8Array {
    const { numbers } = this.#options.book;
    const { streamId, oldestSeq, said: certain } = numbers;
    // Those in memory go should we be killed now, and nobody else could say what they count.
    const inMemory = [...this.#options.queue.held()].filter(({ place }) => place === undefined);
    // A file has them as they came: those that were in memory for a while come late.
    const ofStream = [...previous, ...inMemory]
      .filter(({ facts }) => facts.streamId === streamId)
      .sort((a, b) => a.facts.seq - b.facts.seq);
    return encodeSpoolHeader({
      streamId,
      createdMs: this.#options.nowMs(),
      ...{ settledBelow: oldestSeq, settledSpans: this.#spansBefore(numbers), certain },
      previous: ofStream.map(({ facts: { seq, spans, errors, windowStartMs } }) => {
        return { seq, spans, errors, windowStartMs };
      }),
    });
  }

  /** Of the records before the oldest one that is not settled, where that can be told. */
  #spansBefore({ streamId, oldestSeq, lastSeq, streamSpans }: StreamNumbers): number | undefined {
    if (oldestSeq > lastSeq) return streamSpans;
    for (const { facts } of this.#options.queue.held()) {
      if (facts.streamId !== streamId || facts.seq !== oldestSeq) continue;
      return facts.streamSpans - facts.spans;
    }
    return undefined;
  }

  /** Notes what is settled before a request; a heartbeat's has no entry. Gives what takes the ack. */
  onRequest(entry: SpoolEntry | undefined): (ack: Ack) => void {
    const { book } = this.#options;
    const settledBefore = book.numbers.settled;
    const streamId = entry?.facts.streamId ?? book.numbers.streamId;
    return ({ have }) => {
      this.#resolveMissing(streamId, have);
      if (streamId === book.numbers.streamId) this.#compare(have, settledBefore);
      if (entry === undefined) this.#trim(streamId, have);
    };
  }

  /** The collector has the record, and what it declares. */
  settle({ facts, lost }: SpoolEntry): void {
    const { metrics, book } = this.#options;
    metrics.acknowledged.add(facts.spans);
    if (facts.streamId !== book.numbers.streamId) return;
    book.numbers.settle(facts.seq);
    for (const { seq } of lost) book.numbers.settle(seq);
  }

  /** The collector has another record of that name. */
  fork(entry: SpoolEntry): void {
    entry.isForked = true;
    const { streamId } = this.#options.book.numbers;
    if (entry.facts.streamId === streamId) this.#renew("another record of ours", []);
  }

  /** Tries again what a failing disk did not let happen; every second. */
  tick(): void {
    if (this.#hasBlind) void this.#certify();
  }

  #compare(have: NumberSet, settledBefore: NumberSet): void {
    const { numbers } = this.#options.book;
    if (numbers.isContradictedBy(have, settledBefore)) {
      this.#renew("other numbers than ours", have);
    } else if (numbers.isBlind) {
      numbers.isBlind = false;
      numbers.settled = have;
      void this.#certify();
    }
  }

  /**
   * Lets records be sent that were numbered blindly. That they may be has to be on disk first: the
   * next process gives those that were never sent other names, should it come to that.
   */
  async #certify(): Promise<void> {
    const { book, queue, note, onReady } = this.#options;
    const { streamId, lastSeq, isBlind } = book.numbers;
    if (isBlind || this.#isCertifying) return;
    const blind = [...queue.held()].filter(
      (entry) => entry.isBlind && entry.facts.streamId === streamId,
    );
    this.#hasBlind = blind.length > 0;
    if (!this.#hasBlind) return;
    this.#isCertifying = true;
    const isDurable = await note(encodeSpoolCertain({ streamId, seq: lastSeq }));
    this.#isCertifying = false;
    if (!isDurable || book.numbers.streamId !== streamId) return;
    for (const entry of blind) {
      entry.isBlind = false;
      release(entry);
    }
    onReady();
  }

  /**
   * Settles records of an earlier process that the collector has. Those of this process wait for
   * an answer of their own, which says that it was they and no other's of the same number.
   */
  #trim(streamId: string, have: NumberSet): void {
    const { queue } = this.#options;
    for (const entry of queue.held()) {
      const { facts, isRecovered, isBlind, state } = entry;
      if (!isRecovered || isBlind || state !== "waiting") continue;
      if (facts.streamId !== streamId || !hasNumber(have, facts.seq)) continue;
      queue.move(entry, "settled");
      this.settle(entry);
    }
  }

  #resolveMissing(streamId: string, have: NumberSet): void {
    const missing = this.#missing;
    if (missing?.streamId !== streamId) return;
    this.#missing = undefined;
    const lost = missing.records.filter(({ seq }) => !hasNumber(have, seq));
    if (lost.length === 0) return;
    const { metrics, log, book } = this.#options;
    const spans = lost.reduce((sum, record) => sum + record.spans, 0);
    metrics.recovered.add(spans);
    metrics.lost.corrupt.add(spans);
    metrics.recordsLost.corrupt.add(lost.length);
    const records = lost.length;
    log.error("records of the spool are damaged, they are declared lost", { records, spans });
    book.declareMissing(streamId, lost, "corrupt");
  }

  #renew(why: string, have: NumberSet): void {
    const { book, metrics, log } = this.#options;
    const before = book.numbers.streamId;
    book.renew(have);
    metrics.forked.add();
    this.#releaseForeign();
    const { streamId } = book.numbers;
    const what = "the collector knows our stream otherwise, a new one begins";
    log.warn(what, { why, before, streamId });
  }

  /** Blindly numbered records of other streams than ours get new names when it is their turn. */
  #releaseForeign(): void {
    const { queue, book } = this.#options;
    const { streamId } = book.numbers;
    for (const entry of queue.held()) {
      if (entry.isBlind && entry.facts.streamId !== streamId) release(entry);
    }
  }
}
