/**
 * The parts of a request's bytes that make a span's shape, in order: where they are, and a hash.
 *
 *   head    Int32Array [3]          words that are no bytes of the request
 *   ranges  Int32Array [count * 3]  what the part is, and its range
 *
 * Kept as words: how many, the head, then for each part a word of what it is and its size, and its
 * bytes as little-endian words. A known selection is compared where the bytes lie; copying them
 * first took as long again.
 *
 * The hash knows every word. When it knew the ends of a part and its middle alone, routes that
 * differ elsewhere met in one set, and one span in twenty was taken for new, time after time.
 */
export interface Selection {
  readonly head: Int32Array;
  readonly ranges: Int32Array;
  count: number;
  hash: number;
}

const headWords = 3;
const rangeWords = 3;
const mixing = 0x9e3779b1;
/** A selection of more parts is not kept. */
const partsMax = 255;

export function createSelection(): Selection {
  return {
    head: new Int32Array(headWords),
    ranges: new Int32Array((partsMax + 1) * rangeWords),
    count: 0,
    hash: 0,
  };
}

export function addToSelection(
  selection: Selection,
  view: DataView,
  what: number,
  start: number,
  end: number,
): void {
  if (selection.count > partsMax) return;
  const at = selection.count++ * rangeWords;
  const { ranges } = selection;
  ranges[at] = what;
  ranges[at + 1] = start;
  ranges[at + 2] = end;
  let hash = selection.hash + ((what << 16) ^ (end - start));
  let pos = start;
  for (; pos <= end - 4; pos += 4) {
    hash = turned(hash) + Math.imul(view.getInt32(pos, true), mixing);
  }
  if (pos < end) hash = turned(hash) + Math.imul(restOf(view, end, end - pos), mixing);
  selection.hash = Math.imul(hash ^ (hash >>> 15), mixing);
}

/** Only this is waited for from word to word; the product of the next one is ready by then. */
function turned(hash: number): number {
  return (hash << 7) | (hash >>> 25);
}

/** Whether the words from `from` on are those of this selection. */
export function isSelection(
  words: Int32Array,
  from: number,
  selection: Selection,
  view: DataView,
): boolean {
  const { head, ranges, count } = selection;
  let at = from + 1;
  for (let word = 0; word < headWords; word++) if (words[at++] !== head[word]) return false;
  for (let part = 0; part < count * rangeWords; part += rangeWords) {
    const end = ranges[part + 2] as number;
    let pos = ranges[part + 1] as number;
    if (words[at++] !== (((ranges[part] as number) << 16) ^ (end - pos))) return false;
    for (; pos <= end - 4; pos += 4) if (words[at++] !== view.getInt32(pos, true)) return false;
    if (pos < end && words[at++] !== restOf(view, end, end - pos)) return false;
  }
  return at - from === words[from];
}

/** The selection as words; none when they are more than `countMax`. */
export function wordsOfSelection(
  selection: Selection,
  view: DataView,
  countMax: number,
): readonly number[] {
  const { head, ranges, count } = selection;
  if (count > partsMax) return [];
  const words = [0, ...head];
  for (let part = 0; part < count * rangeWords; part += rangeWords) {
    const end = ranges[part + 2] as number;
    let pos = ranges[part + 1] as number;
    if (words.length + (end - pos) / 4 + 2 > countMax) return [];
    words.push(((ranges[part] as number) << 16) ^ (end - pos));
    for (; pos <= end - 4; pos += 4) words.push(view.getInt32(pos, true));
    if (pos < end) words.push(restOf(view, end, end - pos));
  }
  words[0] = words.length;
  return words;
}

/** The last one to three bytes. What stands before them is there: no value begins a request. */
function restOf(view: DataView, end: number, size: number): number {
  return view.getInt32(end - 4, true) >>> ((4 - size) * 8);
}
