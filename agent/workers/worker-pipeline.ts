/**
 * A worker's part of an agent: OTLP bytes to the cells of its own windows, and everything that
 * needs the spans of all workers handed on: rows for pairing as they come, cells when their window
 * is sealed. It seals when told to, or when late windows take too much room.
 *
 * Rows that the parent has not taken in are bounded: beyond that requests are refused for now.
 */
import { createByteWriter } from "../../base/bytes.ts";
import type { Cancel, Clock } from "../../base/clock.ts";
import type { Meter } from "../../base/meter.ts";
import { type Result, refuse } from "../../base/result.ts";
import { encodeCube } from "../../sketch/cube-codec.ts";
import { encodeHll } from "../../sketch/hll-codec.ts";
import { MetricReducer } from "../metrics/metric-reducer.ts";
import { openKeysMax } from "../reduce/key-admission.ts";
import { Reducer } from "../reduce/reducer.ts";
import type { Ingested } from "../reduce/reducer-metrics.ts";
import { dimensionsOf } from "../reduce/shape-table.ts";
import type { Segment } from "../windows/segment.ts";
import { createThresholdTable, noThresholds } from "../windows/threshold-table.ts";
import { Windows } from "../windows/windows.ts";
import type { FromWorker, SegmentKeys, StartMessage, ToWorker } from "./messages.ts";
import { RowLog } from "./row-log.ts";

export interface WorkerPipelineOptions {
  readonly start: StartMessage;
  readonly clock: Clock;
  readonly meter: Meter;
  /** Copies the message, or its receiver has it before this returns. */
  send(message: FromWorker): void;
}

/** Handing rows on costs about as much for one as for a thousand. */
const rowsPerMessage = 8_192;
const rowsWaitMsMax = 100;
const msPerSecond = 1_000;
/** Told with the other figures. */
export const openSpansName = "brunt_agent_worker_spans_open";
/** About ten mebibytes, on their way or waiting at the parent. */
const rowsInFlightMax = 200_000;

export class WorkerPipeline {
  readonly #options: WorkerPipelineOptions;
  readonly #log = new RowLog();
  readonly #windows: Windows;
  readonly #reducer: Reducer;
  readonly #metrics: MetricReducer;
  readonly #openKeysMax: number;
  /** By open segment: how many of its keys have been told. */
  readonly #told = new Map<number, number>();
  #rowsInFlight = 0;
  #correctionMs = 0;
  #cancelFlush: Cancel | undefined;

  constructor(options: WorkerPipelineOptions) {
    const { start, clock, meter } = options;
    const { config, hashKey, tableKey, epochMs, lateSegmentsMax } = start;
    const { dimensions, customerAttributes, keysMax, hostName } = config;
    this.#options = options;
    this.#openKeysMax = openKeysMax(config);
    const own = { dimensions: dimensionsOf(dimensions), limits: config, lateSegmentsMax };
    const seal = (segment: Segment): void => this.#sealed(segment);
    this.#windows = new Windows({ ...own, seal }, clock.nowMs(), noThresholds);
    const limits = { keysMax, hostName, retryMs: config.retrySeconds * msPerSecond };
    const times = { epochMs, ...limits };
    const settings = { dimensions, customerAttributes, hashKey, tableKey, meter, ...times };
    this.#reducer = new Reducer({ ...settings, windows: this.#windows, memory: this.#log });
    const { metricSeriesMax } = config;
    const { retryMs } = limits;
    const windows = this.#windows;
    this.#metrics = new MetricReducer({
      ...{ windows, meter, dimensions, metricSeriesMax, tableKey, retryMs },
    });
    for (const { thresholds, fromMs } of start.thresholds) this.adopt({ thresholds, fromMs });
    this.correct(start.correctionMs);
    meter.gauge(openSpansName, "Spans in windows of workers that are not sealed yet.", () => {
      let spans = 0;
      for (const segment of this.#windows.open) spans += segment.spans;
      return spans;
    });
  }

  /** Takes one ExportTraceServiceRequest in protobuf; a refused one has changed nothing. */
  ingest(bytes: Uint8Array): Result<Ingested> {
    if (this.#rowsInFlight >= rowsInFlightMax) {
      return refuse("OVERLOADED", "too many spans wait to be paired, try again later");
    }
    const { clock } = this.#options;
    const result = this.#reducer.reduce(bytes, clock.nowMs() + this.#correctionMs);
    if (this.#log.rows >= rowsPerMessage) this.#flush();
    else if (this.#log.rows > 0)
      this.#cancelFlush ??= clock.after(rowsWaitMsMax, () => this.#flush());
    this.#windows.relieve(this.#openKeysMax);
    return result;
  }

  /** The same of one ExportMetricsServiceRequest. */
  ingestMetrics(bytes: Uint8Array): Result<Ingested> {
    const { clock } = this.#options;
    const result = this.#metrics.reduce(bytes, clock.nowMs() + this.#correctionMs);
    this.#windows.relieve(this.#openKeysMax);
    return result;
  }

  adopt({ thresholds, fromMs }: Omit<Extract<ToWorker, { type: "adopt" }>, "type">): void {
    this.#windows.adopt(createThresholdTable(thresholds), fromMs);
  }

  /** Adds so much to our clock and to the times of spans, from now on. */
  correct(correctionMs: number): void {
    this.#correctionMs = correctionMs;
    this.#reducer.correct(correctionMs);
    this.#metrics.correct(correctionMs);
    this.#windows.setBack(this.#options.clock.nowMs() + correctionMs);
  }

  /** The parent has taken in so many rows. */
  taken(rows: number): void {
    this.#rowsInFlight -= rows;
  }

  /** Seals what is due, or everything, and says when all of it has been sent. */
  seal({ turn, nowMs, all }: Omit<Extract<ToWorker, { type: "seal" }>, "type">): void {
    this.#flush();
    if (all) this.#windows.sealAll(nowMs);
    else this.#windows.seal(nowMs);
    this.#windows.takeExpired(nowMs);
    const rejected = this.#reducer.takeRejected();
    this.#options.send({ type: "sealed up to", turn, rejected });
  }

  /** Sends the rows there are; `closing` is a segment of theirs that is not open any more. */
  #flush(closing?: Segment): void {
    this.#cancelFlush?.();
    this.#cancelFlush = undefined;
    const rows = this.#log.rows;
    if (rows === 0) return;
    const open = [...this.#windows.open];
    const segments = this.#newKeys(closing === undefined ? open : [...open, closing]);
    this.#rowsInFlight += rows;
    this.#options.send({ type: "rows", segments, ...this.#log.take() });
  }

  /** Keys that rows of these segments may name and that have not been told. */
  #newKeys(segments: readonly Segment[]): SegmentKeys[] {
    const found: SegmentKeys[] = [];
    for (const segment of segments) {
      const first = this.#told.get(segment.id) ?? 0;
      const { keys } = segment.cube.keys;
      this.#told.set(segment.id, keys.length);
      if (keys.length === first) continue;
      const { id, windowStartMs } = segment;
      found.push({ segment: id, windowStartMs, first, keys: keys.slice(first) });
    }
    return found;
  }

  #sealed(segment: Segment): void {
    this.#flush(segment);
    this.#options.send(sealedMessage(segment));
    this.#told.delete(segment.id);
  }
}

function sealedMessage(segment: Segment): FromWorker {
  const { id, windowStartMs, thresholds, foldedSpans, spans, errors, late } = segment;
  const localServices = [...segment.localServices];
  const cube = createByteWriter();
  encodeCube(cube, segment.cube);
  const demand = createByteWriter();
  encodeHll(demand, segment.demand);
  return {
    type: "sealed",
    segment: id,
    windowStartMs,
    thresholdsRevision: thresholds.revision,
    cube: cube.finish(),
    demand: demand.finish(),
    foldedSpans,
    localServices,
    spans,
    errors,
    late,
  };
}
