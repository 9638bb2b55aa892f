import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createByteReader } from "../../base/bytes.ts";
import { createPrng, type Prng } from "../../base/prng.ts";
import {
  addHistogram,
  addToBucket,
  bucketIndex,
  bucketIndexMax,
  bucketIndexMin,
  bucketUpperNs,
  copyHistogram,
  countAbove,
  createHistogram,
  type Histogram,
  mergeHistogram,
  quantileHistogram,
} from "../../sketch/histogram.ts";
import { decodeHistogram, encodeHistogram } from "../../sketch/histogram-codec.ts";
import { durationStreams, encoded, hexOf, problemOf } from "./streams.ts";

const duration = fc.oneof(
  fc.integer({ min: 0, max: 50 }),
  fc.integer({ min: 0, max: 2 ** 31 - 1 }),
  fc.maxSafeNat(),
);
const durations = fc.array(duration, { maxLength: 60 });

function histogramOf(values: readonly number[]): Histogram {
  const h = createHistogram();
  for (const value of values) addHistogram(h, value);
  return h;
}

function check(h: Histogram): string {
  return hexOf(encoded(encodeHistogram, h));
}

describe("buckets", () => {
  test.each([
    [0, -33],
    [1, -1],
    [2, 31],
    [3, 50],
    [4, 63],
    [5, 74],
    [1024, 319],
    [1025, 320],
    [2 ** 32 - 1, 1023],
    [2 ** 32, 1023],
    [2 ** 32 + 1, 1024],
    [2 ** 40, 1279],
    [2 ** 40 + 1, 1280],
    [Number.MAX_SAFE_INTEGER, bucketIndexMax],
  ])("%d ns is in bucket %d, as OpenTelemetry maps it", (ns, index) => {
    expect(bucketIndex(ns)).toBe(index);
  });

  test("agree with the logarithm that defines them", () => {
    const prng = createPrng(5);
    for (let at = 0; at < 20_000; at++) {
      const ns = Math.floor(2 ** (prng.next() * 52)) + prng.integer(3);
      const exact = Math.log2(ns) * 32;
      if (Math.abs(exact - Math.round(exact)) < 1e-6) continue;
      expect(bucketIndex(ns)).toBe(Math.ceil(exact) - 1);
    }
  });

  test("a duration is at or below a bucket exactly when it is at most its upper end", () => {
    for (let index = bucketIndexMin; index < bucketIndexMax; index++) {
      const upper = bucketUpperNs(index);
      expect(bucketIndex(upper)).toBeLessThanOrEqual(index);
      expect(bucketIndex(upper + 1)).toBeGreaterThan(index);
    }
  });
});

describe("laws", () => {
  test("merge is the histogram of all durations, in any order", () => {
    fc.assert(
      fc.property(durations, durations, durations, (a, b, c) => {
        const whole = check(histogramOf([...a, ...b, ...c]));
        const parts = [a, b, c].map(histogramOf);
        for (const order of [
          [0, 1, 2],
          [2, 1, 0],
          [1, 2, 0],
        ]) {
          const total = createHistogram();
          for (const at of order) mergeHistogram(total, parts[at] as Histogram);
          expect(check(total)).toBe(whole);
        }
      }),
      { seed: 6 },
    );
  });

  test("counts are conserved, and count above a bucket is exact", () => {
    fc.assert(
      fc.property(durations, duration, (values, limit) => {
        const h = histogramOf(values);
        const index = bucketIndex(limit);
        expect(h.count).toBe(values.length);
        expect(countAbove(h, index)).toBe(values.filter((ns) => bucketIndex(ns) > index).length);
        expect(countAbove(h, bucketIndex(0) - 1)).toBe(values.length);
        expect(h.minNs).toBe(values.length === 0 ? 0 : Math.min(...values));
        expect(h.maxNs).toBe(Math.max(0, ...values));
      }),
      { seed: 7 },
    );
  });

  test("decode gives back what was encoded", () => {
    fc.assert(
      fc.property(durations, (values) => {
        const bytes = encoded(encodeHistogram, histogramOf(values));
        const reader = createByteReader(bytes);
        const back = decodeHistogram(reader);
        expect([reader.problem, reader.remaining]).toEqual([undefined, 0]);
        expect(check(back)).toBe(hexOf(bytes));
        expect(back.sumNs).toBe(histogramOf(values).sumNs);
      }),
      { seed: 8 },
    );
  });

  test("counts pass 2^32 without wrapping, in add, in merge and on the wire", () => {
    const h = histogramOf([1000]);
    addToBucket(h, bucketIndex(1000), 2 ** 32 - 2);
    h.count += 2 ** 32 - 2;
    h.sumNs = h.count * 1000;
    addHistogram(h, 1000);
    const twice = copyHistogram(h);
    mergeHistogram(twice, h);
    mergeHistogram(twice, histogramOf([5]));
    expect(countAbove(twice, bucketIndex(500))).toBe(2 ** 33);
    const bytes = encoded(encodeHistogram, twice);
    expect(check(decodeHistogram(createByteReader(bytes)))).toBe(hexOf(bytes));
  });

  test("the sum stays at 2^53 - 1 once there, whatever the order", () => {
    const large = Array(5).fill(Number.MAX_SAFE_INTEGER - 7) as number[];
    const [a, b] = [histogramOf([1, 2, ...large]), histogramOf([...large, 2, 1])];
    expect(a.sumNs).toBe(Number.MAX_SAFE_INTEGER);
    expect(check(a)).toBe(check(b));
    expect(problemOf(encoded(encodeHistogram, a), decodeHistogram)).toBeUndefined();
  });

  test("a copy and its original go separate ways", () => {
    const original = histogramOf([5, 70]);
    const before = check(original);
    addHistogram(copyHistogram(original), 5);
    addHistogram(copyHistogram(createHistogram()), 5);
    expect(check(original)).toBe(before);
    expect(check(createHistogram())).toBe("00");
  });

  test.each([-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY])("%d ns is a broken program", (ns) => {
    expect(() => addHistogram(createHistogram(), ns)).toThrow("whole nanoseconds");
  });
});

describe("truth", () => {
  test.each(Object.keys(durationStreams))("%s: every quantile within 1.09 %%", (name) => {
    const draw = durationStreams[name] as (prng: Prng) => number;
    const prng = createPrng(9);
    const values = Array.from({ length: 50_000 }, () => draw(prng));
    const h = histogramOf(values);
    values.sort((a, b) => a - b);
    for (const q of [0, 0.001, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 0.999, 0.9999, 1]) {
      const exact = values[Math.max(0, Math.ceil(q * values.length) - 1)] as number;
      expect(Math.abs(quantileHistogram(h, q) - exact)).toBeLessThanOrEqual(exact * 0.0109);
    }
    expect(h.sumNs).toBe(values.reduce((sum, value) => sum + value, 0));
  });

  test("an empty histogram has no quantile", () => {
    expect(quantileHistogram(createHistogram(), 0.5)).toBeNaN();
  });
});

describe("hostile bytes are rejected", () => {
  // count, zeros, sum, minimum, maximum - minimum, buckets, then gap (from bucket -1) and count
  test.each<[string, number[], RegExp]>([
    ["nothing", [], /ends at byte/],
    ["more buckets than bytes", [1, 0, 1, 1, 0, 100, 0, 1], /claims 100 buckets/],
    ["a count that its buckets do not add up to", [3, 0, 2, 1, 0, 1, 0, 2], /holds 2 durations/],
    ["zeros that are not counted", [1, 2, 0, 0, 0, 0], /holds 2 durations/],
    ["an empty bucket", [1, 0, 1, 1, 0, 2, 0, 1, 5, 0], /empty bucket/],
    ["a bucket beyond the last", [1, 0, 1, 1, 0, 1, 0xa1, 0x0d, 1], /bucket exceeds 1695/],
    ["a minimum outside its bucket", [1, 0, 2, 2, 0, 1, 0, 1], /extremes lie outside/],
    ["a maximum outside its bucket", [1, 0, 1, 1, 1, 1, 0, 1], /extremes lie outside/],
    ["a minimum above 0 beside zeros", [2, 1, 1, 1, 0, 1, 0, 1], /extremes lie outside/],
    ["a sum too small", [2, 0, 2, 1, 1, 2, 0, 1, 31, 1], /sum is below/],
    ["a sum too large", [2, 0, 9, 1, 1, 2, 0, 1, 31, 1], /sum is above/],
    [
      "a maximum beyond 2^53",
      [1, 0, 1, ...Array(2).fill([255, 255, 255, 255, 255, 255, 255, 15]).flat(), 1, 0, 1],
      /maximum exceeds/,
    ],
  ])("%s", (_, bytes, problem) => {
    expect(problemOf(Uint8Array.from(bytes), decodeHistogram)).toMatch(problem);
  });

  test("the cases above differ from bytes that are accepted", () => {
    const good = [2, 0, 3, 1, 1, 2, 0, 1, 31, 1];
    expect(problemOf(Uint8Array.from(good), decodeHistogram)).toBeUndefined();
    expect(hexOf(Uint8Array.from(good))).toBe(check(histogramOf([1, 2])));
  });

  test("a far outlier costs one octave", () => {
    expect(histogramOf([1, Number.MAX_SAFE_INTEGER]).counts.length).toBe(64);
  });
});
