/**
 * What spans add to cells, kept in the order of arrival and added in the order of cells.
 *
 *   words    Int32Array [entriesMax, 4]    number of the cell, flags, customer's hash low and high
 *   amounts  Float64Array [entriesMax, 2]  nanoseconds; adjusted count
 *
 * A cell is a dozen places in memory, and the next span is of another cell: adding span by span
 * waited for all of them each time, 300 ns with 1,000 keys. Counting sort brings the entries of a
 * cell together, so one wait serves fifteen spans. Everything added commutes, so the cells are
 * equal to the last bit. `drain` before a cell is read.
 */
import type { CellTable } from "../../sketch/cell-table.ts";
import { failedMark, slowMark } from "../../sketch/customer-column.ts";

export interface CellEntry {
  cell: number;
  flags: number;
  customerLow: number;
  customerHigh: number;
  ns: number;
  adjusted: number;
}

/** Failed; of a self time, and so did no local child. */
export const failedEntry = failedMark;
export const slowEntry = slowMark;
/** A span as it came: its duration counts. Without this the entry is a self time. */
export const spanEntry = 4;
export const customerEntry = 8;
const marks = failedMark | slowMark;

/** Half a mebibyte, which the second-level cache still holds. */
const entriesMax = 16_384;
const entryWords = 4;
const entryAmounts = 2;

export class CellLog {
  /** Written by the caller before `push`. */
  readonly entry: CellEntry = {
    cell: 0,
    flags: 0,
    customerLow: 0,
    customerHigh: 0,
    ns: 0,
    adjusted: 0,
  };
  /** By number: the table and the row in it. */
  readonly #tables: (CellTable | undefined)[] = [];
  readonly #rows: number[] = [];
  readonly #free: number[] = [];
  readonly #words = new Int32Array(entriesMax * entryWords);
  readonly #amounts = new Float64Array(entriesMax * entryAmounts);
  readonly #order = new Int32Array(entriesMax);
  #ends = new Int32Array(1_024);
  #count = 0;

  /** Gives the cell a number for entries. */
  enter(table: CellTable, row: number): number {
    const number = this.#free.pop() ?? this.#tables.length;
    this.#tables[number] = table;
    this.#rows[number] = row;
    return number;
  }

  /** Takes the number back; what is noted for it must have been drained. */
  leave(number: number): void {
    this.#tables[number] = undefined;
    this.#free.push(number);
  }

  /** Notes the entry. */
  push(): void {
    if (this.#count === entriesMax) this.drain();
    const { entry } = this;
    const words = this.#words;
    const at = this.#count * entryWords;
    words[at] = entry.cell;
    words[at + 1] = entry.flags;
    words[at + 2] = entry.customerLow;
    words[at + 3] = entry.customerHigh;
    this.#amounts[this.#count * entryAmounts] = entry.ns;
    this.#amounts[this.#count * entryAmounts + 1] = entry.adjusted;
    this.#count++;
  }

  /** Adds what is noted to its cells. */
  drain(): void {
    this.#sort();
    const words = this.#words;
    const amounts = this.#amounts;
    let number = -1;
    let row = 0;
    let table: CellTable | undefined;
    for (let place = 0; place < this.#count; place++) {
      const index = this.#order[place] as number;
      const at = index * entryWords;
      if (words[at] !== number) {
        number = words[at] as number;
        table = this.#tables[number];
        row = this.#rows[number] as number;
      }
      const flags = words[at + 1] as number;
      const ns = amounts[index * entryAmounts] as number;
      const cells = table as CellTable;
      if ((flags & spanEntry) === 0) {
        cells.addSelfTime(row, flags & marks, ns);
        continue;
      }
      cells.addSpan(row, flags & marks, ns, amounts[index * entryAmounts + 1] as number);
      if ((flags & customerEntry) !== 0) {
        cells.customers.add(row, flags & marks, words[at + 2] as number, words[at + 3] as number);
      }
    }
    this.#count = 0;
  }

  /** Counting sort by cell: `order` lists entries, those of a cell in the order they came. */
  #sort(): void {
    if (this.#ends.length < this.#tables.length) {
      this.#ends = new Int32Array(this.#tables.length * 2);
    }
    const ends = this.#ends.fill(0, 0, this.#tables.length);
    const words = this.#words;
    const size = this.#count * entryWords;
    for (let at = 0; at < size; at += entryWords) {
      const number = words[at] as number;
      ends[number] = (ends[number] as number) + 1;
    }
    let end = 0;
    for (let number = 0; number < this.#tables.length; number++) {
      end += ends[number] as number;
      ends[number] = end;
    }
    for (let index = this.#count - 1; index >= 0; index--) {
      const number = words[index * entryWords] as number;
      const place = (ends[number] as number) - 1;
      ends[number] = place;
      this.#order[place] = index;
    }
  }
}
