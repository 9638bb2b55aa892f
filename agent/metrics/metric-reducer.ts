/**
 * From the bytes of one OTLP metrics request to the digests of its windows. A request that does not
 * decode changes nothing; a point that cannot be taken is counted, and the others are.
 *
 * A metric's cell has the key of a span's, with the metric's name as operation and the kind
 * "metric"; it holds values and no spans, so nothing that is told about spans knows of it. A point
 * belongs to the window of its time. What a cumulative series adds is known from the point before,
 * which only the process that took it remembers: of several workers each follows for itself.
 */
import { createHash } from "node:crypto";
import type { Meter } from "../../base/meter.ts";
import { ok, type Result } from "../../base/result.ts";
import { noKey } from "../../sketch/key.ts";
import { createSipKey, type SipKey, sipHash24 } from "../../sketch/sip-hash.ts";
import type { MetricHead, MetricPoint, MetricSource, PointData } from "../../wire/metric-point.ts";
import { readMetrics } from "../../wire/read-metrics.ts";
import type { Ingested } from "../reduce/reducer-metrics.ts";
import type { Segment } from "../windows/segment.ts";
import { refusalOf, type Windows, windowStartOf } from "../windows/windows.ts";
import {
  metricCounters,
  type PointRefusals,
  pointRefusals,
  pointRejectionMessage,
} from "./metric-counters.ts";
import { MetricKeys, type RequestBytes, type ResourceValues } from "./metric-keys.ts";
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
interface Request extends RequestBytes {
  readonly nowMs: number;
  readonly refused: PointRefusals;
  firstFault: string;
  source: MetricSource | undefined;
  origin: readonly [number, number];
  resource: ResourceValues | undefined;
  /** Where the points of a metric went last that have nothing of their own in their key. */
  place: Place | undefined;
}

interface Place {
  readonly metric: MetricHead;
  readonly segment: Segment;
  readonly row: number;
}

/** Buckets remembered of each series, on average: those of a usual histogram. */
const numbersPerSeries = 50;
const forgetMs = 60_000;
/** There is no room for the metric. */
const noRow = -1;
const msPerSecond = 1_000;

export class MetricReducer {
  readonly #options: MetricReducerOptions;
  readonly #tableKey: SipKey;
  readonly #series: SeriesMemory;
  readonly #requests: RequestMemory;
  readonly #metrics;
  readonly #keys: MetricKeys;
  readonly #hash = new Uint32Array(2);
  #correctionMs = 0;
  #forgottenMs = 0;

  constructor(options: MetricReducerOptions) {
    const { metricSeriesMax: seriesMax, meter } = options;
    this.#options = options;
    this.#tableKey = createSipKey(options.tableKey);
    this.#series = new SeriesMemory({ seriesMax, numbersMax: seriesMax * numbersPerSeries });
    this.#requests = createRequestMemory(options.retryMs);
    this.#keys = new MetricKeys(options.dimensions);
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
    const name = createHash("sha256").update(bytes).digest("base64");
    const known = this.#requests.find(name, nowMs);
    if (known !== undefined) {
      counters.retried.add();
      return ok(known);
    }
    this.#forgetIdle(nowMs);
    const refused: PointRefusals = { past: 0, future: 0, crowded: 0, invalid: 0, keys: 0 };
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const request: Request = {
      ...{ bytes, view, nowMs, refused, firstFault: "", origin: [0, 0] },
      ...{ source: undefined, resource: undefined, place: undefined },
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
    request.place = undefined;
    request.origin = this.#originOf(bytes, source);
    request.resource = this.#keys.valuesOf(request, source.resourceAttributes);
  }

  #add(request: Request, point: MetricPoint, told: Told & { readonly timeMs: number }): void {
    const segment = this.#options.windows.segmentAt(windowStartOf(told.timeMs));
    if (segment === undefined) {
      request.refused.crowded++;
      return;
    }
    const row = this.#rowOf(request, point, segment);
    if (row === noRow) {
      request.refused.keys++;
      return;
    }
    const { cells } = segment.cube;
    addPointValues(told.data, told.seconds, (value, weight) => {
      if (!cells.addValue(row, value, weight)) this.#metrics.values.add();
    });
  }

  /** The row of the point's key; most points of a metric have the same. */
  #rowOf(request: Request, { metric, attributes }: MetricPoint, segment: Segment): number {
    const { place, resource } = request;
    const wanted = this.#keys.wantedOf(request, attributes);
    const isSame = place?.metric === metric && place.segment === segment;
    if (isSame && wanted === undefined) return place.row;
    const key = segment.admission.admitMetric(
      this.#keys.keyOf(resource as ResourceValues, metric.name, wanted),
    );
    const row = key === noKey ? noRow : segment.cube.cells.rowFor(key);
    if (wanted === undefined) request.place = { metric, segment, row };
    return row;
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
    const hash = this.#hash;
    let [low, high] = origin;
    for (const { wholeStart, wholeEnd } of attributes) {
      sipHash24(this.#tableKey, bytes, wholeStart, wholeEnd, hash);
      low = (low + (hash[0] as number)) >>> 0;
      high = (high + (hash[1] as number)) >>> 0;
    }
    return `${low.toString(36)}.${high.toString(36)} ${metric.name}`;
  }

  /** Of resource and scope together. */
  #originOf(bytes: Uint8Array, { resource, scope }: MetricSource): [number, number] {
    const hash = this.#hash;
    sipHash24(this.#tableKey, bytes, resource.start, resource.end, hash);
    const [low, high] = [hash[0] as number, hash[1] as number];
    sipHash24(this.#tableKey, bytes, scope.start, scope.end, hash);
    // Not the sum of both, or what one has could as well be the other's.
    return [(low ^ Math.imul(hash[0] as number, 0x9e3779b1)) >>> 0, high ^ (hash[1] as number)];
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
