/**
 * Where things are in fields of unusual layout: those `read-traces.ts` does not know by sight. The
 * field has passed `checkField`, so nothing here checks a length again.
 *
 *   Span{1 trace_id, 2 span_id, 3 trace_state, 4 parent_span_id, 5 name, 6 kind, 7 start and
 *        8 end in unix nanoseconds, 9 attributes, 13 links, 15 status, 16 flags}
 *   Link{1 trace_id, 2 span_id}   Status{3 code}   KeyValue{1 key, 2 value}
 */
import { type AttributeSlots, slotAt } from "./attribute-slots.ts";
import { type Cursor, skipTrusted, trustedEnd, trustedVarint } from "./protobuf.ts";
import {
  endAt,
  flagsColumn,
  grown,
  kindColumn,
  linkWords,
  nameRange,
  parentIdAt,
  spanIdAt,
  startAt,
  statusColumn,
  type TraceTable,
  traceIdAt,
  traceStateRange,
} from "./trace-table.ts";

export const traceIdSize = 16;
export const spanIdSize = 8;
const kindMax = 5;
const statusCodeMax = 2;

/** An attribute as it was found; a slot of `noSlot` is not wanted. */
export interface Located {
  slot: number;
  start: number;
  end: number;
}

/** Notes one field of a Span, from its tag on, in the span's row; not its attributes. */
export function locateSpanField(table: TraceTable, span: number, cursor: Cursor): void {
  const { spans, view } = table;
  const tag = trustedVarint(cursor);
  switch (tag) {
    case 0x0a:
      spans[span + traceIdAt] = placeOfId(cursor, traceIdSize);
      break;
    case 0x12:
      spans[span + spanIdAt] = placeOfId(cursor, spanIdSize);
      break;
    case 0x22:
      spans[span + parentIdAt] = placeOfId(cursor, spanIdSize);
      break;
    case 0x1a:
    case 0x2a: {
      const range = tag === 0x1a ? traceStateRange : nameRange;
      spans[span + range + 1] = trustedEnd(cursor);
      spans[span + range] = cursor.pos;
      break;
    }
    case 0x30:
      spans[span + kindColumn] = withinEnum(trustedVarint(cursor), kindMax);
      break;
    case 0x39:
      spans[span + startAt] = cursor.pos;
      break;
    case 0x41:
      spans[span + endAt] = cursor.pos;
      break;
    case 0x6a:
      locateLink(table, cursor, trustedEnd(cursor));
      break;
    case 0x7a:
      locateStatus(spans, span, cursor, trustedEnd(cursor));
      break;
    case 0x85:
      spans[span + flagsColumn] = view.getInt32(cursor.pos, true);
  }
}

/** Where the id is; less its size, negative, when that is not the one it must have. */
function placeOfId(cursor: Cursor, size: number): number {
  const end = trustedEnd(cursor);
  return end - cursor.pos === size ? cursor.pos : cursor.pos - end;
}

/** The last code counts, of one status or of several. */
function locateStatus(spans: Int32Array, span: number, cursor: Cursor, end: number): void {
  while (cursor.pos < end) {
    const tag = trustedVarint(cursor);
    if (tag === 0x18) {
      spans[span + statusColumn] = withinEnum(trustedVarint(cursor), statusCodeMax);
    } else {
      skipTrusted(cursor, tag);
    }
  }
}

/** A link whose ids are not what the specification has them be is left out. */
function locateLink(table: TraceTable, cursor: Cursor, end: number): void {
  let traceId = 0;
  let spanId = 0;
  while (cursor.pos < end) {
    const tag = trustedVarint(cursor);
    if (tag === 0x0a || tag === 0x12) {
      const valueEnd = trustedEnd(cursor);
      const size = tag === 0x0a ? traceIdSize : spanIdSize;
      const place = valueEnd - cursor.pos === size ? cursor.pos : 0;
      if (tag === 0x0a) traceId = place;
      else spanId = place;
      cursor.pos = valueEnd;
    } else {
      skipTrusted(cursor, tag);
    }
  }
  if (isZero(table.view, traceId, traceIdSize) || isZero(table.view, spanId, spanIdSize)) return;
  const at = table.linkCount * linkWords;
  if (at + linkWords > table.links.length) table.links = grown(table.links);
  table.links[at] = traceId;
  table.links[at + 1] = spanId;
  table.linkCount++;
}

/** Finds name and value of a KeyValue, from its tag on; one without a value has an empty one. */
export function locateAttribute(
  table: TraceTable,
  slots: AttributeSlots,
  cursor: Cursor,
  found: Located,
): void {
  trustedVarint(cursor);
  const end = trustedEnd(cursor);
  let nameStart = end;
  let nameEnd = end;
  found.start = end;
  found.end = end;
  while (cursor.pos < end) {
    const tag = trustedVarint(cursor);
    if (tag === 0x0a) {
      nameEnd = trustedEnd(cursor);
      nameStart = cursor.pos;
      cursor.pos = nameEnd;
    } else if (tag === 0x12) {
      found.end = trustedEnd(cursor);
      found.start = cursor.pos;
      cursor.pos = found.end;
    } else {
      skipTrusted(cursor, tag);
    }
  }
  found.slot = slotAt(slots, table.view, nameStart, nameEnd);
}

/** Whether an id is all zero; one at place 0 is absent, which counts as that. */
export function isZero(view: DataView, at: number, size: number): boolean {
  if (at === 0) return true;
  for (let pos = at; pos < at + size; pos += 4) if (view.getInt32(pos) !== 0) return false;
  return true;
}

/** Enums are open: a number this version does not know reads as unspecified. */
function withinEnum(value: number, max: number): number {
  return value <= max ? value : 0;
}
