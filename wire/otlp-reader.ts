/**
 * Visits the spans of an ExportTraceServiceRequest without decoding it: one view, overwritten for
 * every span, says where things are. The bytes must have passed `validateTraces`, so nothing here
 * checks a length again.
 *
 *   Request{1 resource_spans} > ResourceSpans{1 resource, 2 scope_spans} > ScopeSpans{2 spans}
 *
 * Fields may come in any order, a resource even after its spans. Of a scalar field that comes
 * twice the last counts, messages that come twice are merged, and of two attributes with one name
 * the last counts; all as protobuf and map semantics have it. Unknown fields are stepped over.
 *
 * A span whose ids break the specification (trace id: 16 bytes, not all zero; span id: 8 bytes, not
 * all zero; parent id: none or 8 bytes) is rejected by itself and counted; the others are visited.
 * A link with such ids is left out.
 *
 * Source: opentelemetry-proto 1.x, trace/v1/trace.proto.
 */
import type { AttributeSlots } from "./attribute-slots.ts";
import { skipTrusted, trustedVarint } from "./protobuf.ts";
import { readAttribute, readSpan, type SpanCursor, trustedEnd, whyInvalid } from "./read-span.ts";
import { createSpanView, type SpanView } from "./span-view.ts";

export interface VisitCounts {
  visited: number;
  /** Spans not visited, as their ids are invalid. */
  rejected: number;
  /** Why the first of them was; "" when none was. */
  rejectedReason: string;
  /** Spans visited that end before they start; their duration reads as 0. */
  endsBeforeStart: number;
}

interface Walk extends SpanCursor {
  readonly counts: VisitCounts;
  readonly visit: (span: SpanView) => void;
}

/** Calls `visit` for every valid span of bytes that have passed `validateTraces`. */
export function visitSpans(
  bytes: Uint8Array,
  slots: AttributeSlots,
  visit: (span: SpanView) => void,
): VisitCounts {
  const counts = { visited: 0, rejected: 0, rejectedReason: "", endsBeforeStart: 0 };
  const walk: Walk = {
    bytes,
    pos: 0,
    view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength),
    span: createSpanView(bytes, slots),
    slots,
    counts,
    visit,
    traceIdSize: 0,
    spanIdSize: 0,
    parentIdSize: 0,
  };
  while (walk.pos < bytes.length) {
    const tag = trustedVarint(walk);
    if (tag === 0x0a) visitResourceSpans(walk, trustedEnd(walk));
    else skipTrusted(walk, tag);
  }
  return counts;
}

/** Two passes: the resource may follow its spans. */
function visitResourceSpans(walk: Walk, end: number): void {
  const { span } = walk;
  const start = walk.pos;
  span.resourceIndex++;
  span.resourceStart = 0;
  span.resourceEnd = 0;
  span.resourceAttributes.starts.fill(0);
  while (walk.pos < end) {
    const tag = trustedVarint(walk);
    if (tag === 0x0a) readResource(walk, trustedEnd(walk));
    else skipTrusted(walk, tag);
  }
  walk.pos = start;
  while (walk.pos < end) {
    const tag = trustedVarint(walk);
    if (tag === 0x12) visitScopeSpans(walk, trustedEnd(walk));
    else skipTrusted(walk, tag);
  }
}

function readResource(walk: Walk, end: number): void {
  walk.span.resourceStart = walk.pos;
  walk.span.resourceEnd = end;
  while (walk.pos < end) {
    const tag = trustedVarint(walk);
    if (tag === 0x0a) readAttribute(walk, walk.span.resourceAttributes);
    else skipTrusted(walk, tag);
  }
}

function visitScopeSpans(walk: Walk, end: number): void {
  while (walk.pos < end) {
    const tag = trustedVarint(walk);
    if (tag === 0x12) visitSpan(walk, trustedEnd(walk));
    else skipTrusted(walk, tag);
  }
}

function visitSpan(walk: Walk, end: number): void {
  const { span, counts } = walk;
  readSpan(walk, end);
  const reason = whyInvalid(walk);
  if (reason !== "") {
    if (counts.rejected === 0) counts.rejectedReason = reason;
    counts.rejected++;
    return;
  }
  const { startHigh, endHigh } = span;
  if (endHigh < startHigh || (endHigh === startHigh && span.endLow < span.startLow)) {
    counts.endsBeforeStart++;
  }
  counts.visited++;
  walk.visit(span);
}
