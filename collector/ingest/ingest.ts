/**
 * Takes batches in: decode and check, suppress what is already here, make durable, apply, answer.
 *
 * A batch counts once however often it comes: a number already applied is acknowledged again, and
 * one that is just being made durable is answered together with the first. Nothing is acknowledged
 * before it would survive a power cut.
 */
import { createHash } from "node:crypto";
import type { Clock } from "../../base/clock.ts";
import type { ErrorCode } from "../../base/errors.ts";
import type { Meter } from "../../base/meter.ts";
import { ok, type Result, refuse } from "../../base/result.ts";
import type { Ack } from "../../wire/agent-link.ts";
import {
  decodeSketchBatch,
  type SequencedBatch,
  type SketchBatch,
} from "../../wire/sketch-batch.ts";
import type { LogVisitor } from "../store/batch-log.ts";
import type { Store } from "../store/store.ts";
import { silentAfterMs } from "../windows/liveness.ts";
import type { WindowTable } from "../windows/window-table.ts";
import type { StreamRecord, Streams } from "./streams.ts";

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
  /** A batch was applied: windows may be due. */
  readonly onApplied: () => void;
}

export const batchBytesMax = 4 * 2 ** 20;
/** Two machines' clocks may differ by this much. */
const futureMs = 30_000;

type Refusal = Extract<Result<never>, { readonly ok: false }>;

interface Pending {
  readonly digest: string;
  readonly done: Promise<void>;
}

export class Ingest {
  readonly #options: IngestOptions;
  readonly #pending = new Map<string, Pending>();
  /** The key all customers in memory are hashed with, and when it was last used. */
  #hashKey = { id: "", usedMs: Number.NEGATIVE_INFINITY };

  constructor(options: IngestOptions) {
    this.#options = options;
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
    const record = recordOf(batch, bytes);
    if (batch.kind === "heartbeat") {
      const nowMs = this.#options.clock.nowMs();
      if (!this.#options.streams.hasRoomFor(batch.streamId, nowMs)) {
        return refuse("OVERLOADED", "no more streams fit; try again");
      }
      this.#options.streams.hear(record, nowMs);
      this.#options.onApplied();
      return ok(this.#ack(record.streamId));
    }
    // Nothing may come between finding a record new and noting that it is on its way.
    const known = this.#known(record) ?? this.#problemOf(batch);
    if (known !== undefined && !known.ok) return known;
    await (known === undefined ? this.#append(batch, record, bytes) : known.value);
    return ok(this.#ack(record.streamId));
  }

  /** For the very same record, when it is durable; a fork is refused; a new one is undefined. */
  #known(record: StreamRecord): Result<Promise<void>> | undefined {
    const { meter, streams } = this.#options;
    const pending = this.#pending.get(pendingKey(record));
    const known = pending === undefined ? streams.know(record) : undefined;
    if (known === "new") return undefined;
    if (known === "forked" || (pending !== undefined && pending.digest !== record.digest)) {
      return refuse(
        "STREAM_FORKED",
        `stream ${record.streamId} has another batch under number ${record.seq}; take a new stream id`,
      );
    }
    meter
      .counter(
        "brunt_collector_batches_duplicate_total",
        "batches that were here already and were only acknowledged again",
      )
      .add();
    return ok(pending?.done ?? Promise.resolve());
  }

  #problemOf(batch: SketchBatch): Refusal | undefined {
    const { clock, streams, blocked } = this.#options;
    const nowMs = clock.nowMs();
    if (blocked()) return refuse("STORE_WRITE", "closed windows wait for the disk; try again");
    if (!streams.hasRoomFor(batch.streamId, nowMs)) {
      return refuse("OVERLOADED", `${streams.size} streams are known, no more fit; try again`);
    }
    return this.#windowProblem(batch, nowMs) ?? this.#hashKeyProblem(batch, nowMs);
  }

  #windowProblem(batch: SketchBatch, nowMs: number): Refusal | undefined {
    const { windowLengthMs } = this.#options;
    const startMs = startOf(batch);
    if (startMs === undefined) return undefined;
    if (batch.windowLengthMs !== windowLengthMs) {
      return refuse(
        "BATCH_INVALID",
        `windows of ${batch.windowLengthMs} ms, this collector has ${windowLengthMs} ms; set both alike`,
      );
    }
    if (startMs % windowLengthMs !== 0) {
      return refuse("BATCH_INVALID", `window start ${startMs} is not a multiple of its length`);
    }
    if (startMs <= nowMs + futureMs) return undefined;
    return refuse(
      "BATCH_INVALID",
      `window starts ${startMs - nowMs} ms in the future, more than ${futureMs}; check the clock`,
    );
  }

  /** Registers under different keys say nothing about each other, so they are never merged. */
  #hashKeyProblem(batch: SketchBatch, nowMs: number): Refusal | undefined {
    const { windows, store } = this.#options;
    const startMs = startOf(batch) ?? -1;
    const free = nowMs - this.#hashKey.usedMs >= silentAfterMs && windows.openCount === 0;
    const others = [
      free ? "" : this.#hashKey.id,
      windows.hashKeyOf(startMs),
      store.segmentMeta(startMs)?.hashKeyId ?? "",
    ].filter((id) => id !== "" && id !== batch.hashKeyId);
    if (batch.hashKeyId === "") return undefined;
    if (others.length === 0) {
      this.#hashKey = { id: batch.hashKeyId, usedMs: nowMs };
      return undefined;
    }
    return refuse(
      "HASH_KEY_MISMATCH",
      `customers hashed with key ${batch.hashKeyId}, others with ${others[0]}; give all agents one key`,
    );
  }

  async #append(batch: SequencedBatch, record: StreamRecord, bytes: Uint8Array): Promise<void> {
    const { store, clock, onApplied } = this.#options;
    const receivedMs = clock.nowMs();
    const windowStartMs = this.#windowFor(batch, receivedMs);
    const done = store.append({ bytes, receivedMs, windowStartMs }, (lsn) => {
      this.#apply(batch, record, { lsn, receivedMs, windowStartMs });
    });
    this.#pending.set(pendingKey(record), { digest: record.digest, done });
    try {
      await done;
    } finally {
      this.#pending.delete(pendingKey(record));
    }
    onApplied();
  }

  /** The window the batch adds to; undefined when it is a heartbeat or far too old. */
  #windowFor(batch: SketchBatch, nowMs: number): number | undefined {
    const startMs = startOf(batch);
    if (startMs === undefined) return undefined;
    return this.#options.windows.fateOf(startMs, nowMs) === "expired" ? undefined : startMs;
  }

  #apply(
    batch: SequencedBatch,
    record: StreamRecord,
    at: { lsn: number; receivedMs: number; windowStartMs: number | undefined },
  ): void {
    const { streams, windows, meter } = this.#options;
    streams.add(record, at.receivedMs);
    let fate = batch.kind === "window" ? "expired" : batch.kind;
    if (batch.kind === "window" && at.windowStartMs !== undefined) {
      fate = windows.add(batch, at.lsn, this.#options.clock.nowMs());
    }
    meter
      .counter("brunt_collector_batches_applied_total", "batches applied, by where they went", {
        fate,
      })
      .add();
    if (batch.kind !== "window") return;
    const counts: readonly [name: string, help: string, count: number][] = [
      ["spans", "spans in applied batches", batch.counts.spans],
      ["errors", "failed spans in applied batches", batch.counts.errors],
      ["agent_rejected", "spans that agents refused", batch.counts.rejected],
      ["agent_late", "spans that came to agents after their window was sealed", batch.counts.late],
    ];
    for (const [name, help, count] of counts) {
      meter.counter(`brunt_collector_${name}_total`, help).add(count);
    }
  }

  /** Rebuilds dedupe state and open windows from the log, in its order. */
  visitor(countCorrupt: (records: number) => void): LogVisitor {
    const { streams, windows, store, clock } = this.#options;
    return {
      corrupt: countCorrupt,
      head: (state) => {
        if (state.length > 0 && !streams.decode(state)) countCorrupt(1);
      },
      batch: ({ lsn, receivedMs, bytes }) => {
        const decoded = decodeSketchBatch(bytes);
        if (!decoded.ok) {
          countCorrupt(1);
          return undefined;
        }
        const batch = decoded.value;
        const record = recordOf(batch, bytes);
        if (streams.know(record) !== "new") return undefined;
        streams.add(record, receivedMs);
        const startMs = this.#windowFor(batch, clock.nowMs());
        if (
          batch.kind !== "window" ||
          startMs === undefined ||
          lsn <= (store.segmentMeta(startMs)?.lsn ?? 0)
        ) {
          return undefined;
        }
        windows.add(batch, lsn, clock.nowMs());
        this.#hashKey = { id: batch.hashKeyId, usedMs: receivedMs };
        return startMs;
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

function recordOf(batch: SketchBatch, bytes: Uint8Array): StreamRecord {
  return {
    streamId: batch.streamId,
    seq: batch.seq,
    agent: batch.agent,
    watermarkMs: batch.watermarkMs,
    hashKeyId: batch.hashKeyId,
    digest: createHash("sha256").update(bytes).digest("hex").slice(0, 16),
  };
}

function startOf(batch: SketchBatch): number | undefined {
  return batch.kind === "window" ? batch.cube.windowStartMs : undefined;
}

function pendingKey(record: StreamRecord): string {
  return `${record.streamId} ${record.seq}`;
}
