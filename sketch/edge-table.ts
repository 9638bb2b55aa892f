/**
 * Calls between keys of a window, one pair a row, in columns:
 *
 *   ends    Int32Array [rows, 2]    key ids of caller and callee
 *   counts  Float64Array [rows, 2]  calls, failed ones
 *   gaps    HistogramColumn         client less server duration, from 0; for messaging from the
 *                                   producer's end to the consumer's start
 *
 * Rows are numbered as the pairs came; nothing that leaves the table depends on that order.
 */
import type { EdgeCell } from "./cell.ts";
import type { Histogram } from "./histogram.ts";
import { HistogramColumn } from "./histogram-column.ts";
import type { KeyId } from "./key.ts";

/** More keys than any table holds, so a pair of ids is one number. */
const keysPerTable = 2 ** 26;
const rowsInitial = 8;

/** A row to read; the gaps are made when they are asked for, and are the caller's. */
export interface EdgeView {
  readonly caller: KeyId;
  readonly callee: KeyId;
  readonly cell: Readonly<EdgeCell>;
}

export class EdgeTable {
  /** Rows. */
  size = 0;
  readonly rowsMax: number;
  readonly gaps = new HistogramColumn();
  #ends = new Int32Array(rowsInitial * 2);
  #counts = new Float64Array(rowsInitial * 2);
  /** Rows by pair; made when one is looked for, as a table that is only read needs none. */
  #rows: Map<number, number> | undefined;

  constructor(rowsMax: number) {
    this.rowsMax = rowsMax;
  }

  /** The row of a pair, new if need be; -1 when there are `rowsMax`. */
  rowFor(caller: KeyId, callee: KeyId): number {
    this.#rows ??= this.#index();
    const pair = caller * keysPerTable + callee;
    const known = this.#rows.get(pair);
    if (known !== undefined) return known;
    if (this.size >= this.rowsMax) return -1;
    this.#rows.set(pair, this.size);
    return this.append(caller, callee);
  }

  /** A new row for a pair that has none. */
  append(caller: KeyId, callee: KeyId): number {
    const row = this.size++;
    if (row * 2 >= this.#ends.length) this.#grow();
    this.#ends[row * 2] = caller;
    this.#ends[row * 2 + 1] = callee;
    return row;
  }

  callerOf(row: number): KeyId {
    return this.#ends[row * 2] as number;
  }

  calleeOf(row: number): KeyId {
    return this.#ends[row * 2 + 1] as number;
  }

  countOf(row: number): number {
    return this.#counts[row * 2] as number;
  }

  errorsOf(row: number): number {
    return this.#counts[row * 2 + 1] as number;
  }

  /** Counts calls that have no gap. */
  addCalls(row: number, count: number, errors: number): void {
    this.#counts[row * 2] = (this.#counts[row * 2] as number) + count;
    this.#counts[row * 2 + 1] = (this.#counts[row * 2 + 1] as number) + errors;
  }

  /** Merges a row of `source`, which stays as it was. */
  merge(row: number, source: EdgeTable, sourceRow: number): void {
    this.addCalls(row, source.countOf(sourceRow), source.errorsOf(sourceRow));
    this.gaps.merge(row, source.gaps, sourceRow);
  }

  /** Merges an edge, which stays as it was. */
  mergeCell(row: number, edge: EdgeCell): void {
    this.addCalls(row, edge.count, edge.errors);
    this.gaps.mergeHistogram(row, edge.gapNs);
  }

  *values(): Generator<EdgeView> {
    for (let row = 0; row < this.size; row++) {
      const cell = new EdgeCellView(this, row);
      yield { caller: this.callerOf(row), callee: this.calleeOf(row), cell };
    }
  }

  #index(): Map<number, number> {
    const rows = new Map<number, number>();
    for (let row = 0; row < this.size; row++) {
      rows.set(this.callerOf(row) * keysPerTable + this.calleeOf(row), row);
    }
    return rows;
  }

  #grow(): void {
    const rows = Math.ceil(this.size * 1.5);
    const ends = new Int32Array(rows * 2);
    ends.set(this.#ends);
    this.#ends = ends;
    const counts = new Float64Array(rows * 2);
    counts.set(this.#counts);
    this.#counts = counts;
    this.gaps.reserve(rows);
  }
}

class EdgeCellView implements Readonly<EdgeCell> {
  readonly #table: EdgeTable;
  readonly #row: number;

  constructor(table: EdgeTable, row: number) {
    this.#table = table;
    this.#row = row;
  }

  get count(): number {
    return this.#table.countOf(this.#row);
  }

  get errors(): number {
    return this.#table.errorsOf(this.#row);
  }

  get gapNs(): Histogram {
    return this.#table.gaps.histogramOf(this.#row);
  }
}
