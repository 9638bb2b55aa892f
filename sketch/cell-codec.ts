/**
 * A cell of a table as bits; `cube-codec.ts` says which. A reader checks the laws of a cell that
 * the form does not hold by itself: originErrors <= errors <= count, originSlow <= slow <= count,
 * at least one adjusted span for each seen, and no more customers than spans (failed ones: errors;
 * slow ones: slow).
 */
import type { BitReader, BitWriter } from "../base/bits.ts";
import { assert } from "../base/errors.ts";
import { adjustedUnit } from "./cell.ts";
import { type CellTable, countsWidth } from "./cell-table.ts";
import { type CustomerColumn, failedMark, markBits, slowMark } from "./customer-column.ts";
import { readHistogram, writeHistogram } from "./histogram-column-codec.ts";
import { boundsHll, createHll, type Hll, hllEntriesMax } from "./hll.ts";
import { readEntries, readHll, writeEntries, writeHll } from "./hll-codec.ts";

/** Nobody, a list, or three sketches. */
const forms = { nobody: 0, list: 1, sketches: 2 } as const;

const words = new Int32Array(hllEntriesMax);

export function writeCell(bits: BitWriter, cells: CellTable, row: number): void {
  const { counts, durations, selfTimes, customers } = cells;
  const at = row * countsWidth;
  const count = counts[at] as number;
  const adjusted = counts[at + 1] as number;
  const errors = counts[at + 2] as number;
  const slow = counts[at + 4] as number;
  assert(durations.countOf(row) === count, "a cell has a duration for every span");
  assert(selfTimes.countOf(row) <= count, "a cell has no more self times than spans");
  bits.gamma(count);
  bits.gamma(errors);
  if (errors > 0) bits.gamma(counts[at + 3] as number);
  bits.gamma(slow);
  if (slow > 0) bits.gamma(counts[at + 5] as number);
  const isPlain = adjusted === leastAdjusted(count);
  bits.bits(isPlain ? 0 : 1, 1);
  if (!isPlain) bits.wide(adjusted);
  writeHistogram(bits, durations, row);
  const isSame = durations.isEqual(row, selfTimes, row);
  bits.bits(isSame ? 1 : 0, 1);
  if (!isSame) {
    bits.gamma(count - selfTimes.countOf(row));
    writeHistogram(bits, selfTimes, row);
  }
  writeCustomers(bits, customers, { row, errors, slow });
}

/** Reads a cell into an empty row; what breaks its laws is rejected. */
export function readCell(bits: BitReader, cells: CellTable, row: number): void {
  const { counts, durations, selfTimes, customers } = cells;
  const at = row * countsWidth;
  const count = bits.gamma();
  const errors = bits.gamma();
  const originErrors = errors > 0 ? bits.gamma() : 0;
  const slow = bits.gamma();
  const originSlow = slow > 0 ? bits.gamma() : 0;
  const isPlain = bits.bits(1) === 0;
  const adjusted = isPlain ? leastAdjusted(count) : bits.wide();
  if (errors > count) bits.reject(`errors ${errors} exceeds ${count}`);
  if (originErrors > errors) bits.reject(`origin errors ${originErrors} exceeds ${errors}`);
  if (slow > count) bits.reject(`slow ${slow} exceeds ${count}`);
  if (originSlow > slow) bits.reject(`origin slow ${originSlow} exceeds ${slow}`);
  if (!isPlain && adjusted <= leastAdjusted(count)) {
    bits.reject(`adjusted count's least ${leastAdjusted(count)} exceeds ${adjusted}`);
  }
  if (bits.remaining < 0) bits.reject("ends within a cell");
  if (bits.problem !== undefined) return;
  counts[at] = count;
  counts[at + 1] = adjusted;
  counts[at + 2] = errors;
  counts[at + 3] = originErrors;
  counts[at + 4] = slow;
  counts[at + 5] = originSlow;
  readHistogram(bits, durations, { row, count });
  if (bits.bits(1) === 1) {
    selfTimes.merge(row, durations, row);
  } else {
    const without = bits.gamma();
    if (without > count) bits.reject(`without self times ${without} exceeds ${count}`);
    else readHistogram(bits, selfTimes, { row, count: count - without });
    if (bits.problem !== undefined) return;
    if (durations.isEqual(row, selfTimes, row)) bits.reject("repeats durations as self times");
  }
  readCustomers(bits, customers, { row, count, errors, slow });
}

function leastAdjusted(count: number): number {
  return Math.min(count * adjustedUnit, Number.MAX_SAFE_INTEGER);
}

function writeCustomers(
  bits: BitWriter,
  customers: CustomerColumn,
  cell: { row: number; errors: number; slow: number },
): void {
  const { row } = cell;
  if (customers.isDense(row)) {
    const { all, failed, slow } = customers.denseOf(row);
    bits.bits(forms.sketches, 2);
    writeHll(bits, all);
    writeHll(bits, failed);
    writeHll(bits, slow);
    return;
  }
  const { lists } = customers;
  const length = lists.lengthOf(row);
  bits.bits(length === 0 ? forms.nobody : forms.list, 2);
  const list = { start: lists.startOf(row), length, marks: markBits, kept: keptMarks(cell) };
  if (length > 0) writeEntries(bits, lists.words, list);
}

function readCustomers(
  bits: BitReader,
  customers: CustomerColumn,
  cell: { row: number; count: number; errors: number; slow: number },
): void {
  const form = bits.bits(2);
  if (form === forms.nobody) return;
  if (form === forms.list) {
    const length = readEntries(bits, words, { marks: markBits, kept: keptMarks(cell) });
    let failed = 0;
    let slow = 0;
    for (let at = 0; at < length; at++) {
      const word = words[at] as number;
      failed += word & failedMark;
      slow += (word & slowMark) >>> 1;
    }
    if (length > cell.count) bits.reject(`customers ${length} exceeds ${cell.count}`);
    if (failed > cell.errors) bits.reject(`failed customers ${failed} exceeds ${cell.errors}`);
    if (slow > cell.slow) bits.reject(`slow customers ${slow} exceeds ${cell.slow}`);
    if (bits.problem === undefined) customers.mergeWords(cell.row, words, 0, length);
  } else if (form === forms.sketches) {
    readSketches(bits, customers, cell);
  } else {
    bits.reject(`customers form is ${form}, not 0 to ${forms.sketches}`);
  }
}

function readSketches(
  bits: BitReader,
  customers: CustomerColumn,
  cell: { row: number; count: number; errors: number; slow: number },
): void {
  const all = readHll(bits);
  const failed = bits.problem === undefined ? readHll(bits) : createHll();
  const slow = bits.problem === undefined ? readHll(bits) : createHll();
  if (all.registers === undefined) bits.reject("customers are few, but not a list");
  if (bits.problem !== undefined) return;
  checkCustomers(bits, "customers", all, cell.count);
  checkCustomers(bits, "failed customers", failed, cell.errors);
  checkCustomers(bits, "slow customers", slow, cell.slow);
  if (bits.problem === undefined) customers.putDense(cell.row, { all, failed, slow });
}

/** Where none failed, no mark says so. */
function keptMarks({ errors, slow }: { errors: number; slow: number }): number {
  return (errors > 0 ? failedMark : 0) | (slow > 0 ? slowMark : 0);
}

/** Six standard errors of room, so that no honest sketch is refused. */
function checkCustomers(bits: BitReader, name: string, hll: Hll, spans: number): void {
  const { value, low } = boundsHll(hll);
  const least = value - 3 * (value - low);
  if (least > spans) bits.reject(`${name} ${least} exceeds ${spans}`);
}
