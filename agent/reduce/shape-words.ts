/**
 * The scratch row a shape is gathered in: 32-bit words, of each range of a request's bytes a word
 * with its size, then its bytes as words. Two rows are equal only if all that was put in is.
 */
export const scratchWords = 2_048;
/** What a range needs besides its whole words: the head, and the bytes left over. */
const spareWords = 2;

/** Appends `head`, the size, and bytes [start, end); gives the new end, -1 for no room. */
export function appendRange(
  into: Int32Array,
  from: number,
  view: DataView,
  range: { readonly head: number; readonly start: number; readonly end: number },
): number {
  const { start, end } = range;
  let at = from;
  if (at < 0 || at + ((end - start) >> 2) + spareWords > scratchWords) return -1;
  into[at++] = (range.head << 16) ^ (end - start);
  let pos = start;
  for (; pos <= end - 4; pos += 4) into[at++] = view.getInt32(pos, true);
  // What stands before a range is there to be read: no value begins a request.
  if (pos < end) into[at++] = view.getInt32(end - 4, true) >>> ((4 - (end - pos)) * 8);
  return at;
}

export function areWordsEqual(known: Int32Array, words: Int32Array, count: number): boolean {
  if (known.length !== count) return false;
  for (let index = 0; index < count; index++) if (known[index] !== words[index]) return false;
  return true;
}
