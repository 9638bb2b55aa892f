/**
 * Reads an ExportMetricsServiceRequest: first all of it is checked, then each data point is told,
 * so a malformed request is refused before anybody has counted anything.
 *
 *   Request{1 resource_metrics} > ResourceMetrics{1 resource, 2 scope_metrics}
 *   > ScopeMetrics{1 scope, 2 metrics} > Metric{1 name, 5, 7, 9, 10, 11 its data}
 *
 * Fields may come in any order, a resource even after its metrics: each message is looked through
 * for what its parts share before these are read. Of a scalar that comes twice the last counts, and
 * of several kinds of data in one metric the last kind. Metrics come once in many seconds, so this
 * reader makes an object for each point, where that of spans makes none.
 *
 * Source: opentelemetry-proto 1.x, metrics/v1/metrics.proto.
 */
import { ok, type Result } from "../base/result.ts";
import { utf8Of } from "./any-value.ts";
import type { ByteRange, MetricPoint, MetricSource } from "./metric-point.ts";
import { type Cursor, skipTrusted, trustedVarint } from "./protobuf.ts";
import { attributesIn, nowhere, partsOf } from "./read-metric-attributes.ts";
import { readPoint } from "./read-metric-point.ts";
import { defaultMetricLimits, type TraceLimits, validateMetrics } from "./validate-traces.ts";

export type PointVisitor = (point: MetricPoint) => void;

/** Data fields of a Metric. */
const dataKinds: ReadonlyMap<number, MetricPoint["data"]["kind"]> = new Map([
  [5, "gauge"],
  [7, "sum"],
  [9, "histogram"],
  [10, "exponential histogram"],
  [11, "summary"],
]);
const temporalities = ["unspecified", "delta", "cumulative"] as const;

/** Tells every data point of a valid request, and how many there are. */
export function readMetrics(
  bytes: Uint8Array,
  visit: PointVisitor,
  limits: TraceLimits = defaultMetricLimits,
): Result<number> {
  const valid = validateMetrics(bytes, limits);
  if (!valid.ok) return valid;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (const request of partsOf(bytes, { start: 0, end: bytes.length })) {
    if (request.field === 1) readResourceMetrics(view, bytes, request, visit);
  }
  return ok(valid.value);
}

function readResourceMetrics(
  view: DataView,
  bytes: Uint8Array,
  range: ByteRange,
  visit: PointVisitor,
): void {
  const parts = partsOf(bytes, range);
  const resources = parts.filter(({ field }) => field === 1);
  const resourceAttributes = resources.flatMap((resource) => attributesIn(bytes, resource, 1));
  const resource = resources.at(-1) ?? nowhere;
  for (const scopeMetrics of parts) {
    if (scopeMetrics.field !== 2) continue;
    const inside = partsOf(bytes, scopeMetrics);
    const scope = inside.findLast(({ field }) => field === 1) ?? nowhere;
    const source: MetricSource = { resource, resourceAttributes, scope };
    for (const metric of inside) {
      if (metric.field === 2) readMetric({ view, bytes, source, visit }, metric);
    }
  }
}

interface Reading {
  readonly view: DataView;
  readonly bytes: Uint8Array;
  readonly source: MetricSource;
  readonly visit: PointVisitor;
}

function readMetric(reading: Reading, range: ByteRange): void {
  const { bytes } = reading;
  const parts = partsOf(bytes, range);
  const named = parts.findLast(({ field }) => field === 1) ?? nowhere;
  const name = utf8Of(bytes, named.start, named.end);
  const kindField = parts.findLast(({ field }) => dataKinds.has(field))?.field;
  if (kindField === undefined) return;
  const kind = dataKinds.get(kindField) as MetricPoint["data"]["kind"];
  const datas = parts.filter(({ field }) => field === kindField);
  const metric = { name, ...flagsOf(bytes, datas) };
  for (const data of datas) {
    for (const point of partsOf(bytes, data)) {
      if (point.field !== 1) continue;
      reading.visit({ source: reading.source, metric, ...readPoint(reading, kind, point) });
    }
  }
}

/** Temporality and monotonicity, which stand beside the points. */
function flagsOf(bytes: Uint8Array, datas: readonly ByteRange[]) {
  let temporality: MetricPoint["metric"]["temporality"] = "unspecified";
  let isMonotonic = false;
  for (const { start, end } of datas) {
    const cursor: Cursor = { bytes, pos: start };
    while (cursor.pos < end) {
      const tag = trustedVarint(cursor);
      if (tag === 0x10) temporality = temporalities[trustedVarint(cursor)] ?? "unspecified";
      else if (tag === 0x18) isMonotonic = trustedVarint(cursor) !== 0;
      else skipTrusted(cursor, tag);
    }
  }
  return { temporality, isMonotonic };
}
