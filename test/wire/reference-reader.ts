/**
 * A plain reader of OTLP traces, written from the specification and not from the product: it makes
 * an object of everything, throws at what is malformed, and is slow. The product must agree.
 */
import { hexOf } from "./proto-tree.ts";

/** Everything a test wants to know of a span. */
export interface SpanRecord {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly name: string;
  readonly traceState: string;
  readonly kind: number;
  readonly statusCode: number;
  readonly flags: number;
  readonly startNs: bigint;
  readonly endNs: bigint;
  /** Scalars as text; names that are not wanted are left out. */
  readonly attributes: Readonly<Record<string, string>>;
  readonly resource: Readonly<Record<string, string>>;
  readonly links: readonly string[];
  readonly resourceIndex: number;
}

type Wire = { wire: 0; value: bigint } | { wire: 1 | 2 | 5; value: Uint8Array } | { wire: 3 };
type Entry = Wire & { field: number; child?: Message };
type Message = ReadonlyMap<number, readonly Entry[]>;

/** For each message, its fields: a letter for a scalar's wire type, a name for a message. */
const schema: Readonly<Record<string, Readonly<Record<number, string>>>> = {
  Request: { 1: "ResourceSpans" },
  ResourceSpans: { 1: "Resource", 2: "ScopeSpans", 3: "=2" },
  Resource: { 1: "KeyValue", 2: "=0", 3: "EntityRef" },
  EntityRef: { 1: "=2", 2: "=2", 3: "=2", 4: "=2" },
  ScopeSpans: { 1: "Scope", 2: "Span", 3: "=2" },
  Scope: { 1: "=2", 2: "=2", 3: "KeyValue", 4: "=0" },
  Span: {
    ...{ 1: "=2", 2: "=2", 3: "=2", 4: "=2", 5: "=2", 6: "=0", 7: "=1", 8: "=1", 9: "KeyValue" },
    ...{ 10: "=0", 11: "Event", 12: "=0", 13: "Link", 14: "=0", 15: "Status", 16: "=5" },
  },
  Event: { 1: "=1", 2: "=2", 3: "KeyValue", 4: "=0" },
  Link: { 1: "=2", 2: "=2", 3: "=2", 4: "KeyValue", 5: "=0", 6: "=5" },
  Status: { 2: "=2", 3: "=0" },
  KeyValue: { 1: "=2", 2: "AnyValue" },
  AnyValue: { 1: "=2", 2: "=0", 3: "=0", 4: "=1", 5: "ArrayValue", 6: "KeyValueList", 7: "=2" },
  ArrayValue: { 1: "AnyValue" },
  KeyValueList: { 1: "KeyValue" },
};
const valueDepthMax = 32;
const groupDepthMax = 32;
const lossy = new TextDecoder("utf-8", { ignoreBOM: true });

/** The spans of a request whose ids are valid, and how many others there were. */
export function readReference(
  request: Uint8Array,
  wanted: readonly string[],
): { spans: SpanRecord[]; rejected: number } {
  const root = parse(request, "Request", 0);
  const spans: SpanRecord[] = [];
  let rejected = 0;
  for (const [resourceIndex, resourceSpans] of children(root, 1).entries()) {
    const resource = children(resourceSpans, 1).flatMap((one) => children(one, 1));
    for (const scopeSpans of children(resourceSpans, 2)) {
      for (const span of children(scopeSpans, 2)) {
        const record = recordOf(span, { resource, resourceIndex, wanted });
        if (record === undefined) rejected++;
        else spans.push(record);
      }
    }
  }
  return { spans, rejected };
}

function recordOf(
  span: Message,
  context: { resource: Message[]; resourceIndex: number; wanted: readonly string[] },
): SpanRecord | undefined {
  const traceId = hexOf(lastBytes(span, 1));
  const spanId = hexOf(lastBytes(span, 2));
  const parentSpanId = hexOf(lastBytes(span, 4));
  if (!isId(traceId, 32) || !isId(spanId, 16)) return undefined;
  if (parentSpanId !== "" && parentSpanId.length !== 16) return undefined;
  const codes = children(span, 15).flatMap((status) => varints(status, 3));
  return {
    traceId,
    spanId,
    parentSpanId: parentSpanId === "0".repeat(16) ? "" : parentSpanId,
    name: lossy.decode(lastBytes(span, 5)),
    traceState: lossy.decode(lastBytes(span, 3)),
    kind: openEnum(varints(span, 6).at(-1), 5),
    statusCode: openEnum(codes.at(-1), 2),
    flags: Number(littleEndian(lastBytes(span, 16))),
    startNs: littleEndian(lastBytes(span, 7)),
    endNs: littleEndian(lastBytes(span, 8)),
    attributes: attributesOf(children(span, 9), context.wanted),
    resource: attributesOf(context.resource, context.wanted),
    links: children(span, 13)
      .map((link) => [hexOf(lastBytes(link, 1)), hexOf(lastBytes(link, 2))] as const)
      .filter(([trace, id]) => isId(trace, 32) && isId(id, 16))
      .map(([trace, id]) => `${trace}/${id}`),
    resourceIndex: context.resourceIndex,
  };
}

function attributesOf(list: readonly Message[], wanted: readonly string[]): Record<string, string> {
  const found = new Map<string, string>();
  for (const keyValue of list) {
    const name = lastBytes(keyValue, 1);
    const known = wanted.find((one) => isText(name, one));
    if (known !== undefined) found.set(known, scalarText(children(keyValue, 2).at(-1)));
  }
  return Object.fromEntries([...found].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function isText(bytes: Uint8Array, text: string): boolean {
  if (bytes.length < text.length) return false;
  const encoded = new TextEncoder().encode(text);
  return bytes.length === encoded.length && encoded.every((byte, at) => byte === bytes[at]);
}

/** The last field of the oneof decides. */
function scalarText(value: Message | undefined): string {
  const entries = value === undefined ? [] : (orders.get(value) ?? []);
  const entry = entries.filter(({ field }) => field <= 7).at(-1);
  if (entry === undefined) return "";
  if (entry.field === 1 && entry.wire === 2) return lossy.decode(entry.value);
  if (entry.field === 2 && entry.wire === 0) return String(entry.value !== 0n);
  if (entry.field === 3 && entry.wire === 0) return String(BigInt.asIntN(64, entry.value));
  if (entry.field === 4 && entry.wire === 1) {
    return String(new DataView(entry.value.slice().buffer).getFloat64(0, true));
  }
  return "";
}

/** The entries of a message in the order of its bytes. */
const orders = new WeakMap<Message, readonly Entry[]>();

function parse(content: Uint8Array, name: string, valueDepth: number): Message {
  const depth = valueDepth + (name === "AnyValue" ? 1 : 0);
  if (depth > valueDepthMax) throw new Error("too deep");
  const { entries } = readEntries(content, 0, undefined, 0);
  const found = new Map<number, Entry[]>();
  for (const entry of entries) {
    const type = schema[name]?.[entry.field];
    if (type !== undefined) {
      const wire = type.startsWith("=") ? Number(type.slice(1)) : 2;
      if (entry.wire !== wire) throw new Error(`wire type of ${name}.${entry.field}`);
      if (!type.startsWith("=") && entry.wire === 2) {
        entry.child = parse(entry.value, type, depth);
      }
    }
    found.set(entry.field, [...(found.get(entry.field) ?? []), entry]);
  }
  orders.set(found, entries);
  return found;
}

function readEntries(
  content: Uint8Array,
  start: number,
  groupField: number | undefined,
  groups: number,
): { entries: Entry[]; at: number } {
  const entries: Entry[] = [];
  let at = start;
  const take = (size: number): Uint8Array => {
    if (size > content.length - at) throw new Error("ends early");
    at += size;
    return content.subarray(at - size, at);
  };
  const takeVarint = (): bigint => {
    let value = 0n;
    for (let index = 0; index < 10; index++) {
      const byte = take(1)[0] as number;
      value |= BigInt(byte & 0x7f) << BigInt(7 * index);
      if (byte < 0x80) return value;
    }
    throw new Error("varint is too long");
  };
  while (at < content.length || groupField !== undefined) {
    const tag = takeVarint();
    if (tag >= 2n ** 32n || tag < 8n) throw new Error("field number");
    const field = Number(tag >> 3n);
    const wire = Number(tag & 7n);
    if (wire === 4 && field === groupField) return { entries, at };
    if (wire === 0) entries.push({ field, wire, value: takeVarint() });
    else if (wire === 1) entries.push({ field, wire, value: take(8) });
    else if (wire === 5) entries.push({ field, wire, value: take(4) });
    else if (wire === 2) entries.push({ field, wire, value: take(Number(takeVarint())) });
    else if (wire === 3 && groups < groupDepthMax) {
      at = readEntries(content, at, field, groups + 1).at;
      entries.push({ field, wire });
    } else throw new Error(`wire type ${wire}`);
  }
  return { entries, at };
}

function children(parent: Message, field: number): Message[] {
  return (parent.get(field) ?? []).flatMap(({ child }) => (child === undefined ? [] : [child]));
}

function lastBytes(parent: Message, field: number): Uint8Array {
  const entry = parent.get(field)?.at(-1);
  return entry !== undefined && entry.wire !== 0 && entry.wire !== 3
    ? entry.value
    : new Uint8Array(0);
}

function varints(parent: Message, field: number): bigint[] {
  return (parent.get(field) ?? []).flatMap((entry) => (entry.wire === 0 ? [entry.value] : []));
}

function littleEndian(value: Uint8Array): bigint {
  return value.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
}

function openEnum(value: bigint | undefined, max: number): number {
  const low = Number(BigInt.asUintN(32, value ?? 0n));
  return low <= max ? low : 0;
}

function isId(digits: string, length: number): boolean {
  return digits.length === length && /[1-9a-f]/.test(digits);
}
