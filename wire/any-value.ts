/**
 * Reads an AnyValue a SpanView has located, and the plain text of a name. The bytes have passed
 * `validateTraces`. Text that is not UTF-8 is tolerated: SDKs cut values in the middle of a
 * character, and one such value must not cost a batch. What is broken reads as U+FFFD.
 *
 * An AnyValue holding several values (its fields are a oneof) is read by its last.
 */
import { type Cursor, skipTrusted, trustedVarint } from "./protobuf.ts";

const stringTag = 0x0a;
const boolTag = 0x10;
const intTag = 0x18;
const doubleTag = 0x21;

/** ASCII up to this size is put together by hand, which beats the decoder's fixed cost. */
const shortTextSizeMax = 24;
const utf8Lossy = new TextDecoder("utf-8", { ignoreBOM: true });

interface Located {
  tag: number;
  start: number;
  end: number;
}

/** A scalar AnyValue as text: integers in decimal, booleans `true` or `false`; others are "". */
export function textOf(bytes: Uint8Array, start: number, end: number): string {
  if (end - start >= 2 && bytes[start] === stringTag && bytes[start + 1] === end - start - 2) {
    return utf8Of(bytes, start + 2, end);
  }
  const value = locate(bytes, start, end);
  switch (value.tag) {
    case stringTag:
      return utf8Of(bytes, value.start, value.end);
    case boolTag:
      return isTrue(bytes, value) ? "true" : "false";
    case intTag:
      return integerOf(bytes, value).toString();
    case doubleTag:
      return String(doubleOf(bytes, value.start));
    default:
      return "";
  }
}

/** A numeric AnyValue, an integer beyond 2^53 rounded; text must be a number; NaN for others. */
export function numberOf(bytes: Uint8Array, start: number, end: number): number {
  const value = locate(bytes, start, end);
  switch (value.tag) {
    case stringTag: {
      const text = utf8Of(bytes, value.start, value.end).trim();
      return text === "" ? Number.NaN : Number(text);
    }
    case intTag:
      return Number(integerOf(bytes, value));
    case doubleTag:
      return doubleOf(bytes, value.start);
    default:
      return Number.NaN;
  }
}

/** The text in `bytes[start, end)`. */
export function utf8Of(bytes: Uint8Array, start: number, end: number): string {
  if (end - start <= shortTextSizeMax) {
    let text = "";
    let pos = start;
    for (; pos < end && (bytes[pos] as number) < 0x80; pos++) {
      text += String.fromCharCode(bytes[pos] as number);
    }
    if (pos === end) return text;
  }
  return utf8Lossy.decode(bytes.subarray(start, end));
}

function locate(bytes: Uint8Array, start: number, end: number): Located {
  const cursor: Cursor = { bytes, pos: start };
  const found: Located = { tag: 0, start, end: start };
  while (cursor.pos < end) {
    const tag = trustedVarint(cursor);
    if (tag >>> 3 > 7) {
      skipTrusted(cursor, tag);
      continue;
    }
    found.tag = tag;
    if ((tag & 7) === 2) {
      const length = trustedVarint(cursor);
      found.start = cursor.pos;
      cursor.pos += length;
    } else {
      found.start = cursor.pos;
      skipTrusted(cursor, tag);
    }
    found.end = cursor.pos;
  }
  return found;
}

function isTrue(bytes: Uint8Array, value: Located): boolean {
  for (let pos = value.start; pos < value.end; pos++) {
    if (((bytes[pos] as number) & 0x7f) !== 0) return true;
  }
  return false;
}

function integerOf(bytes: Uint8Array, value: Located): bigint | number {
  if (value.end - value.start === 1) return bytes[value.start] as number;
  let sum = 0n;
  for (let pos = value.end - 1; pos >= value.start; pos--) {
    sum = (sum << 7n) | BigInt((bytes[pos] as number) & 0x7f);
  }
  return BigInt.asIntN(64, sum);
}

function doubleOf(bytes: Uint8Array, start: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset + start, 8).getFloat64(0, true);
}
