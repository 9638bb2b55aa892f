/**
 * A histogram of a column as bits. The count is the caller's; of none, nothing is sent:
 *
 *   zeros (gamma); unless all are zero:
 *   minimum, unless there are zeros; then maximum less minimum (wide)
 *   first bucket (11 bits), unless the minimum says it; the maximum says the last
 *   how many buckets lie between (gamma), their gaps less one (rice)
 *   the count less one of every bucket but the last (rice, or wide where there are many)
 *   sum less the least that the rest allows, in as many bits as the most it allows needs
 *
 * 17 buckets of 30 values take 20 bytes. What the rest implies is not sent, so it cannot disagree.
 */
import type { BitReader, BitWriter } from "../base/bits.ts";
import { bucketIndex, bucketIndexMax, bucketIndexMin, bucketUpperNs } from "./histogram.ts";
import {
  columnWidth,
  type HistogramColumn,
  maximum,
  minimum,
  sum,
  zeros,
} from "./histogram-column.ts";
import { riceBits } from "./hll-codec.ts";

const indexBits = 11;
/** From here on counts are written one by one as they are. */
const riceCountMax = 2 ** 20;
const bucketCount = bucketIndexMax - bucketIndexMin + 1;

/** By index + 1: the most nanoseconds of a bucket; the least are one more than those before. */
const uppers = Float64Array.from({ length: bucketCount }, (_, at) =>
  bucketUpperNs(at + bucketIndexMin),
);

/** One row on its way: numbers as the column has them, buckets in ascending order. */
const row = {
  numbers: new Float64Array(columnWidth),
  indices: new Int32Array(bucketCount),
  counts: new Float64Array(bucketCount),
  length: 0,
};
const range = { least: 0, most: 0 };

export function writeHistogram(bits: BitWriter, column: HistogramColumn, from: number): void {
  const { numbers, indices, counts } = row;
  column.load(from, row);
  const count = numbers[0] as number;
  if (count === 0) return;
  bits.gamma(numbers[zeros] as number);
  const { length } = row;
  if (length === 0) return;
  const hasZeros = numbers[zeros] !== 0;
  const least = numbers[minimum] as number;
  if (!hasZeros) bits.wide(least);
  if (count === 1) return;
  bits.wide((numbers[maximum] as number) - least);
  const first = indices[0] as number;
  const last = indices[length - 1] as number;
  if (hasZeros) bits.bits(first - bucketIndexMin, indexBits);
  if (last > first) {
    bits.gamma(length - 2);
    const k = riceBits(last - first, length - 1);
    for (let at = 1; at < length - 1; at++) {
      bits.rice((indices[at] as number) - (indices[at - 1] as number) - 1, k);
    }
    const rest = count - (numbers[zeros] as number);
    const countK = riceBits(rest - length, length);
    for (let at = 0; at < length - 1; at++) {
      if (rest < riceCountMax) bits.rice((counts[at] as number) - 1, countK);
      else bits.wide((counts[at] as number) - 1);
    }
  }
  findRange();
  if (range.most < Number.MAX_SAFE_INTEGER) {
    bits.upTo((numbers[sum] as number) - range.least, range.most - range.least);
  } else {
    bits.wide(numbers[sum] as number);
  }
}

/** Reads a histogram of `count` values into an empty row. */
export function readHistogram(
  bits: BitReader,
  column: HistogramColumn,
  into: { row: number; count: number },
): void {
  if (into.count === 0) return;
  readRow(bits, into.count);
  if (bits.problem === undefined) column.store(into.row, row);
}

function readRow(bits: BitReader, count: number): void {
  const { numbers } = row;
  const zeroCount = bits.gamma();
  if (zeroCount > count) bits.reject(`holds ${zeroCount} zeros of ${count} durations`);
  row.length = 0;
  numbers.fill(0);
  numbers[0] = count;
  numbers[zeros] = zeroCount;
  const rest = count - zeroCount;
  if (rest === 0 || bits.problem !== undefined) return;
  const least = zeroCount > 0 ? 0 : bits.wide();
  if (zeroCount === 0 && least === 0) bits.reject("counts a zero as a duration");
  const most = least + (count > 1 ? bits.wide() : 0);
  if (most > Number.MAX_SAFE_INTEGER) bits.reject("maximum exceeds 2^53 - 1");
  if (most === 0) bits.reject("counts a zero as a duration");
  if (bits.problem !== undefined) return;
  numbers[minimum] = least;
  numbers[maximum] = most;
  const first =
    zeroCount > 0 && count > 1 ? bits.bits(indexBits) + bucketIndexMin : bucketIndex(least);
  readBuckets(bits, { first, last: bucketIndex(most), rest });
  if (bits.problem !== undefined) return;
  findRange();
  if (count === 1) numbers[sum] = most;
  else if (range.most < Number.MAX_SAFE_INTEGER) {
    numbers[sum] = range.least + bits.upTo(range.most - range.least);
  } else {
    numbers[sum] = bits.wide();
    if ((numbers[sum] as number) < Math.min(range.least, Number.MAX_SAFE_INTEGER)) {
      bits.reject("sum is below what its buckets allow");
    }
  }
}

function readBuckets(bits: BitReader, has: { first: number; last: number; rest: number }): void {
  const { first, last, rest } = has;
  const { indices, counts } = row;
  indices[0] = first;
  counts[0] = rest;
  row.length = 1;
  if (first === last) return;
  const length = bits.gamma() + 2;
  if (first > last || length > Math.min(last - first + 1, rest)) {
    bits.reject(`lists ${length} buckets from ${first} to ${last} for ${rest} durations`);
    return;
  }
  const k = riceBits(last - first, length - 1);
  for (let at = 1; at < length - 1; at++) {
    indices[at] = (indices[at - 1] as number) + 1 + bits.rice(k, bucketCount);
  }
  indices[length - 1] = last;
  if ((indices[length - 2] as number) >= last) bits.reject("buckets lie beyond the maximum");
  const countK = riceBits(rest - length, length);
  let left = rest;
  for (let at = 0; at < length - 1; at++) {
    const count = 1 + (rest < riceCountMax ? bits.rice(countK, rest) : bits.wide());
    counts[at] = count;
    left -= count;
  }
  counts[length - 1] = left;
  row.length = length;
  if (left < 1) bits.reject(`buckets hold more than ${rest} durations`);
}

/** What the durations may add up to, by their buckets and extremes. */
function findRange(): void {
  const { numbers, indices, counts, length } = row;
  const [least, most] = [numbers[minimum] as number, numbers[maximum] as number];
  const hasZeros = numbers[zeros] !== 0;
  let low = 0;
  let high = 0;
  for (let at = 0; at < length; at++) {
    const index = (indices[at] as number) - bucketIndexMin;
    const lower = index === 0 ? 1 : (uppers[index - 1] as number) + 1;
    const upper = uppers[index] as number;
    const count = counts[at] as number;
    low += count * (at === 0 && !hasZeros ? least : lower);
    high += count * (at === length - 1 ? most : upper);
    // One of the first is the minimum, and one of the last the maximum.
    if (at === 0 && !hasZeros) high -= (length === 1 ? most : upper) - least;
    if (at === length - 1) low += most - (at === 0 && !hasZeros ? least : lower);
  }
  range.least = low;
  range.most = high;
}
