/**
 * Cuts a recorded ExportTraceServiceRequest (protobuf) by the end time of its spans, so that a
 * replay can deliver each span at its own time. Resources and scopes are repeated in every slice
 * that needs them; spans are copied byte for byte, in order, each into exactly one slice.
 *
 *   ExportTraceServiceRequest  1 resource_spans
 *   ResourceSpans              1 resource   2 scope_spans   3 schema_url
 *   ScopeSpans                 1 scope      2 spans         3 schema_url
 *   Span                       7 start_time_unix_nano   8 end_time_unix_nano (fixed64)
 *
 * Source: opentelemetry-proto, trace/v1/trace.proto. The bytes must have been validated before.
 */
import { skipTrusted, trustedVarint, wireBytes, wireFixed64 } from "../../wire/protobuf.ts";

export interface Slice {
  /** End time of its spans, rounded down to the slice length; epoch milliseconds. */
  readonly startMs: number;
  readonly bytes: Uint8Array;
}

interface FieldView {
  readonly number: number;
  readonly wireType: number;
  /** The whole field, tag included. */
  readonly start: number;
  readonly end: number;
  /** The payload: after tag and length. */
  readonly bodyStart: number;
}

/** In order of time. */
export function sliceRequest(bytes: Uint8Array, sliceMs: number): Slice[] {
  const slices = new Map<number, Uint8Array[]>();
  for (const field of fieldsOf(bytes, 0, bytes.length)) {
    if (field.number !== 1 || field.wireType !== wireBytes) continue;
    for (const [startMs, body] of sliceResource(bytes, field, sliceMs)) {
      listOf(slices, startMs).push(lengthDelimited(1, body));
    }
  }
  return [...slices]
    .sort(([a], [b]) => a - b)
    .map(([startMs, parts]) => ({ startMs, bytes: concat(parts) }));
}

function sliceResource(
  bytes: Uint8Array,
  resource: FieldView,
  sliceMs: number,
): Map<number, Uint8Array> {
  const common: Uint8Array[] = [];
  const scopes = new Map<number, Uint8Array[]>();
  for (const field of fieldsOf(bytes, resource.bodyStart, resource.end)) {
    if (isCommon(field)) common.push(bytes.subarray(field.start, field.end));
    if (field.number !== 2 || field.wireType !== wireBytes) continue;
    for (const [startMs, body] of sliceScope(bytes, field, sliceMs)) {
      listOf(scopes, startMs).push(lengthDelimited(2, body));
    }
  }
  return mapValues(scopes, (parts) => concat([...common, ...parts]));
}

function sliceScope(bytes: Uint8Array, scope: FieldView, sliceMs: number): Map<number, Uint8Array> {
  const common: Uint8Array[] = [];
  const spans = new Map<number, Uint8Array[]>();
  for (const field of fieldsOf(bytes, scope.bodyStart, scope.end)) {
    const whole = bytes.subarray(field.start, field.end);
    if (isCommon(field)) common.push(whole);
    if (field.number !== 2 || field.wireType !== wireBytes) continue;
    const endMs = spanEndMs(bytes, field);
    listOf(spans, Math.floor(endMs / sliceMs) * sliceMs).push(whole);
  }
  return mapValues(spans, (parts) => concat([...common, ...parts]));
}

function isCommon({ number, wireType }: FieldView): boolean {
  return (number === 1 || number === 3) && wireType === wireBytes;
}

/** A span that never says when it ended counts at its start. */
function spanEndMs(bytes: Uint8Array, span: FieldView): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let startMs = 0;
  let endMs = 0;
  for (const field of fieldsOf(bytes, span.bodyStart, span.end)) {
    if (field.wireType !== wireFixed64) continue;
    const atMs = Number(view.getBigUint64(field.bodyStart, true) / 1_000_000n);
    if (field.number === 7) startMs = atMs;
    if (field.number === 8) endMs = atMs;
  }
  return endMs === 0 ? startMs : endMs;
}

function* fieldsOf(bytes: Uint8Array, start: number, end: number): Generator<FieldView> {
  const cursor = { bytes, pos: start };
  while (cursor.pos < end) {
    const fieldStart = cursor.pos;
    const tag = trustedVarint(cursor);
    const wireType = tag & 7;
    let bodyStart = cursor.pos;
    if (wireType === wireBytes) {
      const size = trustedVarint(cursor);
      bodyStart = cursor.pos;
      cursor.pos += size;
    } else {
      skipTrusted(cursor, tag);
    }
    yield { number: tag >>> 3, wireType, start: fieldStart, end: cursor.pos, bodyStart };
  }
}

function lengthDelimited(number: number, body: Uint8Array): Uint8Array {
  const head = [number * 8 + 2];
  let rest = body.length;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) head.push((rest % 0x80) | 0x80);
  head.push(rest);
  return concat([Uint8Array.from(head), body]);
}

function listOf<T>(lists: Map<number, T[]>, key: number): T[] {
  let list = lists.get(key);
  if (list === undefined) {
    list = [];
    lists.set(key, list);
  }
  return list;
}

function mapValues<T, U>(map: ReadonlyMap<number, T>, change: (value: T) => U): Map<number, U> {
  return new Map([...map].map(([key, value]) => [key, change(value)]));
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}
