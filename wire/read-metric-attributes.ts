/** Finds the fields of checked messages, and the attributes among them. */
import { utf8Of } from "./any-value.ts";
import type { ByteRange, LocatedAttribute } from "./metric-point.ts";
import { type Cursor, skipTrusted, trustedEnd, trustedVarint, wireBytes } from "./protobuf.ts";

export interface Part extends ByteRange {
  readonly field: number;
}

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

/** The KeyValues in field `field` of a message: KeyValue{1 key, 2 value}. */
export function attributesIn(
  bytes: Uint8Array,
  range: ByteRange,
  field: number,
): LocatedAttribute[] {
  const attributes: LocatedAttribute[] = [];
  for (const whole of partsOf(bytes, range)) {
    if (whole.field !== field) continue;
    const parts = partsOf(bytes, whole);
    const name = parts.findLast((part) => part.field === 1) ?? nowhere;
    const value = parts.findLast((part) => part.field === 2) ?? nowhere;
    attributes.push({ name: utf8Of(bytes, name.start, name.end), value, whole });
  }
  return attributes;
}
