/**
 * Checks messages of an OTLP request by the table of `otlp-messages.ts`: every length, every wire
 * type of a known field, and the limits. It knows any layout protobuf allows; the layouts that
 * nearly all senders of traces use are known by sight in `read-traces.ts`, which comes here with
 * the rest.
 *
 * Limits: spans, or data points of metrics; attributes (every KeyValue, nested ones too); elements
 * (every other repeated thing: resources, scopes, events, links, array values, metrics, buckets);
 * depth of nested values. Recursion goes no deeper than the messages of a span and `depthMax`
 * nested values.
 */
import { ok, type Result, refuse } from "../base/result.ts";
import {
  countsAttribute,
  countsElement,
  countsNothing,
  countsPoint,
  countsSpan,
  messageNames,
} from "./otlp-fields.ts";
import {
  anyValueMessage,
  countsOf,
  entries,
  fieldsPerMessage,
  keyValueMessage,
  mayBePacked,
  metricsRequestMessage,
  requestMessage,
} from "./otlp-messages.ts";
import { longAttributeEnd, plainAttributeEnd } from "./plain-attribute.ts";
import {
  type Cursor,
  checkedLength,
  checkedTag,
  malformed,
  skipChecked,
  wireBytes,
  wireFixed64,
} from "./protobuf.ts";

export interface TraceLimits {
  readonly spansMax: number;
  /** Data points, of a request of metrics. */
  readonly pointsMax: number;
  readonly attributesMax: number;
  readonly elementsMax: number;
  /** Values within values; a plain attribute has depth 1. */
  readonly depthMax: number;
}

export const defaultTraceLimits: TraceLimits = {
  spansMax: 50_000,
  pointsMax: 50_000,
  attributesMax: 200_000,
  elementsMax: 200_000,
  depthMax: 32,
};

/** Buckets of histograms are elements: a batch of thousands of points has some dozens for each. */
export const defaultMetricLimits: TraceLimits = { ...defaultTraceLimits, elementsMax: 2_000_000 };

export interface TraceCounts {
  readonly spans: number;
  readonly attributes: number;
  readonly elements: number;
}

/** A cursor over bytes nobody has looked at, with what was counted on the way. */
export interface Check extends Cursor {
  readonly view: DataView;
  readonly limits: TraceLimits;
  spans: number;
  points: number;
  attributes: number;
  elements: number;
  depth: number;
  /** The first thing found wrong; "" while nothing is. */
  malformed: string;
  exceeded: string;
}

export function createCheck(bytes: Uint8Array, limits: TraceLimits): Check {
  return {
    bytes,
    view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength),
    pos: 0,
    limits,
    spans: 0,
    points: 0,
    attributes: 0,
    elements: 0,
    depth: 0,
    malformed: "",
    exceeded: "",
  };
}

/** How much there is in a request, or why it must be refused as a whole. */
export function validateTraces(
  bytes: Uint8Array,
  limits: TraceLimits = defaultTraceLimits,
): Result<TraceCounts> {
  const check = createCheck(bytes, limits);
  if (!checkMessage(check, requestMessage, bytes.length)) return refusalOf(check);
  const { spans, attributes, elements } = check;
  return ok({ spans, attributes, elements });
}

/** How many data points there are in a request of metrics, or why it must be refused as a whole. */
export function validateMetrics(
  bytes: Uint8Array,
  limits: TraceLimits = defaultMetricLimits,
): Result<number> {
  const check = createCheck(bytes, limits);
  if (!checkMessage(check, metricsRequestMessage, bytes.length)) return refusalOf(check);
  return ok(check.points);
}

/** Why a request must be refused as a whole. */
export function refusalOf(check: Check): Result<never> {
  if (check.exceeded !== "") return refuse("OTLP_TOO_LARGE", check.exceeded);
  return refuse("OTLP_INVALID", check.malformed);
}

/** Steps over a message that ends at `end`; false when it or something in it is wrong. */
function checkMessage(check: Check, message: number, end: number): boolean {
  while (check.pos < end) if (!checkField(check, message, end)) return false;
  return true;
}

/** Steps over the next field of a message; false when it or something in it is wrong. */
export function checkField(check: Check, message: number, end: number): boolean {
  const at = check.pos;
  const tag = checkedTag(check, end);
  if (tag === malformed) return isMalformed(check, at, `tag in ${messageNames[message]}`);
  const field = tag >>> 3;
  const entry =
    field < fieldsPerMessage ? (entries[message * fieldsPerMessage + field] as number) : 0;
  if (entry === 0) {
    return skipChecked(check, tag, end) || isMalformed(check, at, fieldName(message, field));
  }
  if ((entry & 7) - 1 !== (tag & 7)) {
    if (!mayBePacked(entry) || (tag & 7) !== wireBytes) return isWrongType(check, at, message, tag);
    return checkPacked(check, entry, end) || isMalformed(check, at, fieldName(message, field));
  }
  return checkValue(check, entry, tag, end) || isMalformed(check, at, fieldName(message, field));
}

/**
 * Reads the tag and length of a field that holds a message, and counts it; gives where the message
 * ends, `malformed` when it has no such length or is one too many.
 */
export function enterMessage(check: Check, message: number, end: number): number {
  const at = check.pos;
  const field = checkedTag(check, end) >>> 3;
  const counts = countsOf(entries[message * fieldsPerMessage + field] as number);
  if (!count(check, counts, 1)) return malformed;
  const length = checkedLength(check, end);
  if (length !== malformed) return check.pos + length;
  isMalformed(check, at, fieldName(message, field));
  return malformed;
}

/** The value of a known field behind its tag. */
function checkValue(check: Check, entry: number, tag: number, end: number): boolean {
  const counts = countsOf(entry);
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

/** Numbers side by side in one field of bytes. */
function checkPacked(check: Check, entry: number, end: number): boolean {
  const length = checkedLength(check, end);
  if (length === malformed) return false;
  const wire = (entry & 7) - 1;
  const packedEnd = check.pos + length;
  if (wire === wireFixed64) {
    check.pos = packedEnd;
    return length % 8 === 0 && count(check, countsElement, length / 8);
  }
  while (check.pos < packedEnd) {
    if (!skipChecked(check, wire, packedEnd) || !count(check, countsElement, 1)) return false;
  }
  return true;
}

/** Steps over the plain attributes from here on that carry this tag; gives how many they were. */
function stepOverPlainAttributes(check: Check, tag: number, end: number): number {
  // The first one's tag has been read, and may have been padded.
  let tagAt = check.pos - 1;
  let found = 0;
  if (check.bytes[tagAt] !== tag) return 0;
  for (;;) {
    let attributeEnd = plainAttributeEnd(check.view, tagAt, end, tag);
    if (attributeEnd === malformed && check.bytes[tagAt] === tag) {
      attributeEnd = longAttributeEnd(check.bytes, tagAt + 1, end);
    }
    if (attributeEnd === malformed) return found;
    check.pos = attributeEnd;
    found++;
    tagAt = attributeEnd;
  }
}

/** Counts more of what is limited; false when that is too many. */
function count(check: Check, counts: number, more: number): boolean {
  const { limits } = check;
  switch (counts) {
    case countsNothing:
      return true;
    case countsSpan:
      check.spans += more;
      return check.spans <= limits.spansMax || isTooMany(check, limits.spansMax, "spans");
    case countsPoint:
      check.points += more;
      return check.points <= limits.pointsMax || isTooMany(check, limits.pointsMax, "data points");
    case countsAttribute:
      check.attributes += more;
      return (
        check.attributes <= limits.attributesMax ||
        isTooMany(check, limits.attributesMax, "attributes")
      );
    default:
      check.elements += more;
      return (
        check.elements <= limits.elementsMax || isTooMany(check, limits.elementsMax, "elements")
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
