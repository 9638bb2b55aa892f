/** Finds the fields of checked messages, and the attributes among them. */
import type { ByteRange, LocatedAttribute } from "./metric-point.ts";
import { type Cursor, skipTrusted, trustedEnd, trustedVarint, wireBytes } from "./protobuf.ts";

export interface Part extends ByteRange {
  readonly field: number;
}

const keyTag = 0x0a;
const valueTag = 0x12;
export const nowhere: ByteRange = { start: 0, end: 0 };

/** The fields of a message that hold bytes; others are stepped over. */
export function partsOf(bytes: Uint8Array, { start, end }: ByteRange): Part[] {
  const parts: Part[] = [];
  const cursor: Cursor = { bytes, pos: start };
  while (cursor.pos < end) {
    const tag = trustedVarint(cursor);
    if ((tag & 7) !== wireBytes) {
      skipTrusted(cursor, tag);
      continue;
    }
    const partEnd = trustedEnd(cursor);
    parts.push({ field: tag >>> 3, start: cursor.pos, end: partEnd });
    cursor.pos = partEnd;
  }
  return parts;
}

/** The KeyValues in field `field` of a message. */
export function attributesIn(
  bytes: Uint8Array,
  range: ByteRange,
  field: number,
): LocatedAttribute[] {
  return partsOf(bytes, range)
    .filter((part) => part.field === field)
    .map(({ start, end }) => locateKeyValue({ bytes, pos: start }, end));
}

/** Steps over a KeyValue{1 key, 2 value} that ends at `end`. */
export function locateKeyValue(cursor: Cursor, end: number): LocatedAttribute {
  const wholeStart = cursor.pos;
  let [nameStart, nameEnd, valueStart, valueEnd] = [end, end, end, end];
  while (cursor.pos < end) {
    const tag = trustedVarint(cursor);
    if (tag === keyTag) {
      nameEnd = trustedEnd(cursor);
      nameStart = cursor.pos;
      cursor.pos = nameEnd;
    } else if (tag === valueTag) {
      valueEnd = trustedEnd(cursor);
      valueStart = cursor.pos;
      cursor.pos = valueEnd;
    } else {
      skipTrusted(cursor, tag);
    }
  }
  return { wholeStart, wholeEnd: end, nameStart, nameEnd, start: valueStart, end: valueEnd };
}
