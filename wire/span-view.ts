/**
 * One span as the reader found it: numbers and places in the request's bytes, no strings. The
 * reader owns it and overwrites it for the next span, so whoever keeps something copies it.
 *
 *   ids           unsigned 32-bit words, most significant first; 0,0 for no parent
 *   times         unsigned nanoseconds since the epoch, as two such words
 *   ranges        offsets [start, end) into `bytes`
 *   attributes    for each slot the range of its AnyValue; a start of 0 means absent
 *   links         six words each: four of the trace id, two of the span id
 */
import type { AttributeSlots } from "./attribute-slots.ts";

/** Where the wanted attributes of a span or a resource are. */
export interface AttributeRanges {
  /** Int32Array [slots], 0 = absent. */
  readonly starts: Int32Array;
  readonly ends: Int32Array;
}

export interface SpanView {
  readonly bytes: Uint8Array;
  readonly traceWord0: number;
  readonly traceWord1: number;
  readonly traceWord2: number;
  readonly traceWord3: number;
  readonly spanIdHigh: number;
  readonly spanIdLow: number;
  readonly parentIdHigh: number;
  readonly parentIdLow: number;
  /** 0 unspecified, 1 internal, 2 server, 3 client, 4 producer, 5 consumer; unknown ones are 0. */
  readonly kind: number;
  /** 0 unset, 1 ok, 2 error; unknown ones are 0. */
  readonly statusCode: number;
  readonly flags: number;
  readonly startHigh: number;
  readonly startLow: number;
  readonly endHigh: number;
  readonly endLow: number;
  readonly nameStart: number;
  readonly nameEnd: number;
  readonly traceStateStart: number;
  readonly traceStateEnd: number;
  readonly attributes: AttributeRanges;
  readonly resourceAttributes: AttributeRanges;
  readonly linkCount: number;
  /** Uint32Array [at least 6 * linkCount]. */
  readonly linkWords: Uint32Array;
  /** Which ResourceSpans of the request, from 0, and the range of its resource's message. */
  readonly resourceIndex: number;
  readonly resourceStart: number;
  readonly resourceEnd: number;
}

export const linkWordCount = 6;

/** The same, for the reader to write. */
export type MutableSpanView = { -readonly [K in keyof SpanView]: SpanView[K] };

export function createSpanView(bytes: Uint8Array, slots: AttributeSlots): MutableSpanView {
  return {
    bytes,
    traceWord0: 0,
    traceWord1: 0,
    traceWord2: 0,
    traceWord3: 0,
    spanIdHigh: 0,
    spanIdLow: 0,
    parentIdHigh: 0,
    parentIdLow: 0,
    kind: 0,
    statusCode: 0,
    flags: 0,
    startHigh: 0,
    startLow: 0,
    endHigh: 0,
    endLow: 0,
    nameStart: 0,
    nameEnd: 0,
    traceStateStart: 0,
    traceStateEnd: 0,
    attributes: createAttributeRanges(slots),
    resourceAttributes: createAttributeRanges(slots),
    linkCount: 0,
    linkWords: new Uint32Array(8 * linkWordCount),
    resourceIndex: -1,
    resourceStart: 0,
    resourceEnd: 0,
  };
}

function createAttributeRanges(slots: AttributeSlots): AttributeRanges {
  return { starts: new Int32Array(slots.count), ends: new Int32Array(slots.count) };
}

/** Nanoseconds from start to end; 0 for a span that ends before it starts. Exact below 2^53. */
export function durationNs(span: SpanView): number {
  const ns = (span.endHigh - span.startHigh) * 2 ** 32 + (span.endLow - span.startLow);
  return ns > 0 ? ns : 0;
}

export function startMs(span: SpanView): number {
  return epochMs(span.startHigh, span.startLow);
}

export function endMs(span: SpanView): number {
  return epochMs(span.endHigh, span.endLow);
}

/** Whole milliseconds, rounded down exactly: 2^32 = 4294 * 10^6 + 967296. */
function epochMs(high: number, low: number): number {
  return high * 4294 + Math.floor((high * 967_296 + low) / 1e6);
}
