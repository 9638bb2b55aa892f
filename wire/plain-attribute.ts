/**
 * The shape nearly all attributes have: a key, then a value with one scalar in it, everything
 * shorter than 128 bytes. Knowing it by sight makes reading a request twice as fast as following
 * the table of messages.
 *
 *   pos       tag, the KeyValue's size, 0x0a, the name's size; the name follows
 *   name end  0x12, the value's size, the scalar's tag, a text's size; the text follows
 *
 * Four bytes are read at a time and compared under a mask, in place of eight loads and ten
 * branches, which is 5 % of the whole reader.
 */
import { malformed } from "./protobuf.ts";

/** Of four bytes the first and third whole, of the sizes between the bit for "more follows". */
const headMask = 0x80ff80ff | 0;
const keyHead = 0x0a << 16;
/** A text of no bytes, whose value would have a size of 0, and what a byte more adds to it. */
const textHead = ((0x0a << 16) | 0x12) - (2 << 24);
const textSizes = (1 << 24) | (1 << 8);

/** Where the attribute ends whose tag is at `pos`; `malformed` when it has another shape. */
export function plainAttributeEnd(view: DataView, pos: number, end: number, tag: number): number {
  if (end - pos < 8) return malformed;
  const head = view.getInt32(pos, true);
  if ((head & headMask) !== (keyHead | tag)) return malformed;
  const attributeEnd = pos + 2 + ((head >> 8) & 0xff);
  const nameEnd = pos + 4 + (head >>> 24);
  if (attributeEnd > end || nameEnd + 4 > attributeEnd) return malformed;
  const valueSize = attributeEnd - nameEnd - 2;
  const textOfSize = textHead + valueSize * textSizes;
  if (view.getInt32(nameEnd, true) === textOfSize) return attributeEnd;
  return isPlainNumber(view, nameEnd, attributeEnd) ? attributeEnd : malformed;
}

/** A boolean or an integer of up to four bytes. */
function isPlainNumber(view: DataView, valueAt: number, end: number): boolean {
  const tag = view.getUint8(valueAt + 2);
  if (view.getUint8(valueAt + 1) !== end - valueAt - 2) return false;
  if (view.getUint8(valueAt) !== 0x12 || (tag !== 0x18 && tag !== 0x10)) return false;
  if (end - valueAt > 7) return false;
  for (let pos = valueAt + 3; pos < end - 1; pos++) if (view.getUint8(pos) < 0x80) return false;
  return view.getUint8(end - 1) < 0x80;
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
