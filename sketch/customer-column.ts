/**
 * Who was seen, who failed and who was slow, for many cells:
 *
 *   lists  WordLists   an entry of a sparse HyperLogLog a word, << 2; bit 0 says that the customer
 *                      failed, bit 1 that it was slow
 *
 * Who failed or was slow was seen, so one list says all three. When the 513th distinct entry
 * arrives the row gets three sketches of its own, which hold what they would hold had each been
 * kept apart from the beginning.
 */
import {
  addHll,
  copyHll,
  createHll,
  type Hll,
  hllEntriesMax,
  hllEntryOf,
  isEmptyHll,
  mergeHll,
} from "./hll.ts";
import { elsewhere, WordLists } from "./word-lists.ts";

export type Whose = "all" | "failed" | "slow";

/** Three sketches: who was seen, who of them failed, who was slow. */
export interface Customers {
  readonly all: Hll;
  readonly failed: Hll;
  readonly slow: Hll;
}

export const failedMark = 1;
export const slowMark = 2;
export const markBits = 2;
const marksOf = { all: 0, failed: failedMark, slow: slowMark } as const;

const merged = new Int32Array(2 * hllEntriesMax);
const scratch: Hll = {
  entries: new Uint32Array(hllEntriesMax),
  entryCount: 0,
  registers: undefined,
};

export class CustomerColumn {
  readonly lists = new WordLists();
  /** By the number their row left its list with. */
  readonly #dense: Customers[] = [];

  /** Makes room for so many rows; new ones are empty. */
  reserve(rows: number): void {
    this.lists.reserve(rows);
  }

  /** The sketches of a row whose list is kept elsewhere. */
  denseOf(row: number): Customers {
    return this.#dense[this.lists.numberOf(row)] as Customers;
  }

  isDense(row: number): boolean {
    return this.lists.startOf(row) === elsewhere;
  }

  /** Counts the hash of a customer; `marks` say whether it failed and was slow. */
  add(row: number, marks: number, low32: number, high32: number): void {
    const { lists } = this;
    if (this.isDense(row)) {
      const { all, failed, slow } = this.denseOf(row);
      addHll(all, low32, high32);
      if ((marks & failedMark) !== 0) addHll(failed, low32, high32);
      if ((marks & slowMark) !== 0) addHll(slow, low32, high32);
      return;
    }
    const entry = hllEntryOf(low32, high32) << markBits;
    const place = lists.placeOf(row, entry);
    const word = place < lists.endOf(row) ? (lists.words[place] as number) : -1;
    if ((word ^ entry) >>> markBits === 0) {
      lists.words[place] = word | marks;
    } else if (lists.lengthOf(row) === hllEntriesMax) {
      this.#toDense(row);
      this.add(row, marks, low32, high32);
    } else {
      lists.insert(row, place, entry | marks);
    }
  }

  /** Merges a row of `source`, which stays as it was. */
  merge(row: number, source: CustomerColumn, sourceRow: number): void {
    const { lists } = source;
    if (source.isDense(sourceRow)) this.#mergeSketches(row, source.denseOf(sourceRow));
    else this.mergeWords(row, lists.words, lists.startOf(sourceRow), lists.lengthOf(sourceRow));
  }

  /** Merges sketches, which stay as they were. */
  mergeCustomers(row: number, customers: Customers): void {
    const { all, failed, slow } = customers;
    if ([all, failed, slow].some((hll) => hll.registers !== undefined)) {
      this.#mergeSketches(row, customers);
      return;
    }
    // Whoever failed was seen, whatever the first sketch says.
    this.#mergeEntries(row, all, 0);
    this.#mergeEntries(row, failed, failedMark);
    this.#mergeEntries(row, slow, slowMark);
  }

  /** Merges ascending words as a list holds them. */
  mergeWords(row: number, from: Int32Array, start: number, length: number): void {
    if (length === 0) return;
    const { lists } = this;
    if (!this.isDense(row)) {
      if (lists.lengthOf(row) === 0) {
        lists.set(row, from, start, length);
        return;
      }
      const size = this.#mergeLists(row, from, start, start + length);
      if (size <= hllEntriesMax) {
        lists.set(row, merged, 0, size);
        return;
      }
      this.#toDense(row);
    }
    const own = this.denseOf(row);
    for (const whose of ["all", "failed", "slow"] as const) {
      select(from, start, length, marksOf[whose]);
      if (scratch.entryCount > 0) mergeHll(own[whose], scratch);
    }
  }

  /** Merges one of a row's sketches into `target`. */
  mergeInto(target: Hll, row: number, whose: Whose): void {
    const { lists } = this;
    if (this.isDense(row)) mergeHll(target, this.denseOf(row)[whose]);
    else {
      select(lists.words, lists.startOf(row), lists.lengthOf(row), marksOf[whose]);
      if (scratch.entryCount > 0) mergeHll(target, scratch);
    }
  }

  /** A sketch of its own. */
  hllOf(row: number, whose: Whose): Hll {
    if (this.isDense(row)) return copyHll(this.denseOf(row)[whose]);
    const hll = createHll();
    this.mergeInto(hll, row, whose);
    return hll;
  }

  /** Gives an empty row these sketches, of which the first is dense. */
  putDense(row: number, customers: Customers): void {
    this.lists.leave(row, this.#dense.length);
    this.#dense.push(customers);
  }

  #mergeSketches(row: number, { all, failed, slow }: Customers): void {
    if (!this.isDense(row)) this.#toDense(row);
    const own = this.denseOf(row);
    mergeHll(own.all, all);
    mergeHll(own.failed, failed);
    mergeHll(own.slow, slow);
  }

  #mergeEntries(row: number, hll: Hll, marks: number): void {
    if (isEmptyHll(hll)) return;
    const words = new Int32Array(hll.entryCount);
    for (let at = 0; at < words.length; at++) {
      words[at] = ((hll.entries[at] as number) << markBits) | marks;
    }
    this.mergeWords(row, words, 0, words.length);
  }

  #toDense(row: number): void {
    this.putDense(row, {
      all: this.hllOf(row, "all"),
      failed: this.hllOf(row, "failed"),
      slow: this.hllOf(row, "slow"),
    });
  }

  /** A row and another list into `merged`, the marks of equal entries together. */
  #mergeLists(row: number, from: Int32Array, start: number, end: number): number {
    const { words } = this.lists;
    const ownEnd = this.lists.endOf(row);
    let left = this.lists.startOf(row);
    let right = start;
    let size = 0;
    while (left < ownEnd && right < end) {
      const x = words[left] as number;
      const y = from[right] as number;
      const order = (x >>> markBits) - (y >>> markBits);
      merged[size++] = order === 0 ? x | y : order < 0 ? x : y;
      if (order <= 0) left++;
      if (order >= 0) right++;
    }
    while (left < ownEnd) merged[size++] = words[left++] as number;
    while (right < end) merged[size++] = from[right++] as number;
    return size;
  }
}

/** Puts the entries that have all of `marks` into `scratch`. */
function select(words: Int32Array, start: number, length: number, marks: number): void {
  let count = 0;
  for (let at = start; at < start + length; at++) {
    const word = words[at] as number;
    if ((word & marks) === marks) scratch.entries[count++] = word >>> markBits;
  }
  scratch.entryCount = count;
}
