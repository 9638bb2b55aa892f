/**
 * Many short ascending lists of 32-bit words in one array, so that a list costs its words and
 * twelve bytes, and no object:
 *
 *   rows   Int32Array [rows, 3]  where the list starts, its length, and its room; a list that is
 *                                kept elsewhere starts at -1 and has a number for its length
 *   words  Int32Array            a list's room is a multiple of four words; room given back is
 *                                found again by its size
 */
const rowWords = 3;
const rowsInitial = 8;
const stepWords = 4;
/** The longest list: the customers of a sparse HyperLogLog. */
const roomMax = 512;
const wordsInitial = 256;
export const elsewhere = -1;

export class WordLists {
  /** Replaced when it grows: do not keep it across a change. */
  words = new Int32Array(wordsInitial);
  #rows = new Int32Array(rowsInitial * rowWords);
  #used = 0;
  /** By room / 4: the first free place of that size, each pointing to the next; -1 for none. */
  readonly #free = new Int32Array(roomMax / stepWords + 1).fill(-1);

  /** Makes room for so many rows; new ones are empty. */
  reserve(rows: number): void {
    if (rows * rowWords <= this.#rows.length) return;
    const grown = new Int32Array(rows * rowWords);
    grown.set(this.#rows);
    this.#rows = grown;
  }

  startOf(row: number): number {
    return this.#rows[row * rowWords] as number;
  }

  lengthOf(row: number): number {
    return this.#rows[row * rowWords + 1] as number;
  }

  /** Where in `words` the row's first word is that is not below `word`. */
  placeOf(row: number, word: number): number {
    const { words } = this;
    let low = this.startOf(row);
    let high = low + this.lengthOf(row);
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((words[middle] as number) < word) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  endOf(row: number): number {
    return this.startOf(row) + this.lengthOf(row);
  }

  /** Puts a word where `placeOf` says. */
  insert(row: number, place: number, word: number): void {
    const at = row * rowWords;
    const length = this.#rows[at + 1] as number;
    const offset = place - (this.#rows[at] as number);
    if (length === this.#rows[at + 2]) this.#move(row, Math.max(stepWords, length * 2));
    const start = this.#rows[at] as number;
    const { words } = this;
    for (let to = start + length; to > start + offset; to--) words[to] = words[to - 1] as number;
    words[start + offset] = word;
    this.#rows[at + 1] = length + 1;
  }

  /** Replaces a row's words; `from` is not this table's own `words`. */
  set(row: number, from: Int32Array, start: number, length: number): void {
    const at = row * rowWords;
    if (length > (this.#rows[at + 2] as number)) {
      // Nothing of what was there is worth moving.
      this.#rows[at + 1] = 0;
      this.#move(row, length);
    }
    const into = this.#rows[at] as number;
    const { words } = this;
    for (let offset = 0; offset < length; offset++) {
      words[into + offset] = from[start + offset] as number;
    }
    this.#rows[at + 1] = length;
  }

  /** The row's words are kept elsewhere from now on, under `number`; see `numberOf`. */
  leave(row: number, number: number): void {
    this.#give(row);
    const at = row * rowWords;
    this.#rows[at] = elsewhere;
    this.#rows[at + 1] = number;
    this.#rows[at + 2] = 0;
  }

  /** The number a row left with. */
  numberOf(row: number): number {
    return this.#rows[row * rowWords + 1] as number;
  }

  #move(row: number, wanted: number): void {
    const at = row * rowWords;
    const room = Math.min(roomMax, (wanted + stepWords - 1) & ~(stepWords - 1));
    const before = this.#rows[at] as number;
    const length = this.#rows[at + 1] as number;
    const start = this.#take(room);
    const { words } = this;
    for (let offset = 0; offset < length; offset++) {
      words[start + offset] = words[before + offset] as number;
    }
    this.#give(row);
    this.#rows[at] = start;
    this.#rows[at + 2] = room;
  }

  #take(room: number): number {
    const known = this.#free[room / stepWords] as number;
    if (known >= 0) {
      this.#free[room / stepWords] = this.words[known] as number;
      return known;
    }
    const start = this.#used;
    this.#used = start + room;
    if (this.#used > this.words.length) {
      const grown = new Int32Array(Math.ceil(this.#used * 1.5));
      grown.set(this.words);
      this.words = grown;
    }
    return start;
  }

  #give(row: number): void {
    const at = row * rowWords;
    const room = this.#rows[at + 2] as number;
    if (room === 0) return;
    const start = this.#rows[at] as number;
    this.words[start] = this.#free[room / stepWords] as number;
    this.#free[room / stepWords] = start;
  }
}
