/**
 * A histogram as bytes, all varints: count; unless it is 0 then zeros, sum, minimum, maximum less
 * minimum, the number of buckets, and per bucket the gap to the one before and the count.
 */
import type { ByteReader, ByteWriter } from "../base/bytes.ts";
import {
  addToBucket,
  bucketIndex,
  bucketIndexMax,
  bucketIndexMin,
  createHistogram,
  type Histogram,
  visitBuckets,
} from "./histogram.ts";

export function encodeHistogram(writer: ByteWriter, h: Histogram): void {
  writer.varint(h.count);
  if (h.count === 0) return;
  writer.varint(h.zeroCount);
  writer.varint(h.sumNs);
  writer.varint(h.minNs);
  writer.varint(h.maxNs - h.minNs);
  let buckets = 0;
  visitBuckets(h, () => buckets++);
  writer.varint(buckets);
  let next = bucketIndexMin;
  visitBuckets(h, (index, count) => {
    writer.varint(index - next);
    writer.varint(count);
    next = index + 1;
  });
}

/** Reads a histogram; what breaks its laws is rejected at the reader. */
export function decodeHistogram(reader: ByteReader): Histogram {
  const h = createHistogram();
  h.count = reader.varint();
  if (h.count === 0) return h;
  h.zeroCount = reader.varint();
  h.sumNs = reader.varint();
  h.minNs = reader.varint();
  h.maxNs = h.minNs + reader.varint();
  const buckets = reader.varint();
  if (buckets > reader.remaining / 2) {
    reader.reject(`histogram claims ${buckets} buckets in ${reader.remaining} bytes`);
    return createHistogram();
  }
  const range = readBuckets(reader, h, buckets);
  checkRange(reader, h, range);
  return reader.problem === undefined ? h : createHistogram();
}

interface BucketRange {
  readonly first: number;
  readonly last: number;
}

function readBuckets(reader: ByteReader, h: Histogram, buckets: number): BucketRange {
  let total = h.zeroCount;
  let first = bucketIndex(0);
  let last = first;
  let next = bucketIndexMin;
  for (let at = 0; at < buckets && reader.problem === undefined; at++) {
    const index = next + reader.varint();
    const count = reader.varint();
    if (index > bucketIndexMax) reader.reject(`histogram bucket exceeds ${bucketIndexMax}`);
    else if (count === 0) reader.reject("histogram lists an empty bucket");
    else addToBucket(h, index, count);
    if (at === 0) first = index;
    last = index;
    next = index + 1;
    total += count;
  }
  if (total !== h.count) reader.reject(`histogram holds ${total} durations, not ${h.count}`);
  return { first: h.zeroCount > 0 ? bucketIndex(0) : first, last };
}

function checkRange(reader: ByteReader, h: Histogram, range: BucketRange): void {
  const { count, minNs, maxNs, sumNs } = h;
  if (maxNs > Number.MAX_SAFE_INTEGER) {
    reader.reject("histogram maximum exceeds 2^53 - 1");
  } else if (bucketIndex(minNs) !== range.first || bucketIndex(maxNs) !== range.last) {
    reader.reject("histogram extremes lie outside its first and last bucket");
  } else if (sumNs < maxNs + (count - 1) * minNs && sumNs < Number.MAX_SAFE_INTEGER) {
    reader.reject("histogram sum is below what its extremes allow");
  } else if (sumNs > minNs + (count - 1) * maxNs) {
    reader.reject("histogram sum is above what its extremes allow");
  }
}
