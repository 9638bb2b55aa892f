/**
 * Reads one Span message that nobody has looked at: checks it and notes where things are. The
 * layout nearly every sender uses, one-byte tags and short lengths, is known by sight, which takes
 * half the time of following the table of messages; any other goes through `checkField`, and then
 * to `locate-field.ts`.
 */

import { isZero, locateSpanField, spanIdSize, traceIdSize } from "./locate-field.ts";
import { messageNames } from "./otlp-fields.ts";
import { malformed } from "./protobuf.ts";
import { readAttributes, readPlainAttributes, tagAt, type Walk } from "./read-attributes.ts";
import {
  endAt,
  firstAttribute,
  firstLink,
  flagsColumn,
  grown,
  kindColumn,
  nameRange,
  parentIdAt,
  resourceColumn,
  spanIdAt,
  spanWords,
  startAt,
  statusColumn,
  type TraceTable,
  traceIdAt,
  traceStateRange,
} from "./trace-table.ts";
import { checkField } from "./validate-traces.ts";

const spanMessage = messageNames.indexOf("span");
const kindMax = 5;
const statusCodeMax = 2;

/** Adds a row for the span that ends at `end`, or counts it as rejected; false for malformed. */
export function readSpan(walk: Walk, end: number): boolean {
  if (end === malformed) return false;
  const { table } = walk;
  const span = table.spanCount * spanWords;
  const { linkCount } = table;
  const attributeCount = table.attributes.count;
  // A row more than there are spans: the last one's attributes and links end where it begins.
  if (span + 2 * spanWords > table.spans.length) table.spans = grown(table.spans);
  const { spans } = table;
  for (let column = 0; column < spanWords; column++) spans[span + column] = 0;
  spans[span + resourceColumn] = table.resourceCount - 1;
  beginRows(table, span);
  while (walk.pos < end) {
    walk.pos = readPlainFields(walk, span, end);
    if (walk.pos < end && !readField(walk, span, end)) return false;
  }
  const reason = whyInvalid(table, span);
  if (reason === "") {
    table.spanCount++;
    beginRows(table, span + spanWords);
  } else {
    if (table.rejected === 0) table.rejectedReason = reason;
    table.rejected++;
    table.linkCount = linkCount;
    table.attributes.count = attributeCount;
  }
  return true;
}

function beginRows(table: TraceTable, span: number): void {
  table.spans[span + firstAttribute] = table.attributes.count;
  table.spans[span + firstLink] = table.linkCount;
}

/** Notes fields while they have the layout known by sight; gives where that ends. */
function readPlainFields(walk: Walk, span: number, end: number): number {
  const { bytes, table } = walk;
  const { spans } = table;
  let pos = walk.pos;
  while (end - pos >= 2) {
    const size = bytes[pos + 1] as number;
    let next = pos + 2 + size;
    switch (bytes[pos]) {
      case 0x0a:
        if (size !== traceIdSize || next > end) return pos;
        spans[span + traceIdAt] = pos + 2;
        break;
      case 0x12:
        if (size !== spanIdSize || next > end) return pos;
        spans[span + spanIdAt] = pos + 2;
        break;
      case 0x22:
        if (size !== spanIdSize || next > end) return pos;
        spans[span + parentIdAt] = pos + 2;
        break;
      case 0x1a:
        if (size >= 0x80 || next > end) return pos;
        spans[span + traceStateRange] = pos + 2;
        spans[span + traceStateRange + 1] = next;
        break;
      case 0x2a:
        if (size >= 0x80 || next > end) return pos;
        spans[span + nameRange] = pos + 2;
        spans[span + nameRange + 1] = next;
        break;
      case 0x30:
        if (size >= 0x80) return pos;
        spans[span + kindColumn] = size <= kindMax ? size : 0;
        next = pos + 2;
        break;
      case 0x39:
        next = pos + 9;
        if (next > end) return pos;
        spans[span + startAt] = pos + 1;
        break;
      case 0x41:
        next = pos + 9;
        if (next > end) return pos;
        spans[span + endAt] = pos + 1;
        break;
      case 0x4a:
        next = readPlainAttributes(walk, pos, end, table.attributes);
        if (next === pos) return pos;
        break;
      case 0x7a:
        if (size > 0 && !isPlainStatus(bytes, pos, end)) return pos;
        if (size > 0) spans[span + statusColumn] = statusOf(bytes[pos + 3] as number);
        break;
      case 0x85:
        next = pos + 6;
        if (size !== 1 || next > end) return pos;
        spans[span + flagsColumn] = table.view.getInt32(pos + 2, true);
        break;
      default:
        return pos;
    }
    pos = next;
  }
  return pos;
}

/** A Status with a code below 128 and nothing else. */
function isPlainStatus(bytes: Uint8Array, pos: number, end: number): boolean {
  return (
    bytes[pos + 1] === 2 &&
    pos + 4 <= end &&
    bytes[pos + 2] === 0x18 &&
    (bytes[pos + 3] as number) < 0x80
  );
}

function statusOf(code: number): number {
  return code <= statusCodeMax ? code : 0;
}

/** One field of a Span, or a run of attributes, of any layout. */
function readField(walk: Walk, span: number, end: number): boolean {
  const { table } = walk;
  const tag = tagAt(walk, end);
  if (tag === 0x4a) return readAttributes(walk, spanMessage, end, table.attributes);
  const start = walk.pos;
  if (!checkField(walk, spanMessage, end)) return false;
  const fieldEnd = walk.pos;
  walk.pos = start;
  locateSpanField(table, span, walk);
  walk.pos = fieldEnd;
  return true;
}

/** What is wrong with the ids of a span; "" when nothing is. A parent of zeros is made none. */
function whyInvalid(table: TraceTable, span: number): string {
  const { spans, view } = table;
  const traceId = spans[span + traceIdAt] as number;
  const spanId = spans[span + spanIdAt] as number;
  const parentId = spans[span + parentIdAt] as number;
  if (traceId <= 0) return `trace_id of ${-traceId} bytes, it must have ${traceIdSize}`;
  if (isZero(view, traceId, traceIdSize)) return "trace_id is all zero";
  if (spanId <= 0) return `span_id of ${-spanId} bytes, it must have ${spanIdSize}`;
  if (isZero(view, spanId, spanIdSize)) return "span_id is all zero";
  if (parentId < 0) {
    return `parent_span_id of ${-parentId} bytes, it must have none or ${spanIdSize}`;
  }
  if (isZero(view, parentId, spanIdSize)) spans[span + parentIdAt] = 0;
  return "";
}
