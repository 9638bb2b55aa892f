/**
 * The messages of an OTLP trace request as one table: by the name OTLP/JSON gives a field, its
 * number, its type, and the limit it counts towards. The validator and the JSON reader share it.
 *
 *   entries   Uint16Array [messages * 32], by message and field number; 0 = unknown
 *             bits 0-2 wire type + 1, bits 3-7 message + 1 (0 = a scalar), bits 8-9 limit
 *
 * Source: opentelemetry-proto 1.x, collector/trace/v1, trace/v1, resource/v1, common/v1.
 */
import { wireBytes, wireFixed32, wireFixed64, wireVarint } from "./protobuf.ts";

/** What a repeated field counts towards. */
export const countsNothing = 0;
export const countsSpan = 1;
export const countsAttribute = 2;
const countsElement = 3;

export const fieldsPerMessage = 32;

export type Scalar =
  | "text"
  | "traceId"
  | "spanId"
  | "base64"
  | "boolean"
  | "int64"
  | "uint32"
  | "enum"
  | "double"
  | "fixed64"
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
] as const;
export type MessageName = (typeof messageNames)[number];

const wireOf: Readonly<Record<Scalar, number>> = {
  text: wireBytes,
  traceId: wireBytes,
  spanId: wireBytes,
  base64: wireBytes,
  boolean: wireVarint,
  int64: wireVarint,
  uint32: wireVarint,
  enum: wireVarint,
  double: wireFixed64,
  fixed64: wireFixed64,
  fixed32: wireFixed32,
};

function one(number: number, type: Scalar | MessageName): FieldType {
  return { number, type, repeated: false, counts: countsNothing };
}

function many(number: number, type: Scalar | MessageName, counts = countsElement): FieldType {
  return { number, type, repeated: true, counts };
}

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
};

export const requestMessage = messageNames.indexOf("request");
export const keyValueMessage = messageNames.indexOf("keyValue");
export const anyValueMessage = messageNames.indexOf("anyValue");

export const entries = buildEntries();

function buildEntries(): Uint16Array {
  const table = new Uint16Array(messageNames.length * fieldsPerMessage);
  for (const [index, name] of messageNames.entries()) {
    for (const { number, type, counts } of Object.values(messages[name])) {
      const wire = isMessage(type) ? wireBytes : wireOf[type];
      const message = isMessage(type) ? messageNames.indexOf(type) + 1 : 0;
      table[index * fieldsPerMessage + number] = (wire + 1) | (message << 3) | (counts << 8);
    }
  }
  return table;
}

export function isMessage(type: Scalar | MessageName): type is MessageName {
  return (messageNames as readonly string[]).includes(type);
}
