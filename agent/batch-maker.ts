/**
 * The second half of an agent: windows of cells and the memory of spans in, sealed windows out; or
 * minutes of them while the collector is away. It does not know how either was filled.
 */
import type { Clock } from "../base/clock.ts";
import type { Counter, Meter } from "../base/meter.ts";
import { estimateHll } from "../sketch/hll.ts";
import type { AgentConfig } from "./config.ts";
import type { ReadProc } from "./host/host-counters.ts";
import { HostMetrics } from "./host/host-metrics.ts";
import { SpanMemory } from "./pairing/span-memory.ts";
import { tableKeysMax } from "./reduce/key-admission.ts";
import { dimensionsOf } from "./reduce/shape-table.ts";
import { CoarseWindows, coarseLengthMs } from "./windows/coarse-windows.ts";
import { sealSegment } from "./windows/seal-segment.ts";
import type { SealedWindow } from "./windows/sealed-window.ts";
import { edgesMax, type Segment } from "./windows/segment.ts";
import { noThresholds } from "./windows/threshold-table.ts";
import { Windows, windowLengthMs } from "./windows/windows.ts";

export interface BatchMakerOptions {
  readonly config: AgentConfig;
  /** Corrected by what the collector says the time is. */
  readonly clock: Clock;
  readonly meter: Meter;
  /** How this host's metrics are read; undefined where they cannot be. */
  readonly readProc?: ReadProc | undefined;
  /** 16 random bytes for this process's tables. */
  readonly tableKey: Uint8Array;
  /** Takes a sealed window, to be delivered. */
  deliver(window: SealedWindow): void;
  /** Called after each tick, with how far all windows are delivered. */
  onTick(told: { readonly watermarkMs: number; readonly thresholdsRevision: number }): void;
  /** Whether the collector has been away for so long that bytes are to be saved. */
  isAway(): boolean;
  /** Spans rejected since this was last asked. */
  takeRejected(): number;
}

/** Closing the gaps of the span memory costs a pass over it, so it is not done at every tick. */
const compactMs = 5_000;
const msPerSecond = 1_000;
const windowsPerMinute = coarseLengthMs / windowLengthMs;

export class BatchMaker {
  readonly windows: Windows;
  readonly memory: SpanMemory;
  /** Time zero of the memory. */
  readonly epochMs: number;
  readonly #options: BatchMakerOptions;
  readonly #dimensions: readonly string[];
  readonly #coarse: CoarseWindows;
  readonly #callsDropped: Counter;
  readonly #coarsened: Counter;
  readonly #host: HostMetrics | undefined;
  #isCoarse = false;
  #lastCompactMs: number;

  constructor(options: BatchMakerOptions) {
    const { config, clock, meter } = options;
    const nowMs = clock.nowMs();
    this.#options = options;
    this.#dimensions = dimensionsOf(config.dimensions);
    this.epochMs = Math.floor(nowMs / msPerSecond) * msPerSecond;
    this.#lastCompactMs = nowMs;
    const seed = new DataView(options.tableKey.buffer, options.tableKey.byteOffset).getInt32(4);
    this.memory = new SpanMemory({ spansMax: config.spansRememberedMax, seed });
    this.windows = new Windows(
      { dimensions: this.#dimensions, limits: config, seal: (segment) => this.#ship(segment) },
      nowMs,
      noThresholds,
    );
    this.#coarse = new CoarseWindows({
      keysMax: windowsPerMinute * tableKeysMax(config),
      edgesMax: windowsPerMinute * edgesMax,
    });
    this.#callsDropped = meter.counter(
      "brunt_agent_calls_dropped_total",
      "Calls counted in no edge because a window has all the edges it may.",
    );
    this.#coarsened = meter.counter(
      "brunt_agent_windows_coarsened_total",
      "Windows put together to minutes, as the collector was away for long.",
    );
    this.#host = hostMetricsOf(options);
    this.#registerGauges();
  }

  /** Spans of windows that are not delivered yet. */
  get openSpans(): number {
    let spans = this.#coarse.spans;
    for (const segment of this.windows.open) spans += segment.spans;
    return spans;
  }

  /** Seals what is due; to be called every second. */
  tick(nowMs: number): void {
    this.#isCoarse = this.#options.isAway();
    this.#host?.tick(nowMs);
    this.windows.seal(nowMs);
    const { watermarkMs } = this.windows;
    const due = this.#isCoarse
      ? this.#coarse.takeDue(watermarkMs)
      : this.#coarse.takeAll(watermarkMs);
    for (const minute of due) this.#options.deliver(minute);
    this.#tell();
    if (nowMs >= this.#lastCompactMs + compactMs || nowMs < this.#lastCompactMs) {
      this.#lastCompactMs = nowMs;
      const expired = this.windows.takeExpired(nowMs);
      if (expired.size > 0) this.memory.release(expired);
    }
  }

  /** Seals every window, due or not: nothing more is coming. */
  sealAll(nowMs: number): void {
    this.#isCoarse = false;
    this.windows.sealAll(nowMs);
    for (const minute of this.#coarse.takeAll(this.windows.watermarkMs)) {
      this.#options.deliver(minute);
    }
    this.#tell();
  }

  #tell(): void {
    this.#options.onTick({
      watermarkMs: this.#coarse.watermarkMs(this.windows.watermarkMs),
      thresholdsRevision: this.windows.thresholds.revision,
    });
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
    this.#host?.addTo(segment);
    const { spans, errors, late, demand } = segment;
    const rejected = this.#options.takeRejected();
    const window: SealedWindow = {
      cube: segment.cube,
      halfEdges: outcome.halfEdges,
      halfEdgeShift: outcome.halfEdgeShift,
      counts: { spans, errors, rejected, late, unpaired: outcome.unpaired },
      folded: this.#foldedOf(segment),
      keyDemand: Math.round(estimateHll(demand)),
      thresholdsRevision: segment.thresholds.revision,
      windowLengthMs,
      watermarkMs: this.#coarse.watermarkMs(this.windows.watermarkMs),
    };
    if (this.#isCoarse) this.#coarsen(window, segment);
    else this.#options.deliver(window);
  }

  #coarsen(window: SealedWindow, { demand, late, spans }: Segment): void {
    this.#coarsened.add();
    const out = this.#coarse.add(window, { demand, isLate: late === spans });
    for (const minute of out) this.#options.deliver(minute);
  }

  #foldedOf(segment: Segment): { dimension: string; spans: number }[] {
    return this.#dimensions
      .map((dimension, index) => ({ dimension, spans: segment.foldedSpans[index] as number }))
      .filter(({ spans }) => spans > 0);
  }

  #registerGauges(): void {
    const { meter, clock } = this.#options;
    const { windows, memory } = this;
    meter.gauge("brunt_agent_open_windows", "Windows that take spans.", () => windows.openCount);
    meter.gauge("brunt_agent_keys", "Keys of all open windows.", () => windows.keyCount);
    meter.gauge(
      "brunt_agent_spans_open",
      "Spans in windows that are not sealed yet.",
      () => this.openSpans,
    );
    meter.gauge("brunt_agent_spans_remembered", "Spans kept for pairing.", () => memory.size);
    meter.gauge(
      "brunt_agent_sealed_lag_seconds",
      "Now less the watermark: how far behind the newest sealed window is.",
      () => (clock.nowMs() - windows.watermarkMs) / msPerSecond,
    );
  }
}

function hostMetricsOf({ config, meter, readProc }: BatchMakerOptions): HostMetrics | undefined {
  const { hostMetrics, hostName } = config;
  if (!hostMetrics || hostName === "" || readProc === undefined) return undefined;
  return new HostMetrics({ read: readProc, hostName, dimensions: config.dimensions, meter });
}
