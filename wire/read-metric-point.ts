/**
 * Reads one data point of a metric, of whichever kind; its bytes have passed `validateMetrics`.
 *
 *   NumberDataPoint{2 start, 3 time, 4 as_double, 6 as_int sfixed64, 7 attributes, 8 flags}
 *   HistogramDataPoint{2, 3, 6 bucket_counts, 7 explicit_bounds, 9 attributes, 10 flags, 11 min,
 *                      12 max}
 *   ExponentialHistogramDataPoint{1 attributes, 2, 3, 6 scale, 7 zero_count, 8 positive,
 *                                 9 negative, 10 flags, 12 min, 13 max}
 *   Buckets{1 offset sint32, 2 bucket_counts uint64}
 *   SummaryDataPoint{2, 3, 6 quantile_values, 7 attributes, 8 flags}
 *
 * Counts above 2^53 are rounded.
 */
import type {
  Buckets,
  ByteRange,
  LocatedAttribute,
  MetricPoint,
  PointData,
  QuantileValue,
} from "./metric-point.ts";
import {
  type Cursor,
  skipTrusted,
  trustedEnd,
  trustedVarint,
  wireBytes,
  wireFixed64,
  wireVarint,
} from "./protobuf.ts";
import { attributesIn, locateKeyValue } from "./read-metric-attributes.ts";

type Kind = PointData["kind"];
type OtherKind = Exclude<Kind, "gauge" | "sum">;
type Point = Omit<MetricPoint, "source" | "metric">;

interface Input {
  readonly view: DataView;
  readonly bytes: Uint8Array;
}

/** Field number * 8 + wire type, of a NumberDataPoint. */
const numberTags = {
  start: 0x11,
  time: 0x19,
  asDouble: 0x21,
  asInt: 0x31,
  attributes: 0x3a,
  flags: 0x40,
} as const;
const attributeFields: Readonly<Record<OtherKind, number>> = {
  histogram: 9,
  "exponential histogram": 1,
  summary: 7,
};
const flagFields: Readonly<Record<OtherKind, number>> = {
  histogram: 10,
  "exponential histogram": 10,
  summary: 8,
};
const startField = 2;
const timeField = 3;
const missingFlag = 1;
const nsPerMs = 1e6;
const noBuckets: Buckets = { offset: 0, counts: [] };

export function readPoint(input: Input, kind: Kind, range: ByteRange): Point {
  if (kind === "gauge" || kind === "sum") return readNumber(input, kind, range);
  const fields = fieldsOf(input, range);
  const flags = fields.integer(flagFields[kind]) ?? 0;
  return {
    attributes: attributesIn(input.bytes, range, attributeFields[kind]),
    startMs: (fields.fixed(startField) ?? 0) / nsPerMs,
    timeMs: (fields.fixed(timeField) ?? 0) / nsPerMs,
    isMissing: (flags & missingFlag) !== 0,
    data: dataOf(input, kind, fields),
  };
}

/** Most points are numbers, and most senders write each field once: one pass, nothing kept. */
function readNumber({ view, bytes }: Input, kind: "gauge" | "sum", range: ByteRange): Point {
  const { end } = range;
  const cursor: Cursor = { bytes, pos: range.start };
  const attributes: LocatedAttribute[] = [];
  let [startNs, timeNs, flags] = [0, 0, 0];
  let value: number | undefined;
  while (cursor.pos < end) {
    const tag = trustedVarint(cursor);
    const at = cursor.pos;
    if (tag === numberTags.attributes) {
      const attributeEnd = trustedEnd(cursor);
      attributes.push(locateKeyValue(cursor, attributeEnd));
      continue;
    }
    if (tag === numberTags.flags) {
      flags = trustedVarint(cursor);
      continue;
    }
    if (tag === numberTags.start) startNs = fixedAt(view, at);
    else if (tag === numberTags.time) timeNs = fixedAt(view, at);
    else if (tag === numberTags.asDouble) value = view.getFloat64(at, true);
    else if (tag === numberTags.asInt) value = signedAt(view, at);
    skipTrusted(cursor, tag);
  }
  return {
    attributes,
    startMs: startNs / nsPerMs,
    timeMs: timeNs / nsPerMs,
    isMissing: (flags & missingFlag) !== 0,
    data: { kind, value },
  };
}

function fixedAt(view: DataView, pos: number): number {
  return view.getUint32(pos + 4, true) * 2 ** 32 + view.getUint32(pos, true);
}

function signedAt(view: DataView, pos: number): number {
  return view.getInt32(pos + 4, true) * 2 ** 32 + view.getUint32(pos, true);
}

function dataOf(input: Input, kind: OtherKind, fields: Fields): PointData {
  switch (kind) {
    case "histogram":
      return {
        kind,
        bounds: fields.doubles(7),
        counts: fields.fixeds(6),
        min: fields.double(11),
        max: fields.double(12),
      };
    case "exponential histogram":
      return {
        kind,
        scale: signed(fields.integer(6) ?? 0),
        zeroCount: fields.fixed(7) ?? 0,
        positive: bucketsOf(input, fields.last(8)),
        negative: bucketsOf(input, fields.last(9)),
        min: fields.double(12),
        max: fields.double(13),
      };
    case "summary":
      return { kind, quantiles: fields.all(6).map((range) => quantileOf(input, range)) };
  }
}

function bucketsOf(input: Input, range: ByteRange | undefined): Buckets {
  if (range === undefined) return noBuckets;
  const fields = fieldsOf(input, range);
  return { offset: signed(fields.integer(1) ?? 0), counts: fields.varints(2) };
}

function quantileOf(input: Input, range: ByteRange): QuantileValue {
  const fields = fieldsOf(input, range);
  return { quantile: fields.double(1) ?? 0, value: fields.double(2) ?? 0 };
}

/** ZigZag. */
function signed(value: number): number {
  return (value >>> 1) ^ -(value & 1);
}

/** Where the fields of a message are: by number, in the order they came. */
interface Fields {
  all(field: number): readonly ByteRange[];
  last(field: number): ByteRange | undefined;
  integer(field: number): number | undefined;
  fixed(field: number): number | undefined;
  double(field: number): number | undefined;
  doubles(field: number): number[];
  fixeds(field: number): number[];
  varints(field: number): number[];
}

interface Found extends ByteRange {
  readonly field: number;
  readonly wire: number;
}

function fieldsOf({ view, bytes }: Input, { start, end }: ByteRange): Fields {
  const found: Found[] = [];
  const cursor: Cursor = { bytes, pos: start };
  while (cursor.pos < end) {
    const tag = trustedVarint(cursor);
    const wire = tag & 7;
    const valueEnd = wire === wireBytes ? trustedEnd(cursor) : -1;
    const valueStart = cursor.pos;
    if (valueEnd < 0) skipTrusted(cursor, tag);
    else cursor.pos = valueEnd;
    found.push({ field: tag >>> 3, wire, start: valueStart, end: cursor.pos });
  }
  const at = (field: number, wire: number): Found | undefined =>
    found.findLast((one) => one.field === field && one.wire === wire);
  const many = (field: number, size: number, read: (pos: number) => number): number[] =>
    found
      .filter((one) => one.field === field)
      .flatMap((one) =>
        Array.from({ length: (one.end - one.start) / size }, (_, index) =>
          read(one.start + index * size),
        ),
      );
  const doubleAt = (pos: number): number => view.getFloat64(pos, true);
  const read = <T>(one: Found | undefined, value: (pos: number) => T): T | undefined =>
    one === undefined ? undefined : value(one.start);
  return {
    all: (field) => found.filter((one) => one.field === field && one.wire === wireBytes),
    last: (field) => at(field, wireBytes),
    integer: (field) => read(at(field, wireVarint), (pos) => trustedVarint({ bytes, pos })),
    fixed: (field) => read(at(field, wireFixed64), (pos) => fixedAt(view, pos)),
    double: (field) => read(at(field, wireFixed64), doubleAt),
    doubles: (field) => many(field, 8, doubleAt),
    fixeds: (field) => many(field, 8, (pos) => fixedAt(view, pos)),
    varints: (field) =>
      found.filter((one) => one.field === field).flatMap((one) => varintsIn(bytes, one)),
  };
}

/** Varints of up to 64 bits, side by side. */
function varintsIn(bytes: Uint8Array, { start, end }: ByteRange): number[] {
  const values: number[] = [];
  let value = 0;
  let scale = 1;
  for (let pos = start; pos < end; pos++) {
    const byte = bytes[pos] as number;
    value += (byte & 0x7f) * scale;
    scale *= 0x80;
    if (byte < 0x80) {
      values.push(value);
      value = 0;
      scale = 1;
    }
  }
  return values;
}
