/**
 * A t-digest as bytes: the number of centroids; unless it is 0 then minimum, maximum and sum as
 * doubles, one byte that says whether the weights are whole (varints) or not (doubles), and per
 * centroid the mean and the weight. The total weight is not sent, so it cannot disagree.
 */
import type { ByteReader, ByteWriter } from "../base/bytes.ts";
import {
  centroidsMax,
  compressDigest,
  createDigest,
  type Digest,
  totalWeight,
  weightMax,
} from "./digest.ts";

/** Writes a digest, after merging in what it has buffered. */
export function encodeDigest(writer: ByteWriter, d: Digest): void {
  compressDigest(d);
  writer.varint(d.size);
  if (d.size === 0) return;
  writer.f64(d.min);
  writer.f64(d.max);
  writer.f64(d.sum);
  const isWhole = d.weights.subarray(0, d.size).every(Number.isSafeInteger);
  writer.u8(isWhole ? 1 : 0);
  for (let at = 0; at < d.size; at++) {
    writer.f64(d.means[at] as number);
    if (isWhole) writer.varint(d.weights[at] as number);
    else writer.f64(d.weights[at] as number);
  }
}

/** Reads a digest; what breaks its laws is rejected at the reader. */
export function decodeDigest(reader: ByteReader): Digest {
  const d = createDigest();
  const size = reader.varint();
  if (size === 0) return d;
  if (size > centroidsMax || size * 9 > reader.remaining) {
    reader.reject(`digest claims ${size} centroids, at most ${centroidsMax}, in too few bytes`);
    return d;
  }
  d.min = reader.f64();
  d.max = reader.f64();
  d.sum = reader.f64();
  const weightForm = reader.u8();
  if (weightForm > 1) reader.reject(`digest weight form is ${weightForm}, not 0 or 1`);
  d.means = new Float64Array(size);
  d.weights = new Float64Array(size);
  d.size = size;
  readCentroids(reader, d, weightForm === 1);
  if (!Number.isFinite(d.sum)) reader.reject("digest sum is not finite");
  if (reader.problem !== undefined) return createDigest();
  d.count = totalWeight(d.weights, size);
  return d;
}

function readCentroids(reader: ByteReader, d: Digest, isWhole: boolean): void {
  let before = d.min;
  for (let at = 0; at < d.size && reader.problem === undefined; at++) {
    const mean = reader.f64();
    const weight = isWhole ? reader.varint() : reader.f64();
    if (!Number.isFinite(mean)) reader.reject("digest mean is not finite");
    if (!(mean >= before)) reader.reject("digest centroids do not ascend from the minimum");
    if (!(weight > 0 && weight <= weightMax * weightMax)) {
      reader.reject("digest weight is not above 0 and finite");
    }
    d.means[at] = mean;
    d.weights[at] = weight;
    before = mean;
  }
  if (!(before <= d.max && Number.isFinite(d.min) && Number.isFinite(d.max))) {
    reader.reject("digest extremes are not finite or do not enclose its centroids");
  }
}
