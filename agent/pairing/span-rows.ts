/**
 * Rows of remembered spans, each one line of the cache: whoever looks at a span waits for memory
 * once. With a column a field, keeping a span wrote to sixteen places, which took three times as
 * long, and adding room copied all of it.
 *
 *   words  Int32Array [4096, 16] a block   by the columns below
 *   times  Float64Array [4096, 8]          the same memory; start and duration lie in it
 *
 * Blocks are made as rows are needed and then kept.
 */
export const idHighColumn = 0;
export const idLowColumn = 1;
export const parentHighColumn = 2;
export const parentLowColumn = 3;
export const traceColumn = 4;
export const processColumn = 5;
export const keyColumn = 10;
export const segmentColumn = 11;
export const flagsColumn = 12;
/** Row of the parent; -1 for no parent, or one that is not there. */
export const parentColumn = 13;
export const firstChildColumn = 14;
export const nextSiblingColumn = 15;

/** Words 6 to 9 as doubles: nanoseconds since the memory's epoch, and nanoseconds. */
export const startColumn = 3;
export const durationColumn = 4;

const rowWordsShift = 4;
const rowTimesShift = 3;
const blockShift = 12;
const rowsPerBlock = 2 ** blockShift;
const rowInBlock = rowsPerBlock - 1;

export class SpanRows {
  readonly #words: Int32Array[] = [];
  readonly #times: Float64Array[] = [];

  /** How many rows there is room for. */
  get room(): number {
    return this.#words.length * rowsPerBlock;
  }

  addRoom(): void {
    const buffer = new ArrayBuffer(rowsPerBlock << (rowWordsShift + 2));
    this.#words.push(new Int32Array(buffer));
    this.#times.push(new Float64Array(buffer));
  }

  /** The block of a row, for one who writes much of it; it begins at `startOf`. */
  blockOf(row: number): Int32Array {
    return this.#words[row >>> blockShift] as Int32Array;
  }

  startOf(row: number): number {
    return (row & rowInBlock) << rowWordsShift;
  }

  word(row: number, column: number): number {
    const block = this.#words[row >>> blockShift] as Int32Array;
    return block[((row & rowInBlock) << rowWordsShift) | column] as number;
  }

  setWord(row: number, column: number, word: number): void {
    const block = this.#words[row >>> blockShift] as Int32Array;
    block[((row & rowInBlock) << rowWordsShift) | column] = word;
  }

  time(row: number, column: number): number {
    const block = this.#times[row >>> blockShift] as Float64Array;
    return block[((row & rowInBlock) << rowTimesShift) | column] as number;
  }

  setTime(row: number, column: number, ns: number): void {
    const block = this.#times[row >>> blockShift] as Float64Array;
    block[((row & rowInBlock) << rowTimesShift) | column] = ns;
  }

  copy(to: number, from: number): void {
    if (to === from) return;
    const target = this.blockOf(to);
    const source = this.blockOf(from);
    const targetAt = this.startOf(to);
    const sourceAt = this.startOf(from);
    for (let word = 0; word < 1 << rowWordsShift; word++) {
      target[targetAt + word] = source[sourceAt + word] as number;
    }
  }
}
