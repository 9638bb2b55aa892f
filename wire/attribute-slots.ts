/**
 * The attribute names a reader wants, each with a slot, found by the bytes of a name: no string is
 * made for a name that is not wanted, nor for one that is.
 *
 *   table   Int16Array [power of two, at most a quarter full]   slot + 1, 0 = free; linear probing
 *   hash    length and last four bytes: names of one family differ at their ends
 *
 *   words  Int32Array [whole words of a name], little-endian; the hash knows the last four bytes
 *
 * A name the table holds is compared as a whole, so a sender gains nothing by colliding with it.
 */
const utf8 = new TextEncoder();

export interface AttributeSlots {
  readonly names: readonly string[];
  readonly count: number;
  readonly sizes: Int32Array;
  readonly words: readonly Int32Array[];
  readonly hashes: Int32Array;
  readonly table: Int16Array;
}

export const noSlot = -1;
const slotsMax = 1024;

/** Slots for `names`, in their order; a name that comes twice has the first slot. */
export function createAttributeSlots(names: readonly string[]): AttributeSlots {
  if (names.length > slotsMax) throw new RangeError(`${names.length} names exceed ${slotsMax}`);
  const views = names.map((name) => viewOf(utf8.encode(name)));
  const hashes = Int32Array.from(views, (view) => hashOf(view, 0, view.byteLength));
  const sizes = Int32Array.from(views, (view) => view.byteLength);
  const size = 2 ** Math.ceil(Math.log2(Math.max(4, names.length * 4)));
  const table = new Int16Array(size);
  const words = views.map(wordsOf);
  const slots = { names, count: names.length, sizes, words, hashes, table };
  for (const [slot, view] of views.entries()) {
    if (slotAt(slots, view, 0, view.byteLength) !== noSlot) continue;
    let at = (hashes[slot] as number) & (size - 1);
    while (table[at] !== 0) at = (at + 1) & (size - 1);
    table[at] = slot + 1;
  }
  return slots;
}

/** The slot of a name, for whoever reads the attribute later; `noSlot` when it is not wanted. */
export function slotOf(slots: AttributeSlots, name: string): number {
  return slots.names.indexOf(name);
}

/** The slot of the name in the bytes [start, end) of `view`, or `noSlot`. */
export function slotAt(slots: AttributeSlots, view: DataView, start: number, end: number): number {
  const { table, hashes, sizes } = slots;
  const mask = table.length - 1;
  const hash = hashOf(view, start, end);
  for (let at = hash & mask; ; at = (at + 1) & mask) {
    const slot = (table[at] as number) - 1;
    if (slot === noSlot) return noSlot;
    if (
      hashes[slot] === hash &&
      sizes[slot] === end - start &&
      isName(slots.words[slot] as Int32Array, view, start)
    ) {
      return slot;
    }
  }
}

/** One to one for names of one size: what the words do not cover is in the hash, unmixed. */
function hashOf(view: DataView, start: number, end: number): number {
  const size = end - start;
  let tail = 0;
  if (size >= 4) tail = view.getInt32(end - 4, true);
  else for (let pos = start; pos < end; pos++) tail = (tail << 8) | view.getUint8(pos);
  const mixed = Math.imul(tail ^ Math.imul(size, 0x9e3779b1), 0x85ebca6b);
  return mixed ^ (mixed >>> 15);
}

function isName(words: Int32Array, view: DataView, start: number): boolean {
  for (let index = 0; index < words.length; index++) {
    if (words[index] !== view.getInt32(start + index * 4, true)) return false;
  }
  return true;
}

function wordsOf(view: DataView): Int32Array {
  const count = Math.floor(view.byteLength / 4);
  return Int32Array.from({ length: count }, (_, index) => view.getInt32(index * 4, true));
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
