/**
 * Takes batches in: decode and check, suppress what is already here, make durable, apply, answer.
 *
 * A record counts once however often it comes: a number already applied, or declared lost, is
 * acknowledged again, and one that is just being made durable is answered together with the first.
 * Nothing is acknowledged before it would survive a power cut. Heartbeats are only heard.
 */
import { createHash } from "node:crypto";
import type { Clock } from "../../base/clock.ts";
import type { ErrorCode } from "../../base/errors.ts";
import type { Meter } from "../../base/meter.ts";
import { ok, type Result, refuse } from "../../base/result.ts";
import type { Ack } from "../../wire/agent-link.ts";
import {
  decodeSketchBatch,
  type HeartbeatBatch,
  type SequencedBatch,
} from "../../wire/sketch-batch.ts";
import type { LogVisitor } from "../store/batch-log.ts";
import type { WindowPlace } from "../store/levels.ts";
import type { Store } from "../store/store.ts";
import { type Fate, isAside, placeOf, type WindowTable } from "../windows/window-table.ts";
import { Admission } from "./admission.ts";
import { numbersOf } from "./stream-state.ts";
import type { Streams } from "./streams.ts";

export interface IngestOptions {
  readonly clock: Clock;
  readonly meter: Meter;
  readonly store: Store;
  readonly streams: Streams;
  readonly windows: WindowTable;
  readonly windowLengthMs: number;
  readonly thresholdsRevision: () => number;
  /** No more closed windows can be kept, so nothing new may come in. */
  readonly blocked: () => boolean;
  /** Something was heard: windows may be due. */
  readonly onHeard: () => void;
}

export const batchBytesMax = 4 * 2 ** 20;

interface Goal {
  readonly fate: Fate | "tombstone" | "gap";
  readonly place: WindowPlace | undefined;
}

interface Pending {
  readonly digest: string;
  readonly numbers: readonly number[];
  readonly done: Promise<void>;
}

export class Ingest {
  readonly #options: IngestOptions;
  readonly #admission: Admission;
  /** By stream and number. */
  readonly #pending = new Map<string, Map<number, Pending>>();

  constructor(options: IngestOptions) {
    const { store, streams, windows, windowLengthMs, blocked } = options;
    this.#options = options;
    this.#admission = new Admission({
      ...{ store, streams, windows, windowLengthMs, blocked },
      pendingOf: (streamId) =>
        [...(this.#pending.get(streamId)?.values() ?? [])].flatMap(({ numbers }) => numbers),
    });
  }

  /** Acknowledges a batch once it is durable, or says why not. @throws STORE_WRITE */
  async accept(bytes: Uint8Array): Promise<Result<Ack>> {
    const result = await this.#accept(bytes);
    if (!result.ok) this.#countRefused(result.error.code);
    return result;
  }

  async #accept(bytes: Uint8Array): Promise<Result<Ack>> {
    if (bytes.length > batchBytesMax) {
      const message = `batch of ${bytes.length} bytes exceeds ${batchBytesMax}`;
      return refuse("BATCH_TOO_LARGE", message);
    }
    const decoded = decodeSketchBatch(bytes);
    if (!decoded.ok) return decoded;
    const batch = decoded.value;
    return batch.kind === "heartbeat" ? this.#hear(batch) : this.#take(batch, bytes);
  }

  /** A sign of life is one even while nothing is taken. */
  #hear(batch: HeartbeatBatch): Result<Ack> {
    const { streams, clock, onHeard } = this.#options;
    const nowMs = clock.nowMs();
    const problem = this.#admission.problemOfSender(batch, nowMs);
    if (problem === undefined || problem.error.code === "STORE_WRITE") {
      streams.hear(batch, nowMs);
      onHeard();
    }
    return problem ?? ok(this.#ack(batch.streamId));
  }

  async #take(batch: SequencedBatch, bytes: Uint8Array): Promise<Result<Ack>> {
    const digest = digestOf(bytes);
    // Nothing may come between finding a record new and noting that it is on its way.
    const known = this.#options.store.isUnproven
      ? this.#admission.problemOfSender(batch, this.#options.clock.nowMs())
      : (this.#known(batch, digest) ??
        this.#admission.problemOfRecord(batch, this.#options.clock.nowMs()));
    if (known !== undefined && !known.ok) {
      if (known.error.code === "STREAM_FORKED") await this.#noteFork(batch.streamId, bytes);
      return known;
    }
    await (known === undefined ? this.#append(batch, digest, bytes) : known.value);
    return ok(this.#ack(batch.streamId));
  }

  /** For the very same record, when it is durable; a fork is refused; a new one is undefined. */
  #known({ streamId, seq }: SequencedBatch, digest: string): Result<Promise<void>> | undefined {
    const { meter, streams } = this.#options;
    const pending = this.#pending.get(streamId);
    const same = pending?.get(seq);
    // A tombstone on its way declares this record lost: it was first, so it stands.
    const lost = [...(pending?.values() ?? [])].find(({ numbers }) => numbers.includes(seq));
    const known = lost === undefined ? streams.know({ streamId, seq, digest }) : undefined;
    if (known === "new") return undefined;
    if (known === "forked" || (same !== undefined && same.digest !== digest)) {
      return refuse(
        "STREAM_FORKED",
        `stream ${streamId} has another batch under number ${seq}; take a new stream id`,
      );
    }
    meter
      .counter(
        "brunt_collector_batches_duplicate_total",
        "batches that were here already and were only acknowledged again",
      )
      .add();
    return ok(lost?.done ?? Promise.resolve());
  }

  /** Makes durable that there are two of a number: once a stream. */
  async #noteFork(streamId: string, bytes: Uint8Array): Promise<void> {
    const { store, clock, streams } = this.#options;
    if (streams.find(streamId)?.forks !== 0) return;
    const entry = { bytes, receivedMs: clock.nowMs(), window: undefined };
    await store.append(entry, () => streams.fork(streamId));
  }

  async #append(batch: SequencedBatch, digest: string, bytes: Uint8Array): Promise<void> {
    const { store, clock, onHeard } = this.#options;
    const { streamId, seq } = batch;
    const receivedMs = clock.nowMs();
    const { fate, place } = this.#goalOf(batch, receivedMs);
    const done = store.append({ bytes, receivedMs, window: place }, (lsn) => {
      this.#apply({ batch, digest, receivedMs, fate, place, lsn });
    });
    const pending = this.#pending.get(streamId) ?? new Map<number, Pending>();
    this.#pending.set(streamId, pending.set(seq, { digest, numbers: numbersOf(batch), done }));
    try {
      await done;
    } finally {
      pending.delete(seq);
      if (pending.size === 0) this.#pending.delete(streamId);
    }
    onHeard();
  }

  /** What becomes of a record, and the window it goes into, if into any. */
  #goalOf(batch: SequencedBatch, receivedMs: number): Goal {
    if (batch.kind !== "window") return { fate: batch.kind, place: undefined };
    const { windows, store } = this.#options;
    const fate = windows.fateOf(batch, receivedMs);
    if (isAside(fate)) return { fate, place: undefined };
    const place = store.placeFor(placeOf(batch));
    return place === undefined ? { fate: "expired", place } : { fate, place };
  }

  #apply(record: {
    batch: SequencedBatch;
    digest: string;
    receivedMs: number;
    fate: Goal["fate"];
    place: WindowPlace | undefined;
    lsn: number;
  }): void {
    const { streams, windows, clock } = this.#options;
    const { batch, fate, place, lsn } = record;
    streams.add({ ...record, aside: isAside(fate) });
    if (batch.kind === "window" && place !== undefined) {
      windows.add(batch, { place, lsn, nowMs: clock.nowMs() });
    }
    this.#countApplied(batch, fate);
  }

  #countApplied(batch: SequencedBatch, fate: string): void {
    const { meter } = this.#options;
    meter
      .counter("brunt_collector_batches_applied_total", "batches applied, by where they went", {
        fate,
      })
      .add();
    if (batch.kind !== "window") return;
    const { spans, errors, rejected, late } = batch.counts;
    meter
      .counter("brunt_collector_spans_total", "spans in applied batches, by where they went", {
        fate,
      })
      .add(spans);
    const counts: readonly [name: string, help: string, count: number][] = [
      ["errors", "failed spans in applied batches", errors],
      ["agent_rejected", "spans that agents refused", rejected],
      ["agent_late", "spans that came to agents after their window was sealed", late],
    ];
    for (const [name, help, count] of counts) {
      meter.counter(`brunt_collector_${name}_total`, help).add(count);
    }
  }

  /**
   * Rebuilds dedupe state and open windows from the log, in its order. Where a record goes was
   * decided when it was received, so that no restart changes it.
   */
  visitor(countCorrupt: (records: number) => void): LogVisitor {
    const { streams, windows, store, clock } = this.#options;
    return {
      corrupt: countCorrupt,
      head: (state) => {
        if (state.length > 0 && !streams.decode(state)) countCorrupt(1);
      },
      batch: ({ lsn, receivedMs, bytes, window }) => {
        const decoded = decodeSketchBatch(bytes);
        if (!decoded.ok || decoded.value.kind === "heartbeat") {
          countCorrupt(1);
          return undefined;
        }
        const batch = decoded.value;
        const digest = digestOf(bytes);
        const known = streams.know({ ...batch, digest });
        if (known === "forked") streams.fork(batch.streamId);
        if (known !== "new") return undefined;
        const aside = batch.kind === "window" && window === undefined;
        streams.add({ batch, digest, receivedMs, aside });
        if (batch.kind !== "window" || window === undefined) return undefined;
        if (lsn <= store.storedLsn(window)) return undefined;
        const place = store.placeFor(window);
        if (place === undefined) return undefined;
        windows.add(batch, { place, lsn, nowMs: clock.nowMs() });
        this.#admission.replay(batch, receivedMs);
        return place;
      },
    };
  }

  #ack(streamId: string): Ack {
    const { streams, thresholdsRevision, clock } = this.#options;
    return {
      have: streams.find(streamId)?.intervals ?? [],
      thresholdsRevision: thresholdsRevision(),
      collectorTimeMs: clock.nowMs(),
    };
  }

  #countRefused(code: ErrorCode): void {
    this.#options.meter
      .counter("brunt_collector_batches_refused_total", "batches refused, by code", { code })
      .add();
  }
}

/** The first 8 bytes of SHA-256: what tells a repetition from a fork. */
function digestOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex").slice(0, 16);
}
