/**
 * The attribute names a reader wants, each with a slot, found by the bytes of a name: no string is
 * made for a name that is not wanted, nor for one that is.
 *
 *   table  Int32Array [power of two, at most an eighth full, 4]
 *          slot + 1 (0 = free), hash, size in bytes, where the name is in `words`; linear probing
 *   hash   of length and last four bytes: names of one family differ at their ends
 *   words  Int32Array   the whole words of each name, little-endian, but what the hash knows
 *
 * A name the table holds is compared as a whole, so a sender gains nothing by colliding with it.
 * One entry of one array, and words that lie side by side, cost half of an array for each.
 */
const utf8 = new TextEncoder();

export interface AttributeSlots {
  readonly names: readonly string[];
  readonly count: number;
  readonly table: Int32Array;
  /** The hash's upper bits are the place in the table. */
  readonly shift: number;
  readonly words: Int32Array;
}

export const noSlot = -1;
const slotsMax = 1024;
const entryWords = 4;

/** Slots for `names`, in their order; a name that comes twice has the first slot. */
export function createAttributeSlots(names: readonly string[]): AttributeSlots {
  if (names.length > slotsMax) throw new RangeError(`${names.length} names exceed ${slotsMax}`);
  const views = names.map((name) => viewOf(utf8.encode(name)));
  const bits = Math.ceil(Math.log2(Math.max(4, names.length * 8)));
  const wordsOfNames = views.map(wordsOf);
  const words = Int32Array.from(wordsOfNames.flat());
  const table = new Int32Array(2 ** bits * entryWords);
  const slots = { names, count: names.length, table, shift: 32 - bits, words };
  let wordsAt = 0;
  for (const [slot, view] of views.entries()) {
    const hash = hashOfName(view, 0, view.byteLength);
    const isKnown = slotAt(slots, view, 0, view.byteLength) !== noSlot;
    const at = isKnown ? -1 : freeEntry(table, placeOfHash(hash, slots.shift));
    if (!isKnown) table.set([slot + 1, hash, view.byteLength, wordsAt], at);
    wordsAt += (wordsOfNames[slot] as number[]).length;
  }
  return slots;
}

function freeEntry(table: Int32Array, place: number): number {
  let at = place;
  while (table[at] !== 0) at = (at + entryWords) & (table.length - 1);
  return at;
}

/** The slot of a name, for whoever reads the attribute later; `noSlot` when it is not wanted. */
export function slotOf(slots: AttributeSlots, name: string): number {
  return slots.names.indexOf(name);
}

/** The slot of the name in the bytes [start, end) of `view`, or `noSlot`. */
export function slotAt(slots: AttributeSlots, view: DataView, start: number, end: number): number {
  const hash = hashOfName(view, start, end - start);
  return slotFrom(slots, placeOfHash(hash, slots.shift), hash, view, start, end - start);
}

/** The same for a name whose hash, and so its place in the table, is known. */
export function slotFrom(
  slots: AttributeSlots,
  place: number,
  hash: number,
  view: DataView,
  start: number,
  size: number,
): number {
  const { table } = slots;
  let at = place;
  while (table[at] !== 0) {
    if (
      table[at + 1] === hash &&
      table[at + 2] === size &&
      isName(slots.words, table[at + 3] as number, view, start, size)
    ) {
      return (table[at] as number) - 1;
    }
    at = (at + entryWords) & (table.length - 1);
  }
  return noSlot;
}

/** Where the entry of a name with this hash is, or the first one it is not. */
export function placeOfHash(hash: number, shift: number): number {
  return (hash >>> shift) * entryWords;
}

/** One to one for names of one size, so the last four bytes need not be compared again. */
export function hashOfName(view: DataView, start: number, size: number): number {
  const tail = size >= 4 ? view.getInt32(start + size - 4, true) : shortName(view, start, size);
  return Math.imul(tail ^ Math.imul(size, 0x9e3779b1), 0x85ebca6b);
}

function shortName(view: DataView, start: number, size: number): number {
  let name = 0;
  for (let pos = start; pos < start + size; pos++) name = (name << 8) | view.getUint8(pos);
  return name;
}

function isName(
  words: Int32Array,
  wordsAt: number,
  view: DataView,
  start: number,
  size: number,
): boolean {
  let at = wordsAt;
  for (let offset = 0; offset < size - 4; offset += 4) {
    if (words[at] !== view.getInt32(start + offset, true)) return false;
    at++;
  }
  return true;
}

function wordsOf(view: DataView): number[] {
  const words: number[] = [];
  for (let at = 0; at < view.byteLength - 4; at += 4) words.push(view.getInt32(at, true));
  return words;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
