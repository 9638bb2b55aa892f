/**
 * The second half of an agent: windows of cells and the memory of spans in, encoded batches out,
 * one for each window and under one stream id. It does not know how either was filled.
 */
import type { Clock } from "../base/clock.ts";
import type { Counter, Meter } from "../base/meter.ts";
import { estimateHll } from "../sketch/hll.ts";
import { type BatchHeader, encodeSketchBatch, type SketchBatch } from "../wire/sketch-batch.ts";
import type { AgentConfig } from "./config.ts";
import type { QueuedBatch } from "./export/batch-queue.ts";
import { SpanMemory } from "./pairing/span-memory.ts";
import { dimensionsOf } from "./reduce/shape-table.ts";
import { sealSegment } from "./windows/seal-segment.ts";
import type { Segment } from "./windows/segment.ts";
import { noThresholds } from "./windows/threshold-table.ts";
import { Windows, windowLengthMs } from "./windows/windows.ts";

export interface BatchMakerOptions {
  readonly config: AgentConfig;
  readonly clock: Clock;
  readonly meter: Meter;
  /** 32 hexadecimal digits; the sequence numbers of this stream start at 1. */
  readonly streamId: string;
  /** Names the hash key without telling it. */
  readonly hashKeyId: string;
  /** 16 random bytes for this process's tables. */
  readonly tableKey: Uint8Array;
  /** Takes an encoded batch, to be delivered in the order given. */
  deliver(batch: QueuedBatch): void;
  /** Whether everything delivered so far has gone out; a heartbeat behind a queue says nothing. */
  isIdle(): boolean;
  /** Spans rejected since this was last asked. */
  takeRejected(): number;
}

const heartbeatMs = 5_000;
/** Closing the gaps of the span memory costs a pass over it, so it is not done at every tick. */
const compactMs = 5_000;
const msPerSecond = 1_000;

export class BatchMaker {
  readonly windows: Windows;
  readonly memory: SpanMemory;
  /** Time zero of the memory. */
  readonly epochMs: number;
  readonly #options: BatchMakerOptions;
  readonly #dimensions: readonly string[];
  readonly #callsDropped: Counter;
  #sequence = 0;
  #streamSpans = 0;
  #lastBatchMs: number;
  #lastCompactMs: number;

  constructor(options: BatchMakerOptions) {
    const { config, clock, meter } = options;
    const nowMs = clock.nowMs();
    this.#options = options;
    this.#dimensions = dimensionsOf(config.dimensions);
    this.epochMs = Math.floor(nowMs / msPerSecond) * msPerSecond;
    this.#lastBatchMs = nowMs;
    this.#lastCompactMs = nowMs;
    const seed = new DataView(options.tableKey.buffer, options.tableKey.byteOffset).getInt32(4);
    this.memory = new SpanMemory({ spansMax: config.spansRememberedMax, seed });
    this.windows = new Windows(
      { dimensions: this.#dimensions, limits: config, seal: (segment) => this.#ship(segment) },
      nowMs,
      noThresholds,
    );
    this.#callsDropped = meter.counter(
      "brunt_agent_calls_dropped_total",
      "Calls counted in no edge because a window has all the edges it may.",
    );
    this.#registerGauges();
  }

  /** Seals what is due and sends heartbeats; to be called every second. */
  tick(nowMs: number): void {
    const sent = this.#sequence;
    const moved = this.windows.seal(nowMs);
    const silent = this.#sequence === sent;
    if (silent && this.#options.isIdle() && (moved || nowMs >= this.#lastBatchMs + heartbeatMs)) {
      this.#heartbeat();
    }
    if (nowMs >= this.#lastCompactMs + compactMs) {
      this.#lastCompactMs = nowMs;
      const expired = this.windows.takeExpired(nowMs);
      if (expired.size > 0) this.memory.release(expired);
    }
  }

  /** Seals every window, due or not: nothing more is coming. */
  sealAll(): void {
    this.windows.sealAll();
  }

  #ship(segment: Segment): void {
    const outcome = sealSegment(segment, {
      memory: this.memory,
      cellLog: this.windows.cellLog,
      tables: this.windows.tables,
      halfEdgesMax: this.#options.config.halfEdgesMax,
      epochMs: this.epochMs,
    });
    this.#callsDropped.add(outcome.callsDropped);
    const { spans, errors, late } = segment;
    const rejected = this.#options.takeRejected();
    this.#sequence++;
    this.#streamSpans += spans;
    this.#deliver({
      ...this.#header(segment.thresholds.revision),
      kind: "window",
      cube: segment.cube,
      halfEdges: outcome.halfEdges,
      halfEdgeShift: outcome.halfEdgeShift,
      counts: { spans, errors, rejected, late, unpaired: outcome.unpaired },
      folded: this.#foldedOf(segment),
      keyDemand: Math.round(estimateHll(segment.demand)),
    });
  }

  #foldedOf(segment: Segment): { dimension: string; spans: number }[] {
    return this.#dimensions
      .map((dimension, index) => ({ dimension, spans: segment.foldedSpans[index] as number }))
      .filter(({ spans }) => spans > 0);
  }

  /** Sent only while nothing waits, so the agent holds no record. */
  #heartbeat(): void {
    const header = this.#header(this.windows.thresholds.revision);
    this.#deliver({ ...header, kind: "heartbeat", oldestSeq: this.#sequence + 1 });
  }

  #header(thresholdsRevision: number): BatchHeader {
    const { config, streamId, hashKeyId } = this.#options;
    return {
      streamId,
      seq: this.#sequence,
      streamSpans: this.#streamSpans,
      agent: config.name,
      watermarkMs: this.windows.watermarkMs,
      hashKeyId,
      thresholdsRevision,
      windowLengthMs,
    };
  }

  #deliver(batch: SketchBatch): void {
    this.#lastBatchMs = this.#options.clock.nowMs();
    const spans = batch.kind === "window" ? batch.counts.spans : 0;
    this.#options.deliver({ bytes: encodeSketchBatch(batch), spans });
  }

  #registerGauges(): void {
    const { meter, clock } = this.#options;
    const { windows, memory } = this;
    meter.gauge("brunt_agent_open_windows", "Windows that take spans.", () => windows.openCount);
    meter.gauge("brunt_agent_keys", "Keys of all open windows.", () => windows.keyCount);
    meter.gauge("brunt_agent_spans_remembered", "Spans kept for pairing.", () => memory.size);
    meter.gauge(
      "brunt_agent_sealed_lag_seconds",
      "Now less the watermark: how far behind the newest sealed window is.",
      () => (clock.nowMs() - windows.watermarkMs) / msPerSecond,
    );
  }
}
