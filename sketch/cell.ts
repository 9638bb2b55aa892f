/**
 * What one key saw in one window, and what one edge did, each by itself; a window's are rows of a
 * `CellTable` and an `EdgeTable`. Merging adds counts and unites customers: commutative and
 * associative, bit for bit, but for `values`, whose quantiles are near.
 *
 * Laws of a cell, checked when one is decoded: originErrors <= errors <= count, originSlow <= slow
 * <= count, a duration for every span, a self time for no more than that, at least one adjusted
 * span for each seen, who failed or was slow was seen, and no more customers than spans (failed
 * ones: errors; slow ones: slow).
 */
import { copyDigest, createDigest, type Digest, mergeDigest } from "./digest.ts";
import { copyHistogram, createHistogram, type Histogram, mergeHistogram } from "./histogram.ts";
import { copyHll, createHll, type Hll, mergeHll } from "./hll.ts";

export interface Cell {
  count: number;
  /** Sampling-adjusted count in units of 2^-16 spans; stays at 2^53 - 1 once it gets there. */
  adjusted: number;
  errors: number;
  /** Failed spans none of whose local children failed. */
  originErrors: number;
  slow: number;
  /** Slow spans none of whose local children is slow. */
  originSlow: number;
  readonly durationNs: Histogram;
  /** Duration less the union of the local children's. */
  readonly selfNs: Histogram;
  readonly customers: Hll;
  readonly customersFailed: Hll;
  readonly customersSlow: Hll;
  /** Metric values of unknown range and sign. */
  values: Digest | undefined;
}

/** Calls from one key to another. */
export interface EdgeCell {
  count: number;
  errors: number;
  /**
   * Client duration less server duration, from 0; for messaging from the producer's end to the
   * consumer's start.
   */
  readonly gapNs: Histogram;
}

/** One span, in the unit of `Cell.adjusted`. */
export const adjustedUnit = 2 ** 16;

export function createCell(): Cell {
  return {
    count: 0,
    adjusted: 0,
    errors: 0,
    originErrors: 0,
    slow: 0,
    originSlow: 0,
    durationNs: createHistogram(),
    selfNs: createHistogram(),
    customers: createHll(),
    customersFailed: createHll(),
    customersSlow: createHll(),
    values: undefined,
  };
}

export function copyCell(cell: Cell): Cell {
  return {
    ...cell,
    durationNs: copyHistogram(cell.durationNs),
    selfNs: copyHistogram(cell.selfNs),
    customers: copyHll(cell.customers),
    customersFailed: copyHll(cell.customersFailed),
    customersSlow: copyHll(cell.customersSlow),
    values: cell.values === undefined ? undefined : copyDigest(cell.values),
  };
}

/** Merges `source` into `target`; `source` stays as it was. */
export function mergeCell(target: Cell, source: Cell): void {
  target.count += source.count;
  target.adjusted = Math.min(target.adjusted + source.adjusted, Number.MAX_SAFE_INTEGER);
  target.errors += source.errors;
  target.originErrors += source.originErrors;
  target.slow += source.slow;
  target.originSlow += source.originSlow;
  mergeHistogram(target.durationNs, source.durationNs);
  mergeHistogram(target.selfNs, source.selfNs);
  mergeHll(target.customers, source.customers);
  mergeHll(target.customersFailed, source.customersFailed);
  mergeHll(target.customersSlow, source.customersSlow);
  if (source.values !== undefined) {
    target.values ??= createDigest();
    mergeDigest(target.values, source.values);
  }
}

export function createEdgeCell(): EdgeCell {
  return { count: 0, errors: 0, gapNs: createHistogram() };
}

/** Merges `source` into `target`; `source` stays as it was. */
export function mergeEdgeCell(target: EdgeCell, source: EdgeCell): void {
  target.count += source.count;
  target.errors += source.errors;
  mergeHistogram(target.gapNs, source.gapNs);
}
