/**
 * The shape nearly all attributes have: a key, then a value with one scalar in it, everything
 * shorter than 128 bytes. Knowing it by sight makes reading a request twice as fast as following
 * the table of messages.
 *
 *   pos           the KeyValue's size, one byte
 *   pos + 1, + 2  0x0a and the name's size; the name follows
 *   then          0x12 and the value's size; the value follows
 */
import { malformed } from "./protobuf.ts";

/** Where the attribute ends whose size is at `pos`; `malformed` when it has another shape. */
export function plainAttributeEnd(bytes: Uint8Array, pos: number, end: number): number {
  if (end - pos < 7) return malformed;
  const size = bytes[pos] as number;
  const attributeEnd = pos + 1 + size;
  const nameSize = bytes[pos + 2] as number;
  const valueAt = pos + 3 + nameSize;
  if (bytes[pos + 1] !== 0x0a || (size | nameSize) >= 0x80) return malformed;
  if (attributeEnd > end || valueAt + 4 > attributeEnd || bytes[valueAt] !== 0x12) return malformed;
  const valueSize = bytes[valueAt + 1] as number;
  if (valueAt + 2 + valueSize !== attributeEnd) return malformed;
  const tag = bytes[valueAt + 2] as number;
  if (tag === 0x0a) return bytes[valueAt + 3] === valueSize - 2 ? attributeEnd : malformed;
  const isScalar = tag === 0x18 || tag === 0x10;
  return isScalar && isShortVarint(bytes, valueAt + 3, attributeEnd) ? attributeEnd : malformed;
}

/**
 * The same for one of 128 bytes to 16 KiB, with a text in it: a statement, a URL, a user agent.
 * They are rare among attributes, yet most spans have one.
 */
export function longAttributeEnd(bytes: Uint8Array, pos: number, end: number): number {
  if (end - pos < 0x82) return malformed;
  const attributeEnd = endBehindSize(bytes, pos);
  const nameSize = bytes[pos + 3] as number;
  const valueAt = pos + 4 + nameSize;
  if (attributeEnd > end || bytes[pos + 2] !== 0x0a || nameSize >= 0x80) return malformed;
  // Room for the sizes of the value and of its text, two bytes each, and more than that in it.
  if (valueAt + 6 > attributeEnd || bytes[valueAt] !== 0x12) return malformed;
  if (endBehindSize(bytes, valueAt + 1) !== attributeEnd) return malformed;
  const textAt = valueAt + ((bytes[valueAt + 1] as number) < 0x80 ? 2 : 3);
  const isText = bytes[textAt] === 0x0a && endBehindSize(bytes, textAt + 1) === attributeEnd;
  return isText ? attributeEnd : malformed;
}

/** Where a value ends whose size, of one byte or two, is at `pos`; beyond all bytes for others. */
function endBehindSize(bytes: Uint8Array, pos: number): number {
  const low = bytes[pos] as number;
  if (low < 0x80) return pos + 1 + low;
  const high = bytes[pos + 1] as number;
  return high < 0x80 ? pos + 2 + ((low & 0x7f) | (high << 7)) : Number.MAX_SAFE_INTEGER;
}

/** One varint of up to four bytes, and nothing behind it. */
function isShortVarint(bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start > 4) return false;
  for (let pos = start; pos < end - 1; pos++) {
    if ((bytes[pos] as number) < 0x80) return false;
  }
  return (bytes[end - 1] as number) < 0x80;
}
