/**
 * Checks the bytes of an ExportTraceServiceRequest before anyone reads them: every length, every
 * wire type of a known field, and the limits, so that a malformed request changes nothing and the
 * reader behind it needs no checks. What single spans hold (ids, times) is the reader's to judge.
 *
 * Limits: spans; attributes (every KeyValue, nested ones too); elements (every other repeated
 * thing: resources, scopes, events, links, array values); depth of nested values.
 *
 * Source of the layout: `otlp-messages.ts`. Recursion goes no deeper than the messages of a span
 * and `depthMax` nested values.
 */
import { ok, type Result, refuse } from "../base/result.ts";
import {
  anyValueMessage,
  countsAttribute,
  countsNothing,
  countsSpan,
  entries,
  fieldsPerMessage,
  keyValueMessage,
  messageNames,
  requestMessage,
} from "./otlp-messages.ts";
import { type Cursor, checkedLength, checkedTag, malformed, skipChecked } from "./protobuf.ts";

export interface TraceLimits {
  readonly spansMax: number;
  readonly attributesMax: number;
  readonly elementsMax: number;
  /** Values within values; a plain attribute has depth 1. */
  readonly depthMax: number;
}

export const defaultTraceLimits: TraceLimits = {
  spansMax: 50_000,
  attributesMax: 200_000,
  elementsMax: 200_000,
  depthMax: 32,
};

export interface TraceCounts {
  spans: number;
  attributes: number;
  elements: number;
}

interface Check extends Cursor {
  readonly limits: TraceLimits;
  readonly counts: TraceCounts;
  depth: number;
  /** The first thing found wrong; "" while nothing is. */
  malformed: string;
  exceeded: string;
}

/** How many spans there are, or why the request must be refused as a whole. */
export function validateTraces(
  bytes: Uint8Array,
  limits: TraceLimits = defaultTraceLimits,
): Result<TraceCounts> {
  const check: Check = {
    bytes,
    pos: 0,
    limits,
    counts: { spans: 0, attributes: 0, elements: 0 },
    depth: 0,
    malformed: "",
    exceeded: "",
  };
  if (checkMessage(check, requestMessage, bytes.length)) return ok(check.counts);
  if (check.exceeded !== "") return refuse("OTLP_TOO_LARGE", check.exceeded);
  return refuse("OTLP_INVALID", check.malformed);
}

function checkMessage(check: Check, message: number, end: number): boolean {
  while (check.pos < end) {
    const at = check.pos;
    const tag = checkedTag(check, end);
    if (tag === malformed) return isMalformed(check, at, `tag in ${messageNames[message]}`);
    const field = tag >>> 3;
    const entry =
      field < fieldsPerMessage ? (entries[message * fieldsPerMessage + field] as number) : 0;
    if (entry === 0) {
      if (!skipChecked(check, tag, end)) return isMalformed(check, at, fieldName(message, field));
    } else if ((entry & 7) - 1 !== (tag & 7)) {
      return isWrongType(check, at, message, tag);
    } else if (!checkField(check, entry, tag, end)) {
      return isMalformed(check, at, fieldName(message, field));
    }
  }
  return true;
}

/** A known field behind its tag; false when it or something in it is wrong. */
function checkField(check: Check, entry: number, tag: number, end: number): boolean {
  const counts = entry >>> 8;
  const child = ((entry >>> 3) & 31) - 1;
  if (child === keyValueMessage && check.depth === 0) {
    const plain = stepOverPlainAttributes(check, tag, end);
    if (plain > 0) return count(check, countsAttribute, plain);
  }
  if (counts !== countsNothing && !count(check, counts, 1)) return false;
  if (child < 0) return skipChecked(check, tag, end);
  const length = checkedLength(check, end);
  if (length === malformed) return false;
  const childEnd = check.pos + length;
  if (child !== anyValueMessage) return checkMessage(check, child, childEnd);
  if (check.depth >= check.limits.depthMax) {
    check.exceeded = `attribute value is nested deeper than ${check.limits.depthMax}`;
    return false;
  }
  check.depth++;
  const isValid = checkMessage(check, child, childEnd);
  check.depth--;
  return isValid;
}

/**
 * Steps over the attributes from here on that carry this tag and have the shape nearly all have: a
 * key, then a value with one scalar in it, all shorter than 128 bytes. Knowing them by sight makes
 * the whole check twice as fast. Answers how many they were.
 */
function stepOverPlainAttributes(check: Check, tag: number, end: number): number {
  const { bytes } = check;
  let found = 0;
  for (let pos = check.pos; pos < end; pos = check.pos + 1) {
    const size = bytes[pos] as number;
    const attributeEnd = pos + 1 + size;
    if (size >= 0x80 || attributeEnd > end || !isPlain(bytes, pos + 1, attributeEnd)) return found;
    check.pos = attributeEnd;
    found++;
    if (attributeEnd === end || bytes[attributeEnd] !== tag) return found;
  }
  return found;
}

function isPlain(bytes: Uint8Array, pos: number, end: number): boolean {
  if (end - pos < 6 || bytes[pos] !== 0x0a) return false;
  const valueTagAt = pos + 2 + (bytes[pos + 1] as number);
  if ((bytes[pos + 1] as number) >= 0x80 || valueTagAt + 4 > end) return false;
  const size = bytes[valueTagAt + 1] as number;
  if (bytes[valueTagAt] !== 0x12 || size >= 0x80 || valueTagAt + 2 + size !== end) return false;
  const scalarAt = valueTagAt + 3;
  switch (bytes[valueTagAt + 2]) {
    case 0x0a:
      return bytes[scalarAt] === size - 2;
    case 0x10:
    case 0x18:
      return isShortVarint(bytes, scalarAt, end);
    default:
      return false;
  }
}

/** One varint of up to four bytes, and nothing behind it. */
function isShortVarint(bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start > 4) return false;
  for (let pos = start; pos < end - 1; pos++) {
    if ((bytes[pos] as number) < 0x80) return false;
  }
  return (bytes[end - 1] as number) < 0x80;
}

function count(check: Check, counts: number, more: number): boolean {
  const { limits } = check;
  switch (counts) {
    case countsSpan:
      check.counts.spans += more;
      return check.counts.spans <= limits.spansMax || isTooMany(check, limits.spansMax, "spans");
    case countsAttribute:
      check.counts.attributes += more;
      return (
        check.counts.attributes <= limits.attributesMax ||
        isTooMany(check, limits.attributesMax, "attributes")
      );
    default:
      check.counts.elements += more;
      return (
        check.counts.elements <= limits.elementsMax ||
        isTooMany(check, limits.elementsMax, "elements")
      );
  }
}

function isTooMany(check: Check, max: number, what: string): false {
  check.exceeded = `request holds more than ${max} ${what}`;
  return false;
}

function isMalformed(check: Check, at: number, what: string): false {
  check.malformed ||= `malformed protobuf at byte ${at}: ${what}`;
  return false;
}

function isWrongType(check: Check, at: number, message: number, tag: number): false {
  return isMalformed(check, at, `${fieldName(message, tag >>> 3)} has wire type ${tag & 7}`);
}

function fieldName(message: number, field: number): string {
  return `field ${field} of ${messageNames[message]}`;
}
