/**
 * The cells of a window, one a row, in columns: a cell costs its numbers and its lists, about 200
 * bytes and four for each customer and bucket, and no object of its own.
 *
 *   counts     Float64Array [rows, 6]  count, adjusted, errors, origin errors, slow, origin slow
 *   durations, selfTimes               see HistogramColumn
 *   customers                          see CustomerColumn
 *
 * Rows are numbered as their keys came; nothing that leaves the table depends on that order.
 */
import type { Cell } from "./cell.ts";
import { CustomerColumn, type Customers, failedMark, slowMark } from "./customer-column.ts";
import { addDigest, copyDigest, createDigest, type Digest, mergeDigest } from "./digest.ts";
import type { Histogram } from "./histogram.ts";
import { HistogramColumn } from "./histogram-column.ts";
import type { Hll } from "./hll.ts";
import type { KeyId } from "./key.ts";

export const countsWidth = 6;
const adjusted = 1;
const errors = 2;
const originErrors = 3;
const slow = 4;
const originSlow = 5;
const rowsInitial = 8;

export class CellTable {
  /** Rows. */
  size = 0;
  counts = new Float64Array(rowsInitial * countsWidth);
  readonly durations = new HistogramColumn();
  readonly selfTimes = new HistogramColumn();
  readonly customers = new CustomerColumn();
  /** By row: metric values, which few cells have. */
  readonly digests = new Map<number, Digest>();
  #keys = new Int32Array(rowsInitial);
  /** By key id: its row + 1. */
  #rows = new Int32Array(rowsInitial);

  /** The row of a key, -1 without one. */
  rowOf(key: KeyId): number {
    return key < this.#rows.length ? (this.#rows[key] as number) - 1 : -1;
  }

  /** The row of a key, new if need be. */
  rowFor(key: KeyId): number {
    const known = this.rowOf(key);
    if (known >= 0) return known;
    const row = this.size++;
    if (row >= this.#keys.length) this.#grow();
    if (key >= this.#rows.length) {
      const grown = new Int32Array(Math.ceil((key + 1) * 1.5));
      grown.set(this.#rows);
      this.#rows = grown;
    }
    this.#rows[key] = row + 1;
    this.#keys[row] = key;
    return row;
  }

  keyOf(row: number): KeyId {
    return this.#keys[row] as number;
  }

  /** Spans of a row. */
  countOf(row: number): number {
    return this.counts[row * countsWidth] as number;
  }

  /** Failed spans of a row. */
  errorsOf(row: number): number {
    return this.counts[row * countsWidth + errors] as number;
  }

  /** Counts a span: `ns` whole nanoseconds, `units` as in `Cell.adjusted`, `marks` of customers. */
  addSpan(row: number, marks: number, ns: number, units: number): void {
    const { counts } = this;
    const at = row * countsWidth;
    counts[at] = (counts[at] as number) + 1;
    const total = (counts[at + adjusted] as number) + units;
    counts[at + adjusted] = Math.min(total, Number.MAX_SAFE_INTEGER);
    if ((marks & failedMark) !== 0) counts[at + errors] = (counts[at + errors] as number) + 1;
    if ((marks & slowMark) !== 0) counts[at + slow] = (counts[at + slow] as number) + 1;
    this.durations.add(row, ns);
  }

  /** Counts a self time, `marks` saying whether the span began to fail or to be slow by itself. */
  addSelfTime(row: number, marks: number, ns: number): void {
    const { counts } = this;
    const at = row * countsWidth;
    if ((marks & failedMark) !== 0) {
      counts[at + originErrors] = (counts[at + originErrors] as number) + 1;
    }
    if ((marks & slowMark) !== 0) {
      counts[at + originSlow] = (counts[at + originSlow] as number) + 1;
    }
    this.selfTimes.add(row, ns);
  }

  /** Adds a metric's value; false when it is not finite, or its weight is out of range. */
  addValue(row: number, value: number, weight: number): boolean {
    const known = this.digests.get(row);
    if (known !== undefined) return addDigest(known, value, weight);
    const values = createDigest();
    if (!addDigest(values, value, weight)) return false;
    this.digests.set(row, values);
    return true;
  }

  /** Merges a row of `source`, which stays as it was. */
  merge(row: number, source: CellTable, sourceRow: number): void {
    this.mergeWithoutCustomers(row, source, sourceRow);
    this.customers.merge(row, source.customers, sourceRow);
  }

  /** The same but for who was seen. */
  mergeWithoutCustomers(row: number, source: CellTable, sourceRow: number): void {
    this.#addCounts(row, source.counts, sourceRow * countsWidth);
    this.durations.merge(row, source.durations, sourceRow);
    this.selfTimes.merge(row, source.selfTimes, sourceRow);
    if (source.digests.size > 0) this.#mergeValues(row, source.digests.get(sourceRow));
  }

  /** Merges a cell, which stays as it was. */
  mergeCell(row: number, cell: Cell): void {
    const { count, errors: failed, slow: late } = cell;
    this.#addCounts(
      row,
      Float64Array.of(count, cell.adjusted, failed, cell.originErrors, late, cell.originSlow),
      0,
    );
    this.durations.mergeHistogram(row, cell.durationNs);
    this.selfTimes.mergeHistogram(row, cell.selfNs);
    const customers: Customers = {
      all: cell.customers,
      failed: cell.customersFailed,
      slow: cell.customersSlow,
    };
    this.customers.mergeCustomers(row, customers);
    this.#mergeValues(row, cell.values);
  }

  has(key: KeyId): boolean {
    return this.rowOf(key) >= 0;
  }

  get(key: KeyId): CellView | undefined {
    const row = this.rowOf(key);
    return row < 0 ? undefined : new CellView(this, row);
  }

  *values(): Generator<CellView> {
    for (let row = 0; row < this.size; row++) yield new CellView(this, row);
  }

  *[Symbol.iterator](): Generator<[KeyId, CellView]> {
    for (let row = 0; row < this.size; row++) yield [this.keyOf(row), new CellView(this, row)];
  }

  #addCounts(row: number, from: Float64Array, offset: number): void {
    const { counts } = this;
    const at = row * countsWidth;
    for (let field = 0; field < countsWidth; field++) {
      counts[at + field] = (counts[at + field] as number) + (from[offset + field] as number);
    }
    const total = counts[at + adjusted] as number;
    if (total > Number.MAX_SAFE_INTEGER) counts[at + adjusted] = Number.MAX_SAFE_INTEGER;
  }

  #mergeValues(row: number, values: Digest | undefined): void {
    if (values === undefined) return;
    const own = this.digests.get(row) ?? createDigest();
    this.digests.set(row, own);
    mergeDigest(own, values);
  }

  /** Columns grow together, and by half, so that a large table is not copied often. */
  #grow(): void {
    const rows = Math.ceil(this.#keys.length * 1.5);
    const keys = new Int32Array(rows);
    keys.set(this.#keys);
    this.#keys = keys;
    const counts = new Float64Array(rows * countsWidth);
    counts.set(this.counts);
    this.counts = counts;
    for (const column of [this.durations, this.selfTimes, this.customers]) column.reserve(rows);
  }
}

/** A row as a cell to read; its sketches are made when they are asked for, and are the caller's. */
class CellView implements Readonly<Cell> {
  readonly #table: CellTable;
  readonly #row: number;

  constructor(table: CellTable, row: number) {
    this.#table = table;
    this.#row = row;
  }

  get count(): number {
    return this.#table.counts[this.#row * countsWidth] as number;
  }

  get adjusted(): number {
    return this.#table.counts[this.#row * countsWidth + adjusted] as number;
  }

  get errors(): number {
    return this.#table.counts[this.#row * countsWidth + errors] as number;
  }

  get originErrors(): number {
    return this.#table.counts[this.#row * countsWidth + originErrors] as number;
  }

  get slow(): number {
    return this.#table.counts[this.#row * countsWidth + slow] as number;
  }

  get originSlow(): number {
    return this.#table.counts[this.#row * countsWidth + originSlow] as number;
  }

  get durationNs(): Histogram {
    return this.#table.durations.histogramOf(this.#row);
  }

  get selfNs(): Histogram {
    return this.#table.selfTimes.histogramOf(this.#row);
  }

  get customers(): Hll {
    return this.#table.customers.hllOf(this.#row, "all");
  }

  get customersFailed(): Hll {
    return this.#table.customers.hllOf(this.#row, "failed");
  }

  get customersSlow(): Hll {
    return this.#table.customers.hllOf(this.#row, "slow");
  }

  get values(): Digest | undefined {
    const values = this.#table.digests.get(this.#row);
    return values === undefined ? undefined : copyDigest(values);
  }

  /** Adds the durations to `target`, without a histogram in between. */
  addDurationsTo(target: Histogram): void {
    this.#table.durations.mergeInto(target, this.#row);
  }

  /** Adds customers to `target`, without a sketch in between. */
  addCustomersTo(target: Hll, whose: "all" | "failed" | "slow"): void {
    this.#table.customers.mergeInto(target, this.#row, whose);
  }
}
