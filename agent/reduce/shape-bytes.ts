/**
 * The scratch row a shape is gathered in: ranges of a request's bytes, each behind its length, those
 * of attributes behind their slot as well. Two rows are equal only if all that was put in is.
 */
import type { AttributeRanges } from "../../wire/span-view.ts";

export const scratchSize = 8_192;
/** What a range needs besides its bytes. */
const headSizeMax = 4;
const shortSizeMax = 0xfe;
const longMark = 0xff;

/** Appends a length and bytes[start, end); gives the new size, or -1 when there is no room. */
export function appendRange(
  into: Uint8Array,
  at: number,
  bytes: Uint8Array,
  start: number,
  end: number,
): number {
  const size = end - start;
  if (at < 0 || at + size + headSizeMax > scratchSize) return -1;
  let to = at;
  if (size <= shortSizeMax) {
    into[to++] = size;
  } else {
    into[to++] = longMark;
    into[to++] = size & 0xff;
    into[to++] = size >> 8;
  }
  for (let from = start; from < end; from++) into[to++] = bytes[from] as number;
  return to;
}

/** Appends those of these slots that are present; there are fewer than 255 slots. */
export function appendSlots(
  into: Uint8Array,
  from: number,
  bytes: Uint8Array,
  ranges: AttributeRanges,
  slots: Int32Array,
): number {
  const { starts, ends } = ranges;
  let at = from;
  for (let index = 0; index < slots.length; index++) {
    const slot = slots[index] as number;
    const start = starts[slot] as number;
    if (start === 0) continue;
    if (at < 0 || at === scratchSize) return -1;
    into[at] = slot + 1;
    at = appendRange(into, at + 1, bytes, start, ends[slot] as number);
  }
  return at;
}

export function hashWords(words: Int32Array, count: number, seed: number): number {
  let hash = seed ^ count;
  for (let index = 0; index < count; index++) {
    hash = Math.imul(hash ^ (words[index] as number), 0x9e3779b1);
    hash = (hash << 13) | (hash >>> 19);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  return hash ^ (hash >>> 13);
}

export function areWordsEqual(known: Int32Array, words: Int32Array, count: number): boolean {
  if (known.length !== count) return false;
  for (let index = 0; index < count; index++) if (known[index] !== words[index]) return false;
  return true;
}
