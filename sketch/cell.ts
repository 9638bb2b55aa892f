/**
 * What one key saw in one window, and what one edge did. Merging adds counts and unites customers:
 * commutative and associative, bit for bit, but for `values`, whose quantiles are near.
 *
 * Laws of a cell, checked when one is decoded: originErrors <= errors <= count, originSlow <= slow
 * <= count, a duration for every span, a self time for no more than that, at least one adjusted
 * span for each seen, and no more customers than spans (failed ones: errors; slow ones: slow).
 */
import type { ByteReader, ByteWriter } from "../base/bytes.ts";
import { ok, type Result, refuse } from "../base/result.ts";
import { copyDigest, createDigest, type Digest, mergeDigest } from "./digest.ts";
import { decodeDigest, encodeDigest } from "./digest-codec.ts";
import { copyHistogram, createHistogram, type Histogram, mergeHistogram } from "./histogram.ts";
import { decodeHistogram, encodeHistogram } from "./histogram-codec.ts";
import { boundsHll, copyHll, createHll, type Hll, mergeHll } from "./hll.ts";
import { decodeHll, encodeHll } from "./hll-codec.ts";

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

/** Writes a cell: counts, durations, self times, customers (all, failed, slow), values if any. */
export function encodeCell(writer: ByteWriter, cell: Cell): void {
  writer.varint(cell.count);
  writer.varint(cell.adjusted);
  writer.varint(cell.errors);
  writer.varint(cell.originErrors);
  writer.varint(cell.slow);
  writer.varint(cell.originSlow);
  encodeHistogram(writer, cell.durationNs);
  encodeHistogram(writer, cell.selfNs);
  encodeHll(writer, cell.customers);
  encodeHll(writer, cell.customersFailed);
  encodeHll(writer, cell.customersSlow);
  writer.u8(cell.values === undefined ? 0 : 1);
  if (cell.values !== undefined) encodeDigest(writer, cell.values);
}

/** Reads a cell, or refuses one that breaks a law. */
export function decodeCell(reader: ByteReader): Result<Cell> {
  const cell: Cell = {
    count: reader.varint(),
    adjusted: reader.varint(),
    errors: reader.varint(),
    originErrors: reader.varint(),
    slow: reader.varint(),
    originSlow: reader.varint(),
    durationNs: decodeHistogram(reader),
    selfNs: decodeHistogram(reader),
    customers: decodeHll(reader),
    customersFailed: decodeHll(reader),
    customersSlow: decodeHll(reader),
    values: undefined,
  };
  const form = reader.u8();
  if (form > 1) reader.reject(`cell values form is ${form}, not 0 or 1`);
  if (form === 1) cell.values = decodeDigest(reader);
  if (reader.problem === undefined) checkCell(reader, cell);
  return reader.problem === undefined ? ok(cell) : refuse("SKETCH_INVALID", reader.problem);
}

export function encodeEdgeCell(writer: ByteWriter, edge: EdgeCell): void {
  writer.varint(edge.count);
  writer.varint(edge.errors);
  encodeHistogram(writer, edge.gapNs);
}

/** Reads an edge, or refuses one that breaks a law. */
export function decodeEdgeCell(reader: ByteReader): Result<EdgeCell> {
  const edge: EdgeCell = {
    count: reader.varint(),
    errors: reader.varint(),
    gapNs: decodeHistogram(reader),
  };
  checkAtMost(reader, "edge errors", edge.errors, edge.count);
  checkAtMost(reader, "edge gaps", edge.gapNs.count, edge.count);
  return reader.problem === undefined ? ok(edge) : refuse("SKETCH_INVALID", reader.problem);
}

function checkCell(reader: ByteReader, cell: Cell): void {
  const { count } = cell;
  checkAtMost(reader, "errors", cell.errors, count);
  checkAtMost(reader, "origin errors", cell.originErrors, cell.errors);
  checkAtMost(reader, "slow", cell.slow, count);
  checkAtMost(reader, "origin slow", cell.originSlow, cell.slow);
  checkAtMost(reader, "durations", cell.durationNs.count, count);
  checkAtMost(reader, "spans without duration", count, cell.durationNs.count);
  checkAtMost(reader, "self times", cell.selfNs.count, count);
  const least = Math.min(count * adjustedUnit, Number.MAX_SAFE_INTEGER);
  checkAtMost(reader, "adjusted count's least", least, cell.adjusted);
  checkCustomers(reader, "customers", cell.customers, count);
  checkCustomers(reader, "failed customers", cell.customersFailed, cell.errors);
  checkCustomers(reader, "slow customers", cell.customersSlow, cell.slow);
}

/** Six standard errors of room, so that no honest sketch is refused. */
function checkCustomers(reader: ByteReader, name: string, hll: Hll, spans: number): void {
  const { value, low } = boundsHll(hll);
  checkAtMost(reader, name, value - 3 * (value - low), spans);
}

function checkAtMost(reader: ByteReader, name: string, value: number, limit: number): void {
  if (value > limit) reader.reject(`${name} ${value} exceeds ${limit}`);
}
