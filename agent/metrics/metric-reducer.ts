/**
 * From the bytes of one OTLP metrics request to the digests of its windows. A request that does not
 * decode changes nothing; a point that cannot be taken is counted, and the others are.
 *
 * A metric's cell has the key of a span's, with the metric's name as operation and the kind
 * "metric"; it holds values and no spans, so nothing that is told about spans knows of it. A point
 * belongs to the window of its time. What a cumulative series adds is known from the point before,
 * which only the process that took it remembers: of several workers each follows for itself.
 */
import type { Meter } from "../../base/meter.ts";
import { ok, type Result } from "../../base/result.ts";
import { metricKind, noKey } from "../../sketch/key.ts";
import { createSipKey, type SipKey, sipHash24 } from "../../sketch/sip-hash.ts";
import { textOf } from "../../wire/any-value.ts";
import type {
  ByteRange,
  LocatedAttribute,
  MetricPoint,
  MetricSource,
  PointData,
} from "../../wire/metric-point.ts";
import { readMetrics } from "../../wire/read-metrics.ts";
import { boundedValue } from "../reduce/bounded-value.ts";
import type { Ingested } from "../reduce/reducer-metrics.ts";
import { environmentOf, serviceOf } from "../reduce/service.ts";
import { refusalOf, type Windows, windowStartOf } from "../windows/windows.ts";
import {
  metricCounters,
  type PointRefusals,
  pointRefusals,
  pointRejectionMessage,
} from "./metric-counters.ts";
import { metricNameOf } from "./metric-name.ts";
import { faultOf } from "./point-faults.ts";
import { addPointValues } from "./point-values.ts";
import { createRequestMemory, type RequestMemory } from "./request-memory.ts";
import { SeriesMemory } from "./series-memory.ts";

export interface MetricReducerOptions {
  readonly windows: Windows;
  readonly meter: Meter;
  readonly dimensions: readonly string[];
  /** Cumulative series followed at a time. */
  readonly metricSeriesMax: number;
  /** 16 bytes of this process alone, for its tables. */
  readonly tableKey: Uint8Array;
  readonly retryMs: number;
}

/** Values to add; a sum's with how long it took to grow so much. */
interface Told {
  readonly data: PointData;
  readonly seconds: number | undefined;
}

/** A request being reduced, with what its newest source says. */
interface Request {
  readonly bytes: Uint8Array;
  readonly nowMs: number;
  readonly refused: PointRefusals;
  firstFault: string;
  source: MetricSource | undefined;
  origin: string;
  resource: ReadonlyMap<string, string>;
}

/** Buckets remembered of each series, on average: those of a usual histogram. */
const numbersPerSeries = 50;
const forgetMs = 60_000;
const msPerSecond = 1_000;

export class MetricReducer {
  readonly #options: MetricReducerOptions;
  readonly #tableKey: SipKey;
  readonly #series: SeriesMemory;
  readonly #requests: RequestMemory;
  readonly #metrics;
  readonly #hash = new Uint32Array(2);
  #correctionMs = 0;
  #forgottenMs = 0;

  constructor(options: MetricReducerOptions) {
    const { metricSeriesMax: seriesMax, meter } = options;
    this.#options = options;
    this.#tableKey = createSipKey(options.tableKey);
    this.#series = new SeriesMemory({ seriesMax, numbersMax: seriesMax * numbersPerSeries });
    this.#requests = createRequestMemory(options.retryMs);
    this.#metrics = metricCounters(meter);
    meter.gauge(
      "brunt_agent_metric_series",
      "Cumulative series of metrics that are followed.",
      () => this.#series.size,
    );
  }

  /** Reduces one ExportMetricsServiceRequest in protobuf. */
  reduce(bytes: Uint8Array, nowMs: number): Result<Ingested> {
    const counters = this.#metrics;
    counters.bytes.add(bytes.length);
    const name = this.#hashOf(bytes, [{ start: 0, end: bytes.length }]);
    const known = this.#requests.find(name, nowMs);
    if (known !== undefined) {
      counters.retried.add();
      return ok(known);
    }
    this.#forgetIdle(nowMs);
    const refused: PointRefusals = { past: 0, future: 0, crowded: 0, invalid: 0, keys: 0 };
    const request: Request = {
      ...{ bytes, nowMs, refused },
      ...{ firstFault: "", source: undefined, origin: "", resource: new Map() },
    };
    const read = readMetrics(bytes, (point) => this.#take(request, point));
    if (!read.ok) {
      counters.requestsRefused.add();
      return read;
    }
    counters.received.add(read.value);
    for (const reason of pointRefusals) counters.rejected[reason].add(refused[reason]);
    const rejected = pointRefusals.reduce((sum, reason) => sum + refused[reason], 0);
    const message = pointRejectionMessage(refused, request.firstFault);
    const ingested = { accepted: read.value - rejected, rejected, message };
    if (read.value > 0) this.#requests.add(name, ingested, nowMs);
    return ok(ingested);
  }

  /** Adds so much to the times of all points that come. */
  correct(correctionMs: number): void {
    this.#correctionMs = correctionMs;
  }

  #take(request: Request, point: MetricPoint): void {
    const { refused, nowMs } = request;
    if (point.isMissing) return;
    const fault = faultOf(point);
    if (fault !== undefined) {
      refused.invalid++;
      request.firstFault ||= fault;
      return;
    }
    const timeMs = point.timeMs + this.#correctionMs;
    const refusal = refusalOf(timeMs, nowMs);
    if (refusal !== undefined) {
      refused[refusal]++;
      return;
    }
    this.#enterSource(request, point.source);
    const told = this.#toldBy(request, point);
    if (told !== undefined) this.#add(request, point, { ...told, timeMs });
  }

  #enterSource(request: Request, source: MetricSource): void {
    if (request.source === source) return;
    const { bytes } = request;
    request.source = source;
    request.origin = this.#hashOf(bytes, [source.resource, source.scope]);
    request.resource = textsOf(bytes, source.resourceAttributes);
  }

  #add(request: Request, point: MetricPoint, told: Told & { readonly timeMs: number }): void {
    const segment = this.#options.windows.segmentAt(windowStartOf(told.timeMs));
    if (segment === undefined) {
      request.refused.crowded++;
      return;
    }
    const key = segment.admission.admitMetric(this.#keyOf(request, point));
    if (key === noKey) {
      request.refused.keys++;
      return;
    }
    const { cells } = segment.cube;
    const row = cells.rowFor(key);
    addPointValues(told.data, told.seconds, (value, weight) => {
      if (!cells.addValue(row, value, weight)) this.#metrics.values.add();
    });
  }

  /** What the point says by itself or with the one before it; undefined when that is nothing. */
  #toldBy(request: Request, point: MetricPoint): Told | undefined {
    const { metric, data } = point;
    const isLevel =
      data.kind === "gauge" ||
      data.kind === "summary" ||
      (data.kind === "sum" && !metric.isMonotonic && metric.temporality === "cumulative");
    if (isLevel) return { data, seconds: undefined };
    const change =
      metric.temporality === "delta"
        ? deltaOf(point)
        : this.#series.advance(this.#seriesOf(request, point), point, request.nowMs);
    if (typeof change !== "string") return change;
    this.#metrics.silent[change].add();
    return undefined;
  }

  /** Attributes may come in any order, so their hashes are added up. */
  #seriesOf({ bytes, origin }: Request, { metric, attributes }: MetricPoint): string {
    const own = this.#hashOf(
      bytes,
      attributes.map(({ whole }) => whole),
    );
    return `${metric.name}\u0000${origin}.${own}`;
  }

  #hashOf(bytes: Uint8Array, ranges: readonly ByteRange[]): string {
    const hash = this.#hash;
    let [low, high] = [0, 0];
    for (const { start, end } of ranges) {
      sipHash24(this.#tableKey, bytes, start, end, hash);
      low = (low + (hash[0] as number)) >>> 0;
      high = (high + (hash[1] as number)) >>> 0;
    }
    return `${low.toString(36)}.${high.toString(36)}`;
  }

  #keyOf({ bytes, resource }: Request, { metric, attributes }: MetricPoint): string[] {
    const { dimensions } = this.#options;
    const texts = dimensions.length === 0 ? resource : textsOf(bytes, attributes);
    const facts = { resource: (name: string) => resource.get(name) ?? "" };
    return [
      serviceOf(facts),
      metricNameOf(metric.name, attributes, bytes),
      metricKind,
      "",
      facts.resource("service.version"),
      environmentOf(facts),
      facts.resource("cloud.region"),
      ...dimensions.map((name) => texts.get(name) || facts.resource(name)),
    ].map(boundedValue);
  }

  #forgetIdle(nowMs: number): void {
    if (Math.abs(nowMs - this.#forgottenMs) < forgetMs) return;
    this.#forgottenMs = nowMs;
    this.#series.forgetIdle(nowMs);
  }
}

/** A delta tells by itself how long it took; one of no time at all has no rate. */
function deltaOf({ data, startMs, timeMs }: MetricPoint): Told | "instant" {
  if (data.kind !== "sum") return { data, seconds: undefined };
  const seconds = (timeMs - startMs) / msPerSecond;
  return seconds > 0 ? { data, seconds } : "instant";
}

/** Of two attributes with one name the last counts. */
function textsOf(
  bytes: Uint8Array,
  attributes: readonly LocatedAttribute[],
): ReadonlyMap<string, string> {
  return new Map(
    attributes.map(({ name, value }) => [name, textOf(bytes, value.start, value.end)]),
  );
}
