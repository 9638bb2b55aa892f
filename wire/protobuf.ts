/**
 * Protobuf's wire format over one Uint8Array. Two ways of reading: the checked one for bytes nobody
 * has looked at, and the trusted one for bytes that passed the first. Neither allocates nor throws.
 *
 *   tag      varint, field number * 8 + wire type
 *   length   varint, then that many bytes
 *
 * Source: protobuf.dev/programming-guides/encoding. Varints of up to ten bytes are accepted however
 * they are padded; field numbers are 1 to 2^29 - 1.
 */
export const wireVarint = 0;
export const wireFixed64 = 1;
export const wireBytes = 2;
const wireGroupStart = 3;
const wireGroupEnd = 4;
export const wireFixed32 = 5;

/** What the checked reads answer for malformed bytes. */
export const malformed = -1;

const groupDepthMax = 32;
const varintBytesMax = 10;

/** A place in bytes; `pos` moves past what is read. */
export interface Cursor {
  readonly bytes: Uint8Array;
  pos: number;
}

/** A checked varint; above 2^53 it is rounded. `malformed` when it does not end in time. */
function checkedVarint(cursor: Cursor, end: number): number {
  const pos = cursor.pos;
  if (pos >= end) return malformed;
  const byte = cursor.bytes[pos] as number;
  if (byte < 0x80) {
    cursor.pos = pos + 1;
    return byte;
  }
  // Two bytes are the length of nearly every span.
  const next = pos + 1 < end ? (cursor.bytes[pos + 1] as number) : 0x80;
  if (next >= 0x80) return checkedLongVarint(cursor, end);
  cursor.pos = pos + 2;
  return (byte & 0x7f) | (next << 7);
}

function checkedLongVarint(cursor: Cursor, end: number): number {
  const last = Math.min(end, cursor.pos + varintBytesMax);
  let value = 0;
  let scale = 1;
  for (let pos = cursor.pos; pos < last; pos++) {
    const byte = cursor.bytes[pos] as number;
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) {
      cursor.pos = pos + 1;
      return value;
    }
    scale *= 0x80;
  }
  return malformed;
}

/** A checked length: `malformed` when so many bytes do not remain before `end`. */
export function checkedLength(cursor: Cursor, end: number): number {
  const length = checkedVarint(cursor, end);
  return length <= end - cursor.pos ? length : malformed;
}

/** A checked tag: `malformed` when its field number is 0 or beyond 29 bits. */
export function checkedTag(cursor: Cursor, end: number): number {
  const tag = checkedVarint(cursor, end);
  return tag >= 8 && tag < 2 ** 32 ? tag : malformed;
}

/** Steps over the value of a tag just read; false when it is malformed. */
export function skipChecked(cursor: Cursor, tag: number, end: number): boolean {
  switch (tag & 7) {
    case wireVarint:
      return checkedVarint(cursor, end) !== malformed;
    case wireFixed64:
      cursor.pos += 8;
      return cursor.pos <= end;
    case wireBytes: {
      const length = checkedLength(cursor, end);
      cursor.pos += length;
      return length !== malformed;
    }
    case wireGroupStart:
      return skipGroup(cursor, tag, end);
    case wireFixed32:
      cursor.pos += 4;
      return cursor.pos <= end;
    default:
      return false;
  }
}

/** Groups are deprecated, so unknown ones are stepped over, without recursion. */
function skipGroup(cursor: Cursor, startTag: number, end: number): boolean {
  const open = [startTag];
  while (open.length > 0) {
    const tag = checkedTag(cursor, end);
    if (tag === malformed) return false;
    const wire = tag & 7;
    if (wire === wireGroupStart) {
      if (open.length >= groupDepthMax) return false;
      open.push(tag);
    } else if (wire === wireGroupEnd) {
      if (((open.pop() as number) ^ tag) >>> 3 !== 0) return false;
    } else if (!skipChecked(cursor, tag, end)) {
      return false;
    }
  }
  return true;
}

/** The low 32 bits of a trusted varint, unsigned. */
export function trustedVarint(cursor: Cursor): number {
  const byte = cursor.bytes[cursor.pos] as number;
  if (byte >= 0x80) return trustedLongVarint(cursor);
  cursor.pos++;
  return byte;
}

function trustedLongVarint(cursor: Cursor): number {
  const bytes = cursor.bytes;
  let pos = cursor.pos;
  let value = 0;
  let byte = 0x80;
  for (let shift = 0; byte >= 0x80; shift += 7) {
    byte = bytes[pos++] as number;
    if (shift < 32) value |= (byte & 0x7f) << shift;
  }
  cursor.pos = pos;
  return value >>> 0;
}

/** Steps over the value of a trusted tag just read. */
export function skipTrusted(cursor: Cursor, tag: number): void {
  switch (tag & 7) {
    case wireVarint:
      trustedVarint(cursor);
      break;
    case wireFixed64:
      cursor.pos += 8;
      break;
    case wireBytes: {
      const length = trustedVarint(cursor);
      cursor.pos += length;
      break;
    }
    case wireFixed32:
      cursor.pos += 4;
      break;
    default:
      skipGroup(cursor, tag, cursor.bytes.length);
  }
}

/** Reads a trusted length; gives where its value ends. */
export function trustedEnd(cursor: Cursor): number {
  const length = trustedVarint(cursor);
  return cursor.pos + length;
}
