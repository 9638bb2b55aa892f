/**
 * Reads one Span message of trusted bytes into a view, and says why its ids are invalid.
 *
 *   Span{1 trace_id, 2 span_id, 3 trace_state, 4 parent_span_id, 5 name, 6 kind, 7 start and
 *        8 end in unix nanoseconds, 9 attributes, 13 links, 15 status, 16 flags}
 *   Link{1 trace_id, 2 span_id}   Status{3 code}   KeyValue{1 key, 2 value}
 */
import { type AttributeSlots, noSlot, slotAt } from "./attribute-slots.ts";
import { type Cursor, skipTrusted, trustedVarint } from "./protobuf.ts";
import { type AttributeRanges, linkWordCount, type MutableSpanView } from "./span-view.ts";

/** A cursor with the view it fills and the sizes its ids came in. */
export interface SpanCursor extends Cursor {
  readonly view: DataView;
  readonly span: MutableSpanView;
  readonly slots: AttributeSlots;
  traceIdSize: number;
  spanIdSize: number;
  parentIdSize: number;
}

const traceIdSize = 16;
const spanIdSize = 8;
const kindMax = 5;
const statusCodeMax = 2;

/** Overwrites the view with the span that ends at `end`. */
export function readSpan(walk: SpanCursor, end: number): void {
  const { span, view } = walk;
  clearSpan(walk);
  while (walk.pos < end) {
    const tag = trustedVarint(walk);
    switch (tag) {
      case 0x0a:
        readTraceId(walk);
        break;
      case 0x12:
        readSpanId(walk);
        break;
      case 0x1a:
        span.traceStateEnd = trustedEnd(walk);
        span.traceStateStart = walk.pos;
        walk.pos = span.traceStateEnd;
        break;
      case 0x22:
        readParentId(walk);
        break;
      case 0x2a:
        span.nameEnd = trustedEnd(walk);
        span.nameStart = walk.pos;
        walk.pos = span.nameEnd;
        break;
      case 0x30:
        span.kind = withinEnum(trustedVarint(walk), kindMax);
        break;
      case 0x39:
        span.startLow = view.getUint32(walk.pos, true);
        span.startHigh = view.getUint32(walk.pos + 4, true);
        walk.pos += 8;
        break;
      case 0x41:
        span.endLow = view.getUint32(walk.pos, true);
        span.endHigh = view.getUint32(walk.pos + 4, true);
        walk.pos += 8;
        break;
      case 0x4a:
        readAttribute(walk, span.attributes);
        break;
      case 0x6a:
        readLink(walk, trustedEnd(walk));
        break;
      case 0x7a:
        readStatus(walk, trustedEnd(walk));
        break;
      case 0x85:
        span.flags = view.getUint32(walk.pos, true);
        walk.pos += 4;
        break;
      default:
        skipTrusted(walk, tag);
    }
  }
}

/** What is wrong with the ids of the span just read; "" when nothing is. */
export function whyInvalid(walk: SpanCursor): string {
  const { span } = walk;
  if (walk.traceIdSize !== traceIdSize) {
    return `trace_id of ${walk.traceIdSize} bytes, it must have ${traceIdSize}`;
  }
  if ((span.traceWord0 | span.traceWord1 | span.traceWord2 | span.traceWord3) === 0) {
    return "trace_id is all zero";
  }
  if (walk.spanIdSize !== spanIdSize) {
    return `span_id of ${walk.spanIdSize} bytes, it must have ${spanIdSize}`;
  }
  if ((span.spanIdHigh | span.spanIdLow) === 0) return "span_id is all zero";
  if (walk.parentIdSize !== 0 && walk.parentIdSize !== spanIdSize) {
    return `parent_span_id of ${walk.parentIdSize} bytes, it must have none or ${spanIdSize}`;
  }
  return "";
}

function clearSpan(walk: SpanCursor): void {
  const { span } = walk;
  walk.traceIdSize = 0;
  walk.spanIdSize = 0;
  walk.parentIdSize = 0;
  span.parentIdHigh = 0;
  span.parentIdLow = 0;
  span.kind = 0;
  span.statusCode = 0;
  span.flags = 0;
  span.startHigh = 0;
  span.startLow = 0;
  span.endHigh = 0;
  span.endLow = 0;
  span.nameStart = 0;
  span.nameEnd = 0;
  span.traceStateStart = 0;
  span.traceStateEnd = 0;
  span.linkCount = 0;
  span.attributes.starts.fill(0);
}

function readTraceId(walk: SpanCursor): void {
  const { span, view } = walk;
  const end = trustedEnd(walk);
  const start = walk.pos;
  walk.traceIdSize = end - start;
  if (walk.traceIdSize === traceIdSize) {
    span.traceWord0 = view.getUint32(start);
    span.traceWord1 = view.getUint32(start + 4);
    span.traceWord2 = view.getUint32(start + 8);
    span.traceWord3 = view.getUint32(start + 12);
  }
  walk.pos = end;
}

function readSpanId(walk: SpanCursor): void {
  const { span, view } = walk;
  const end = trustedEnd(walk);
  walk.spanIdSize = end - walk.pos;
  if (walk.spanIdSize === spanIdSize) {
    span.spanIdHigh = view.getUint32(walk.pos);
    span.spanIdLow = view.getUint32(walk.pos + 4);
  }
  walk.pos = end;
}

function readParentId(walk: SpanCursor): void {
  const { span, view } = walk;
  const end = trustedEnd(walk);
  walk.parentIdSize = end - walk.pos;
  const isGiven = walk.parentIdSize === spanIdSize;
  span.parentIdHigh = isGiven ? view.getUint32(walk.pos) : 0;
  span.parentIdLow = isGiven ? view.getUint32(walk.pos + 4) : 0;
  walk.pos = end;
}

function readStatus(walk: SpanCursor, end: number): void {
  while (walk.pos < end) {
    const tag = trustedVarint(walk);
    if (tag === 0x18) walk.span.statusCode = withinEnum(trustedVarint(walk), statusCodeMax);
    else skipTrusted(walk, tag);
  }
}

function readLink(walk: SpanCursor, end: number): void {
  const { span, view } = walk;
  if ((span.linkCount + 1) * linkWordCount > span.linkWords.length) {
    const grown = new Uint32Array(span.linkWords.length * 2);
    grown.set(span.linkWords);
    span.linkWords = grown;
  }
  const words = span.linkWords;
  const at = span.linkCount * linkWordCount;
  words.fill(0, at, at + linkWordCount);
  while (walk.pos < end) {
    const tag = trustedVarint(walk);
    if (tag !== 0x0a && tag !== 0x12) {
      skipTrusted(walk, tag);
      continue;
    }
    const valueEnd = trustedEnd(walk);
    const size = tag === 0x0a ? traceIdSize : spanIdSize;
    const into = tag === 0x0a ? at : at + 4;
    for (let offset = 0; offset < size; offset += 4) {
      const isWhole = valueEnd - walk.pos === size;
      words[into + offset / 4] = isWhole ? view.getUint32(walk.pos + offset) : 0;
    }
    walk.pos = valueEnd;
  }
  if (!isZero(words, at, at + 4) && !isZero(words, at + 4, at + 6)) span.linkCount++;
}

/**
 * Notes where the value is when the name is wanted; a KeyValue without a value has an empty one.
 * Nearly all have a key, then a value, each shorter than 128 bytes: these are known by sight.
 */
export function readAttribute(walk: SpanCursor, into: AttributeRanges): void {
  const { bytes } = walk;
  const end = trustedEnd(walk);
  const nameStart = walk.pos + 2;
  const nameEnd = nameStart + (bytes[walk.pos + 1] as number);
  const isPlain =
    end - walk.pos >= 4 &&
    bytes[walk.pos] === 0x0a &&
    nameEnd + 2 <= end &&
    bytes[nameEnd] === 0x12 &&
    (bytes[walk.pos + 1] as number) < 0x80 &&
    nameEnd + 2 + (bytes[nameEnd + 1] as number) === end &&
    (bytes[nameEnd + 1] as number) < 0x80;
  if (!isPlain) {
    readAnyAttribute(walk, into, end);
    return;
  }
  walk.pos = end;
  const slot = slotAt(walk.slots, walk.view, nameStart, nameEnd);
  if (slot === noSlot) return;
  into.starts[slot] = nameEnd + 2;
  into.ends[slot] = end;
}

function readAnyAttribute(walk: SpanCursor, into: AttributeRanges, end: number): void {
  let nameStart = end;
  let nameEnd = end;
  let valueStart = end;
  let valueEnd = end;
  while (walk.pos < end) {
    const tag = trustedVarint(walk);
    if (tag === 0x0a) {
      nameEnd = trustedEnd(walk);
      nameStart = walk.pos;
      walk.pos = nameEnd;
    } else if (tag === 0x12) {
      valueEnd = trustedEnd(walk);
      valueStart = walk.pos;
      walk.pos = valueEnd;
    } else {
      skipTrusted(walk, tag);
    }
  }
  const slot = slotAt(walk.slots, walk.view, nameStart, nameEnd);
  if (slot === noSlot) return;
  into.starts[slot] = valueStart;
  into.ends[slot] = valueEnd;
}

/** Reads a length; answers where its value ends. */
export function trustedEnd(walk: SpanCursor): number {
  const length = trustedVarint(walk);
  return walk.pos + length;
}

/** Enums are open: a number this version does not know reads as unspecified. */
function withinEnum(value: number, max: number): number {
  return value <= max ? value : 0;
}

function isZero(words: Uint32Array, start: number, end: number): boolean {
  for (let index = start; index < end; index++) if (words[index] !== 0) return false;
  return true;
}
