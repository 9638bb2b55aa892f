/**
 * The messages of OTLP requests, traces and metrics, as one table: by the name OTLP/JSON gives a
 * field, its number, its type, and the limit it counts towards. The validator and the JSON reader
 * share it.
 *
 *   entries   Uint16Array [messages * 32], by message and field number; 0 = unknown
 *             bits 0-2 wire type + 1, bits 3-7 message + 1 (0 = a scalar), bits 8-10 limit,
 *             bit 11 whether numbers of it may be packed
 *
 * Source: opentelemetry-proto 1.x, collector/trace/v1, collector/metrics/v1, trace/v1, metrics/v1,
 * resource/v1, common/v1.
 */
import {
  countsAttribute,
  countsSpan,
  type FieldType,
  isMessage,
  type MessageName,
  many,
  messageNames,
  one,
  wireOf,
} from "./otlp-fields.ts";
import { metricMessages } from "./otlp-metric-messages.ts";
import { wireBytes } from "./protobuf.ts";

export const fieldsPerMessage = 32;

const countsShift = 8;
const countsMask = 7;
const packedBit = 1 << 11;

export const messages: Readonly<Record<MessageName, Readonly<Record<string, FieldType>>>> = {
  request: { resourceSpans: many(1, "resourceSpans") },
  resourceSpans: {
    resource: one(1, "resource"),
    scopeSpans: many(2, "scopeSpans"),
    schemaUrl: one(3, "text"),
  },
  resource: {
    attributes: many(1, "keyValue", countsAttribute),
    droppedAttributesCount: one(2, "uint32"),
    entityRefs: many(3, "entityRef"),
  },
  entityRef: {
    schemaUrl: one(1, "text"),
    type: one(2, "text"),
    idKeys: many(3, "text"),
    descriptionKeys: many(4, "text"),
  },
  scopeSpans: {
    scope: one(1, "scope"),
    spans: many(2, "span", countsSpan),
    schemaUrl: one(3, "text"),
  },
  scope: {
    name: one(1, "text"),
    version: one(2, "text"),
    attributes: many(3, "keyValue", countsAttribute),
    droppedAttributesCount: one(4, "uint32"),
  },
  span: {
    traceId: one(1, "traceId"),
    spanId: one(2, "spanId"),
    traceState: one(3, "text"),
    parentSpanId: one(4, "spanId"),
    name: one(5, "text"),
    kind: one(6, "enum"),
    startTimeUnixNano: one(7, "fixed64"),
    endTimeUnixNano: one(8, "fixed64"),
    attributes: many(9, "keyValue", countsAttribute),
    droppedAttributesCount: one(10, "uint32"),
    events: many(11, "event"),
    droppedEventsCount: one(12, "uint32"),
    links: many(13, "link"),
    droppedLinksCount: one(14, "uint32"),
    status: one(15, "status"),
    flags: one(16, "fixed32"),
  },
  event: {
    timeUnixNano: one(1, "fixed64"),
    name: one(2, "text"),
    attributes: many(3, "keyValue", countsAttribute),
    droppedAttributesCount: one(4, "uint32"),
  },
  link: {
    traceId: one(1, "traceId"),
    spanId: one(2, "spanId"),
    traceState: one(3, "text"),
    attributes: many(4, "keyValue", countsAttribute),
    droppedAttributesCount: one(5, "uint32"),
    flags: one(6, "fixed32"),
  },
  status: { message: one(2, "text"), code: one(3, "enum") },
  keyValue: { key: one(1, "text"), value: one(2, "anyValue") },
  anyValue: {
    stringValue: one(1, "text"),
    boolValue: one(2, "boolean"),
    intValue: one(3, "int64"),
    doubleValue: one(4, "double"),
    arrayValue: one(5, "arrayValue"),
    kvlistValue: one(6, "kvlist"),
    bytesValue: one(7, "base64"),
  },
  arrayValue: { values: many(1, "anyValue") },
  kvlist: { values: many(1, "keyValue", countsAttribute) },
  ...metricMessages,
};

/** Fields of which a message has at most one. */
export const alternatives: Readonly<Partial<Record<MessageName, ReadonlySet<string>>>> = {
  anyValue: new Set(Object.keys(messages.anyValue)),
  metric: new Set(["gauge", "sum", "histogram", "exponentialHistogram", "summary"]),
  numberDataPoint: new Set(["asDouble", "asInt"]),
  exemplar: new Set(["asDouble", "asInt"]),
};

export const requestMessage = messageNames.indexOf("request");
export const metricsRequestMessage = messageNames.indexOf("metricsRequest");
export const keyValueMessage = messageNames.indexOf("keyValue");
export const anyValueMessage = messageNames.indexOf("anyValue");

export const entries = buildEntries();

function buildEntries(): Uint16Array {
  const table = new Uint16Array(messageNames.length * fieldsPerMessage);
  for (const [index, name] of messageNames.entries()) {
    for (const { number, type, repeated, counts } of Object.values(messages[name])) {
      const wire = isMessage(type) ? wireBytes : wireOf[type];
      const message = isMessage(type) ? messageNames.indexOf(type) + 1 : 0;
      const packed = repeated && wire !== wireBytes ? packedBit : 0;
      table[index * fieldsPerMessage + number] =
        (wire + 1) | (message << 3) | (counts << countsShift) | packed;
    }
  }
  return table;
}

/** The limit that fields of this entry count towards. */
export function countsOf(entry: number): number {
  return (entry >>> countsShift) & countsMask;
}

/** Whether many numbers of this entry may come as one field of bytes. */
export function mayBePacked(entry: number): boolean {
  return (entry & packedBit) !== 0;
}
