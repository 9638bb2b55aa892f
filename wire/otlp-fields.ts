/**
 * How `otlp-messages.ts` says what a field is: its number, its type, what it counts towards.
 */
import { wireBytes, wireFixed32, wireFixed64, wireVarint } from "./protobuf.ts";

/** What a repeated field counts towards. */
export const countsNothing = 0;
export const countsSpan = 1;
export const countsAttribute = 2;
export const countsElement = 3;
export const countsPoint = 4;

export type Scalar =
  | "text"
  | "traceId"
  | "spanId"
  | "base64"
  | "boolean"
  | "int64"
  | "uint64"
  | "uint32"
  | "sint32"
  | "enum"
  | "double"
  | "fixed64"
  | "sfixed64"
  | "fixed32";

export interface FieldType {
  readonly number: number;
  /** A scalar, or the message this field holds. */
  readonly type: Scalar | MessageName;
  readonly repeated: boolean;
  readonly counts: number;
}

export const messageNames = [
  "request",
  "resourceSpans",
  "resource",
  "entityRef",
  "scopeSpans",
  "scope",
  "span",
  "event",
  "link",
  "status",
  "keyValue",
  "anyValue",
  "arrayValue",
  "kvlist",
  "metricsRequest",
  "resourceMetrics",
  "scopeMetrics",
  "metric",
  "gauge",
  "sum",
  "histogram",
  "exponentialHistogram",
  "summary",
  "numberDataPoint",
  "histogramDataPoint",
  "exponentialHistogramDataPoint",
  "buckets",
  "summaryDataPoint",
  "valueAtQuantile",
  "exemplar",
] as const;
export type MessageName = (typeof messageNames)[number];

export const wireOf: Readonly<Record<Scalar, number>> = {
  text: wireBytes,
  traceId: wireBytes,
  spanId: wireBytes,
  base64: wireBytes,
  boolean: wireVarint,
  int64: wireVarint,
  uint64: wireVarint,
  uint32: wireVarint,
  sint32: wireVarint,
  enum: wireVarint,
  double: wireFixed64,
  fixed64: wireFixed64,
  sfixed64: wireFixed64,
  fixed32: wireFixed32,
};

export function one(number: number, type: Scalar | MessageName): FieldType {
  return { number, type, repeated: false, counts: countsNothing };
}

export function many(
  number: number,
  type: Scalar | MessageName,
  counts = countsElement,
): FieldType {
  return { number, type, repeated: true, counts };
}

export function isMessage(type: Scalar | MessageName): type is MessageName {
  return (messageNames as readonly string[]).includes(type);
}
