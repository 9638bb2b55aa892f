/**
 * Everything of an agent but its sockets: OTLP bytes in, encoded batches out. Time and chance are
 * arguments, so the same code runs live, in a replay of recorded traffic, and in tests.
 */
import type { Result } from "../base/result.ts";
import type { Thresholds } from "../wire/agent-link.ts";
import { BatchMaker, type BatchMakerOptions } from "./batch-maker.ts";
import { openKeysMax } from "./reduce/key-admission.ts";
import { type Ingested, Reducer } from "./reduce/reducer.ts";
import { createThresholdTable } from "./windows/threshold-table.ts";

export interface PipelineOptions extends Omit<BatchMakerOptions, "takeRejected"> {
  readonly hashKey: Uint8Array;
}

export class Pipeline {
  readonly #options: PipelineOptions;
  readonly #batches: BatchMaker;
  readonly #reducer: Reducer;
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
    const { dimensions, customerAttributes, keysMax } = config;
    const settings = { dimensions, customerAttributes, keysMax, hashKey, tableKey, meter };
    this.#reducer = new Reducer({ ...settings, windows, memory, epochMs });
  }

  /** Takes one ExportTraceServiceRequest in protobuf; a refused one has changed nothing. */
  ingest(bytes: Uint8Array): Result<Ingested> {
    const result = this.#reducer.reduce(bytes, this.#options.clock.nowMs());
    this.#batches.windows.relieve(this.#openKeysMax);
    return result;
  }

  setThresholds(thresholds: Thresholds): void {
    this.#batches.windows.adopt(createThresholdTable(thresholds));
  }

  /** Seals what is due and sends heartbeats; to be called every second. */
  tick(): void {
    this.#batches.tick(this.#options.clock.nowMs());
  }

  /** Seals every window, due or not: nothing more is coming. */
  sealAll(): void {
    this.#batches.sealAll();
  }
}
