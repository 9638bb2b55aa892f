/**
 * Reads an ExportTraceServiceRequest in one walk that both checks it and notes where things are,
 * so a malformed request is refused before anybody has counted anything, and what was looked at
 * once is not looked at again.
 *
 *   Request{1 resource_spans} > ResourceSpans{1 resource, 2 scope_spans} > ScopeSpans{2 spans}
 *
 * Fields may come in any order, a resource even after its spans. Of a scalar field that comes
 * twice the last counts, messages that come twice are merged, and of two attributes with one name
 * the last counts; all as protobuf and map semantics have it. Unknown fields are stepped over.
 *
 * A span whose ids break the specification (trace id: 16 bytes, not all zero; span id: 8 bytes, not
 * all zero; parent id: none or 8 bytes) is rejected by itself and counted; the others have rows.
 * A link with such ids is left out.
 *
 * Source: opentelemetry-proto 1.x, trace/v1/trace.proto.
 */
import { ok, type Result } from "../base/result.ts";
import { type AttributeSlots, noSlot } from "./attribute-slots.ts";
import { messageNames } from "./otlp-fields.ts";
import { requestMessage } from "./otlp-messages.ts";
import { malformed } from "./protobuf.ts";
import { readAttributes, tagAt, type Walk } from "./read-attributes.ts";
import { readSpan } from "./read-span.ts";
import {
  clearTraceTable,
  grown,
  resourceAttributeRange,
  resourceRange,
  resourceWords,
  type TraceTable,
} from "./trace-table.ts";
import {
  checkField,
  createCheck,
  defaultTraceLimits,
  enterMessage,
  refusalOf,
  type TraceCounts,
  type TraceLimits,
} from "./validate-traces.ts";

const resourceSpansMessage = messageNames.indexOf("resourceSpans");
const resourceMessage = messageNames.indexOf("resource");
const scopeSpansMessage = messageNames.indexOf("scopeSpans");

/** Fills the table, or says why the request must be refused as a whole. */
export function readTraces(
  bytes: Uint8Array,
  slots: AttributeSlots,
  table: TraceTable,
  limits: TraceLimits = defaultTraceLimits,
): Result<TraceCounts> {
  const located = { slot: noSlot, start: 0, end: 0 };
  const walk: Walk = Object.assign(createCheck(bytes, limits), { table, slots, located });
  clearTraceTable(table, bytes);
  while (walk.pos < bytes.length) {
    const isValid =
      tagAt(walk, bytes.length) === 0x0a
        ? readResourceSpans(walk, enterMessage(walk, requestMessage, bytes.length))
        : checkField(walk, requestMessage, bytes.length);
    if (!isValid) return refusalOf(walk);
  }
  const { spans, attributes, elements } = walk;
  return ok({ spans, attributes, elements });
}

function readResourceSpans(walk: Walk, end: number): boolean {
  if (end === malformed) return false;
  const { table } = walk;
  const at = table.resourceCount * resourceWords;
  if (at + resourceWords > table.resources.length) table.resources = grown(table.resources);
  table.resourceCount++;
  table.resources.fill(0, at, at + resourceWords);
  table.resources[at + resourceAttributeRange] = table.resourceAttributes.count;
  while (walk.pos < end) {
    const tag = tagAt(walk, end);
    const isValid =
      tag === 0x12
        ? readScopeSpans(walk, enterMessage(walk, resourceSpansMessage, end))
        : tag === 0x0a
          ? readResource(walk, at, enterMessage(walk, resourceSpansMessage, end))
          : checkField(walk, resourceSpansMessage, end);
    if (!isValid) return false;
  }
  table.resources[at + resourceAttributeRange + 1] = table.resourceAttributes.count;
  return true;
}

function readResource(walk: Walk, at: number, end: number): boolean {
  if (end === malformed) return false;
  const { table } = walk;
  table.resources[at + resourceRange] = walk.pos;
  table.resources[at + resourceRange + 1] = end;
  while (walk.pos < end) {
    const isValid =
      tagAt(walk, end) === 0x0a
        ? readAttributes(walk, resourceMessage, end, table.resourceAttributes)
        : checkField(walk, resourceMessage, end);
    if (!isValid) return false;
  }
  return true;
}

function readScopeSpans(walk: Walk, end: number): boolean {
  if (end === malformed) return false;
  while (walk.pos < end) {
    const isValid =
      tagAt(walk, end) === 0x12
        ? readSpan(walk, enterMessage(walk, scopeSpansMessage, end))
        : checkField(walk, scopeSpansMessage, end);
    if (!isValid) return false;
  }
  return true;
}
