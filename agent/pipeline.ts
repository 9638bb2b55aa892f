/**
 * Everything of an agent but its ways in and out: OTLP bytes in, sealed windows out. Time and
 * chance are arguments, so the same code runs live, in a replay of recorded traffic, and in tests.
 */
import type { Result } from "../base/result.ts";
import type { Thresholds } from "../wire/agent-link.ts";
import { BatchMaker, type BatchMakerOptions } from "./batch-maker.ts";
import { MetricReducer } from "./metrics/metric-reducer.ts";
import { openKeysMax } from "./reduce/key-admission.ts";
import { Reducer } from "./reduce/reducer.ts";
import type { Ingested } from "./reduce/reducer-metrics.ts";
import { createThresholdTable } from "./windows/threshold-table.ts";

export interface PipelineOptions extends Omit<BatchMakerOptions, "takeRejected"> {
  readonly hashKey: Uint8Array;
}

const msPerSecond = 1_000;

export class Pipeline {
  readonly #options: PipelineOptions;
  readonly #batches: BatchMaker;
  readonly #reducer: Reducer;
  readonly #metrics: MetricReducer;
  readonly #openKeysMax: number;

  constructor(options: PipelineOptions) {
    const { config, meter, hashKey, tableKey } = options;
    this.#options = options;
    this.#openKeysMax = openKeysMax(config);
    this.#batches = new BatchMaker({
      ...options,
      takeRejected: () => this.#reducer.takeRejected(),
    });
    const { windows, memory, epochMs } = this.#batches;
    const { dimensions, customerAttributes, keysMax, hostName } = config;
    const retryMs = config.retrySeconds * msPerSecond;
    const limits = { keysMax, retryMs, hostName };
    const settings = { dimensions, customerAttributes, hashKey, tableKey, meter, ...limits };
    this.#reducer = new Reducer({ ...settings, windows, memory, epochMs });
    const { metricSeriesMax } = config;
    this.#metrics = new MetricReducer({
      ...{ windows, meter, dimensions, metricSeriesMax, tableKey, retryMs },
    });
  }

  /** Takes one ExportTraceServiceRequest in protobuf; a refused one has changed nothing. */
  ingest(bytes: Uint8Array): Result<Ingested> {
    const result = this.#reducer.reduce(bytes, this.#options.clock.nowMs());
    this.#batches.windows.relieve(this.#openKeysMax);
    return result;
  }

  /** The same of one ExportMetricsServiceRequest. */
  ingestMetrics(bytes: Uint8Array): Result<Ingested> {
    const result = this.#metrics.reduce(bytes, this.#options.clock.nowMs());
    this.#batches.windows.relieve(this.#openKeysMax);
    return result;
  }

  setThresholds(thresholds: Thresholds): void {
    this.#batches.windows.adopt(createThresholdTable(thresholds));
  }

  /** Spans of windows that are not delivered yet. */
  get openSpans(): number {
    return this.#batches.openSpans;
  }

  /** The clock has been corrected: spans are from now on, and windows of the future again. */
  correct(correctionMs: number): void {
    this.#reducer.correct(correctionMs);
    this.#metrics.correct(correctionMs);
    this.#batches.windows.setBack(this.#options.clock.nowMs());
  }

  /** Seals what is due; to be called every second. */
  tick(): void {
    this.#batches.tick(this.#options.clock.nowMs());
  }

  /** Seals every window, due or not: nothing more is coming. */
  sealAll(): void {
    this.#batches.sealAll(this.#options.clock.nowMs());
  }
}
