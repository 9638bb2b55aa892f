/**
 * Many histograms, most of them of few values, one a row:
 *
 *   numbers  Float64Array [rows, 5]  count, zeros, sum, minimum, maximum
 *   buckets  WordLists               a bucket a word: (index + 1) << 20 | count
 *
 * Past 32 buckets, or 2^20 - 1 in one, a row's buckets go to a histogram of their own. What a row
 * says does not depend on which of the two holds it.
 */
import {
  addToBucket,
  bucketIndex,
  copyHistogram,
  createHistogram,
  type Histogram,
  mergeHistogram,
  visitBuckets,
} from "./histogram.ts";
import { elsewhere, WordLists } from "./word-lists.ts";

export const columnWidth = 5;
export const zeros = 1;
export const sum = 2;
export const minimum = 3;
export const maximum = 4;

const bucketsMax = 32;
const countBits = 20;
const countMax = 2 ** countBits - 1;
const rowsInitial = 8;

/** A row by itself: `numbers` as above, its buckets in ascending order. */
export interface ColumnRow {
  readonly numbers: Float64Array;
  readonly indices: Int32Array;
  readonly counts: Float64Array;
  length: number;
}

/** Merging two lists of 32. */
const merged = new Int32Array(2 * bucketsMax);

export class HistogramColumn {
  readonly buckets = new WordLists();
  #numbers = new Float64Array(rowsInitial * columnWidth);
  /**
   * Buckets only, by the number their row left its list with: the other fields of these histograms
   * are not kept up.
   */
  readonly #wide: Histogram[] = [];

  /** Makes room for so many rows; new ones are empty. */
  reserve(rows: number): void {
    if (rows * columnWidth <= this.#numbers.length) return;
    const grown = new Float64Array(rows * columnWidth);
    grown.set(this.#numbers);
    this.#numbers = grown;
    this.buckets.reserve(rows);
  }

  countOf(row: number): number {
    return this.#numbers[row * columnWidth] as number;
  }

  /** Nanoseconds of all its durations. */
  sumOf(row: number): number {
    return this.#numbers[row * columnWidth + sum] as number;
  }

  /** Counts one duration: whole nanoseconds from 0 to 2^53 - 1. */
  add(row: number, ns: number): void {
    const numbers = this.#numbers;
    const at = row * columnWidth;
    const count = numbers[at] as number;
    if (count === 0 || ns < (numbers[at + minimum] as number)) numbers[at + minimum] = ns;
    if (ns > (numbers[at + maximum] as number)) numbers[at + maximum] = ns;
    numbers[at] = count + 1;
    numbers[at + sum] = Math.min((numbers[at + sum] as number) + ns, Number.MAX_SAFE_INTEGER);
    if (ns === 0) numbers[at + zeros] = (numbers[at + zeros] as number) + 1;
    else this.#addToBucket(row, bucketIndex(ns), 1);
  }

  /** Merges a row of `source`, which stays as it was. */
  merge(row: number, source: HistogramColumn, sourceRow: number): void {
    if (source.countOf(sourceRow) === 0) return;
    this.#mergeNumbers(row, source.#numbers, sourceRow * columnWidth);
    const start = source.buckets.startOf(sourceRow);
    if (start === elsewhere) {
      visitBuckets(source.#wideOf(sourceRow) as Histogram, (index, count) =>
        this.#addToBucket(row, index, count),
      );
    } else {
      this.#mergeWords(row, source.buckets.words, start, source.buckets.lengthOf(sourceRow));
    }
  }

  /** Merges a histogram, which stays as it was. */
  mergeHistogram(row: number, h: Histogram): void {
    if (h.count === 0) return;
    this.#mergeNumbers(row, Float64Array.of(h.count, h.zeroCount, h.sumNs, h.minNs, h.maxNs), 0);
    visitBuckets(h, (index, count) => this.#addToBucket(row, index, count));
  }

  /** Merges a row into a histogram. */
  mergeInto(target: Histogram, row: number): void {
    const wide = this.#wideOf(row);
    if (wide !== undefined) mergeHistogram(target, this.#complete(wide, row));
    else if (this.countOf(row) > 0) {
      const at = row * columnWidth;
      const least = this.#numbers[at + minimum] as number;
      if (target.count === 0 || least < target.minNs) target.minNs = least;
      target.maxNs = Math.max(target.maxNs, this.#numbers[at + maximum] as number);
      target.count += this.#numbers[at] as number;
      target.zeroCount += this.#numbers[at + zeros] as number;
      const total = target.sumNs + (this.#numbers[at + sum] as number);
      target.sumNs = Math.min(total, Number.MAX_SAFE_INTEGER);
      this.visit(row, (index, count) => addToBucket(target, index, count));
    }
  }

  /** A row as a histogram of its own. */
  histogramOf(row: number): Histogram {
    const wide = this.#wideOf(row);
    if (wide !== undefined) return copyHistogram(this.#complete(wide, row));
    const h = createHistogram();
    this.mergeInto(h, row);
    return h;
  }

  /** Calls `visit` with every bucket that has durations, in ascending order; not the zeros. */
  visit(row: number, visit: (index: number, count: number) => void): void {
    const wide = this.#wideOf(row);
    if (wide !== undefined) {
      visitBuckets(wide, visit);
      return;
    }
    const { words } = this.buckets;
    const end = this.buckets.endOf(row);
    for (let place = this.buckets.startOf(row); place < end; place++) {
      const word = words[place] as number;
      visit((word >>> countBits) - 1, word & countMax);
    }
  }

  /** Whether two rows say the same. */
  isEqual(row: number, other: HistogramColumn, otherRow: number): boolean {
    for (let field = maximum; field >= 0; field--) {
      const value = this.#numbers[row * columnWidth + field];
      if (value !== other.#numbers[otherRow * columnWidth + field]) return false;
    }
    const buckets: number[] = [];
    this.visit(row, (index, count) => buckets.push(index, count));
    let at = 0;
    let isSame = true;
    other.visit(otherRow, (index, count) => {
      if (buckets[at++] !== index || buckets[at++] !== count) isSame = false;
    });
    return isSame && at === buckets.length;
  }

  /** Copies a row out. */
  load(row: number, into: ColumnRow): void {
    const at = row * columnWidth;
    for (let field = 0; field < columnWidth; field++) {
      into.numbers[field] = this.#numbers[at + field] as number;
    }
    into.length = 0;
    if (this.buckets.startOf(row) === elsewhere) {
      this.visit(row, (index, count) => {
        into.indices[into.length] = index;
        into.counts[into.length++] = count;
      });
      return;
    }
    const { words } = this.buckets;
    const end = this.buckets.endOf(row);
    for (let place = this.buckets.startOf(row); place < end; place++) {
      const word = words[place] as number;
      into.indices[into.length] = (word >>> countBits) - 1;
      into.counts[into.length++] = word & countMax;
    }
  }

  /** Copies a row in that was empty. */
  store(row: number, from: ColumnRow): void {
    const at = row * columnWidth;
    const { numbers, indices, counts, length } = from;
    for (let field = 0; field < columnWidth; field++) {
      this.#numbers[at + field] = numbers[field] as number;
    }
    if (length > bucketsMax || (numbers[0] as number) > countMax) {
      for (let place = 0; place < length; place++) {
        this.#addToBucket(row, indices[place] as number, counts[place] as number);
      }
      return;
    }
    for (let place = 0; place < length; place++) {
      merged[place] = (((indices[place] as number) + 1) << countBits) | (counts[place] as number);
    }
    this.buckets.set(row, merged, 0, length);
  }

  #mergeNumbers(row: number, from: Float64Array, offset: number): void {
    const numbers = this.#numbers;
    const at = row * columnWidth;
    const least = from[offset + minimum] as number;
    if (numbers[at] === 0 || least < (numbers[at + minimum] as number)) {
      numbers[at + minimum] = least;
    }
    const most = from[offset + maximum] as number;
    if (most > (numbers[at + maximum] as number)) numbers[at + maximum] = most;
    numbers[at] = (numbers[at] as number) + (from[offset] as number);
    numbers[at + zeros] = (numbers[at + zeros] as number) + (from[offset + zeros] as number);
    const total = (numbers[at + sum] as number) + (from[offset + sum] as number);
    numbers[at + sum] = Math.min(total, Number.MAX_SAFE_INTEGER);
  }

  #addToBucket(row: number, index: number, count: number): void {
    const { buckets } = this;
    if (buckets.startOf(row) === elsewhere) {
      addToBucket(this.#wideOf(row) as Histogram, index, count);
      return;
    }
    const bucket = (index + 1) << countBits;
    const place = buckets.placeOf(row, bucket);
    const word = place < buckets.endOf(row) ? (buckets.words[place] as number) : -1;
    if ((word ^ bucket) >>> countBits === 0) {
      if ((word & countMax) + count <= countMax) buckets.words[place] = word + count;
      else addToBucket(this.#widen(row), index, count);
    } else if (buckets.lengthOf(row) === bucketsMax || count > countMax) {
      addToBucket(this.#widen(row), index, count);
    } else {
      buckets.insert(row, place, bucket | count);
    }
  }

  #mergeWords(row: number, from: Int32Array, start: number, length: number): void {
    const { buckets } = this;
    if (buckets.lengthOf(row) === 0 && buckets.startOf(row) !== elsewhere) {
      buckets.set(row, from, start, length);
      return;
    }
    const size =
      buckets.startOf(row) === elsewhere ? -1 : this.#mergeLists(row, from, start, start + length);
    if (size >= 0) {
      buckets.set(row, merged, 0, size);
      return;
    }
    const wide = this.#wideOf(row) ?? this.#widen(row);
    for (let place = start; place < start + length; place++) {
      const word = from[place] as number;
      addToBucket(wide, (word >>> countBits) - 1, word & countMax);
    }
  }

  /** A row and another list into `merged`; the length, or -1 when that is too much for a list. */
  #mergeLists(row: number, from: Int32Array, start: number, end: number): number {
    const { words } = this.buckets;
    const ownEnd = this.buckets.endOf(row);
    let left = this.buckets.startOf(row);
    let right = start;
    let size = 0;
    while (left < ownEnd && right < end) {
      const x = words[left] as number;
      const y = from[right] as number;
      const order = (x >>> countBits) - (y >>> countBits);
      if (order === 0 && (x & countMax) + (y & countMax) > countMax) return -1;
      merged[size++] = order === 0 ? x + (y & countMax) : order < 0 ? x : y;
      if (order <= 0) left++;
      if (order >= 0) right++;
    }
    while (left < ownEnd) merged[size++] = words[left++] as number;
    while (right < end) merged[size++] = from[right++] as number;
    return size <= bucketsMax ? size : -1;
  }

  #widen(row: number): Histogram {
    const wide = createHistogram();
    this.visit(row, (index, count) => addToBucket(wide, index, count));
    this.buckets.leave(row, this.#wide.length);
    this.#wide.push(wide);
    return wide;
  }

  #wideOf(row: number): Histogram | undefined {
    const { buckets } = this;
    return buckets.startOf(row) === elsewhere ? this.#wide[buckets.numberOf(row)] : undefined;
  }

  /** The wide buckets of a row under the row's own numbers. */
  #complete(wide: Histogram, row: number): Histogram {
    const at = row * columnWidth;
    wide.count = this.#numbers[at] as number;
    wide.zeroCount = this.#numbers[at + zeros] as number;
    wide.sumNs = this.#numbers[at + sum] as number;
    wide.minNs = this.#numbers[at + minimum] as number;
    wide.maxNs = this.#numbers[at + maximum] as number;
    return wide;
  }
}
