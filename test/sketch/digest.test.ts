import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createByteReader, createByteWriter } from "../../base/bytes.ts";
import { createPrng, type Prng } from "../../base/prng.ts";
import {
  addDigest,
  centroidsMax,
  copyDigest,
  createDigest,
  type Digest,
  digestOfHistogram,
  mergeDigest,
  quantileDigest,
} from "../../sketch/digest.ts";
import { decodeDigest, encodeDigest } from "../../sketch/digest-codec.ts";
import { addHistogram, createHistogram } from "../../sketch/histogram.ts";
import { durationStreams, encoded, hexOf, normal, problemOf } from "./streams.ts";

function digestOf(values: Iterable<number>): Digest {
  const d = createDigest();
  for (const value of values) addDigest(d, value);
  return d;
}

function check(d: Digest): string {
  return hexOf(encoded(encodeDigest, copyDigest(d)));
}

const finite = fc.double({ noNaN: true, noDefaultInfinity: true });
const weight = fc.double({ min: 1e-6, max: 1e6, noNaN: true });

describe("laws", () => {
  test("minimum, maximum and count are exact, quantiles ascend between them", () => {
    fc.assert(
      fc.property(fc.array(finite, { minLength: 1, maxLength: 1500 }), (values) => {
        const d = digestOf(values);
        expect(d.count).toBe(values.length);
        const least = values.reduce((a, b) => Math.min(a, b)) + 0;
        const most = values.reduce((a, b) => Math.max(a, b)) + 0;
        expect([quantileDigest(d, 0), quantileDigest(d, 1)]).toEqual([least, most]);
        let before = least;
        for (let q = 0; q <= 1; q += 0.01) {
          const value = quantileDigest(d, q);
          expect(value).toBeGreaterThanOrEqual(before);
          before = value;
        }
        expect(before).toBeLessThanOrEqual(most);
      }),
      { seed: 11, numRuns: 60 },
    );
  });

  test("merge conserves count, sum, minimum and maximum in any order", () => {
    const whole = fc.array(fc.integer({ min: -1e6, max: 1e6 }), { maxLength: 700 });
    fc.assert(
      fc.property(whole, whole, (a, b) => {
        const facts = [
          [a, b],
          [b, a],
        ].map(([x, y]) => {
          const d = digestOf(x as number[]);
          mergeDigest(d, digestOf(y as number[]));
          return [d.count, d.sum, quantileDigest(d, 0), quantileDigest(d, 1)];
        });
        expect(facts[0]).toEqual(facts[1]);
        expect(facts[0]?.[1]).toBe([...a, ...b].reduce((sum, value) => sum + value, 0));
      }),
      { seed: 12, numRuns: 60 },
    );
  });

  test("what is not a finite value with a positive weight is refused and changes nothing", () => {
    const d = digestOf([1, 2, 3]);
    const before = check(d);
    const { NaN: nan, POSITIVE_INFINITY: infinity } = Number;
    for (const [value, weight] of [
      [nan, 1],
      [infinity, 1],
      [-infinity, 1],
      [1, nan],
      [1, infinity],
      [1, 0],
      [1, -1],
    ] as const) {
      expect(addDigest(d, value, weight)).toBe(false);
    }
    expect(check(d)).toBe(before);
    expect(addDigest(d, -4, 0.5)).toBe(true);
    expect([d.count, d.sum, d.min, d.max]).toEqual([3.5, 4, -4, 3]);
  });

  test("equal operations give equal bytes, and decode gives back what was encoded", () => {
    const pairs = fc.array(fc.tuple(finite, fc.oneof(fc.constant(1), weight)), { maxLength: 900 });
    fc.assert(
      fc.property(pairs, (values) => {
        const build = (): Digest => {
          const d = createDigest();
          for (const [value, by] of values) addDigest(d, value, by);
          return d;
        };
        const bytes = encoded(encodeDigest, build());
        expect(check(build())).toBe(hexOf(bytes));
        const reader = createByteReader(bytes);
        const back = decodeDigest(reader);
        expect([reader.problem, reader.remaining]).toEqual([undefined, 0]);
        expect(check(back)).toBe(hexOf(bytes));
        expect(quantileDigest(back, 0.5)).toBe(quantileDigest(build(), 0.5));
      }),
      { seed: 13, numRuns: 60 },
    );
  });

  test("size stays bounded even where weights differ by hundreds of orders of magnitude", () => {
    const prng = createPrng(14);
    const d = createDigest();
    for (let at = 0; at < 20_000; at++) addDigest(d, at, 2 ** (prng.integer(1100) - 1060));
    quantileDigest(d, 0.5);
    expect(d.size).toBeLessThanOrEqual(centroidsMax);
    expect(problemOf(encoded(encodeDigest, d), decodeDigest)).toBeUndefined();
  });

  test("a million values take at most 200 centroids and 2 kB", () => {
    const prng = createPrng(15);
    const d = createDigest();
    for (let at = 0; at < 1_000_000; at++) addDigest(d, normal(prng));
    expect(encoded(encodeDigest, d).length).toBeLessThanOrEqual(2000);
    expect(d.size).toBeLessThanOrEqual(200);
  });

  test("an empty digest has no quantile and merges into nothing", () => {
    const d = createDigest();
    mergeDigest(d, createDigest());
    expect(quantileDigest(d, 0.5)).toBeNaN();
    expect(check(d)).toBe("00");
  });
});

describe("truth, merged from 200 parts", () => {
  const streams: Readonly<Record<string, (prng: Prng) => number>> = {
    ...durationStreams,
    "normal around zero": (prng) => 100 * normal(prng),
    "all negative": (prng) => -1e6 * (1 - prng.next()) ** (-1 / 1.5),
  };
  test.each(Object.keys(streams))("%s", (name) => {
    const draw = streams[name] as (prng: Prng) => number;
    const prng = createPrng(16);
    const values: number[] = [];
    const total = createDigest();
    for (let part = 0; part < 200; part++) {
      const drawn = Array.from({ length: 1000 }, () => draw(prng));
      values.push(...drawn);
      mergeDigest(total, digestOf(drawn));
    }
    values.sort((a, b) => a - b);
    for (const q of [0.001, 0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999]) {
      const found = quantileDigest(total, q);
      const below = values.filter((value) => value < found).length / values.length;
      const upTo = values.filter((value) => value <= found).length / values.length;
      const missed = Math.max(0, below - q, q - upTo);
      // k2 bounds a centroid's width by q (1 - q) Z / delta; half of that is the rank error.
      const width = (q * (1 - q) * (4 * Math.log(values.length / 200) + 24)) / 200;
      expect(missed).toBeLessThanOrEqual(width / 2 + 1 / values.length);
    }
  });

  test("log-normal and Pareto: p50 to p99.9 within 1 % of the value", () => {
    for (const name of ["log-normal", "Pareto"]) {
      const draw = durationStreams[name] as (prng: Prng) => number;
      const prng = createPrng(17);
      const values: number[] = [];
      const total = createDigest();
      for (let part = 0; part < 200; part++) {
        const drawn = Array.from({ length: 2500 }, () => draw(prng));
        values.push(...drawn);
        mergeDigest(total, digestOf(drawn));
      }
      values.sort((a, b) => a - b);
      for (const q of [0.5, 0.9, 0.99, 0.999]) {
        const exact = values[Math.ceil(q * values.length) - 1] as number;
        expect(Math.abs(quantileDigest(total, q) / exact - 1)).toBeLessThanOrEqual(0.01);
      }
    }
  });

  test("the digest of a histogram keeps count, sum and extremes, and its quantiles", () => {
    const prng = createPrng(18);
    for (const draw of Object.values(durationStreams)) {
      const h = createHistogram();
      const values = Array.from({ length: 20_000 }, () => draw(prng)).sort((a, b) => a - b);
      for (const value of values) addHistogram(h, value);
      const d = digestOfHistogram(h);
      const [min, max] = [values[0], values.at(-1)];
      expect([d.count, d.sum, d.min, d.max]).toEqual([h.count, h.sumNs, min, max]);
      quantileDigest(d, 0);
      expect(d.count).toBe(h.count);
      for (const q of [0.1, 0.9, 0.99]) {
        const [low, high] = [q - 0.02, Math.min(1, q + 0.02)].map(
          (at) => values[Math.floor(at * (values.length - 1))] as number,
        );
        expect(quantileDigest(d, q)).toBeGreaterThanOrEqual((low as number) * 0.98);
        expect(quantileDigest(d, q)).toBeLessThanOrEqual((high as number) * 1.02);
      }
    }
  });

  test.each([[[]], [[0]], [[7]], [[0, 0]], [[0, 7]], [[7, 7, 7]], [[1, 1000]]])(
    "the digest of the histogram of %j has as many values",
    (values) => {
      const h = createHistogram();
      for (const value of values) addHistogram(h, value);
      const d = digestOfHistogram(h);
      expect(encoded(encodeDigest, d).length).toBeGreaterThan(0);
      expect(d.count).toBe(values.length);
    },
  );
});

describe("hostile bytes are rejected", () => {
  interface Shape {
    size?: number;
    min?: number;
    max?: number;
    sum?: number;
    form?: number;
    centroids?: readonly (readonly [mean: number, weight: number])[];
  }
  const { NaN: nan, POSITIVE_INFINITY: infinity } = Number;
  const many = Array.from({ length: centroidsMax + 1 }, (_, at) => [at, 1] as const);

  function bytesOf(shape: Shape): Uint8Array {
    const { min = 1, max = 9, sum = 10, form = 0 } = shape;
    const centroids = shape.centroids ?? [
      [1, 1],
      [9, 1],
    ];
    const writer = createByteWriter();
    writer.varint(shape.size ?? centroids.length);
    for (const value of [min, max, sum]) writer.f64(value);
    writer.u8(form);
    for (const [mean, weight] of centroids) {
      writer.f64(mean);
      if (form === 1) writer.varint(weight);
      else writer.f64(weight);
    }
    return writer.finish();
  }

  test.each<[string, Shape, RegExp]>([
    ["more centroids than bytes", { size: 300 }, /claims 300 centroids/],
    ["too many centroids", { max: 1000, min: 0, centroids: many }, /claims 401 centroids/],
    ["fewer bytes than centroids", { size: 3, form: 1 }, /ends at byte/],
    [
      "a mean that is not a number",
      {
        centroids: [
          [nan, 1],
          [9, 1],
        ],
      },
      /mean is not finite/,
    ],
    [
      "an infinite mean",
      {
        max: infinity,
        centroids: [
          [1, 1],
          [infinity, 1],
        ],
      },
      /not finite/,
    ],
    [
      "a weight that is not a number",
      {
        centroids: [
          [1, nan],
          [9, 1],
        ],
      },
      /weight/,
    ],
    [
      "a negative weight",
      {
        centroids: [
          [1, 1],
          [9, -5],
        ],
      },
      /weight/,
    ],
    [
      "a weight of zero",
      {
        form: 1,
        centroids: [
          [1, 0],
          [9, 1],
        ],
      },
      /weight/,
    ],
    [
      "an infinite weight",
      {
        centroids: [
          [1, 1],
          [9, infinity],
        ],
      },
      /weight/,
    ],
    [
      "centroids out of order",
      {
        centroids: [
          [5, 1],
          [4, 1],
        ],
      },
      /ascend/,
    ],
    ["a minimum above the first", { min: 2 }, /ascend/],
    ["a maximum below the last", { max: 8 }, /enclose/],
    ["a minimum that is not a number", { min: nan }, /ascend/],
    ["an infinite minimum", { min: -infinity }, /extremes are not finite/],
    ["a maximum that is not a number", { max: nan }, /extremes are not finite/],
    ["an infinite maximum", { max: infinity }, /extremes are not finite/],
    ["an infinite sum", { sum: infinity }, /sum is not finite/],
    ["an unknown weight form", { form: 2 }, /weight form is 2/],
  ])("%s", (_, shape, problem) => {
    expect(problemOf(bytesOf(shape), decodeDigest)).toMatch(problem);
  });

  test("the cases above differ from bytes that are accepted", () => {
    expect(problemOf(bytesOf({}), decodeDigest)).toBeUndefined();
    expect(problemOf(bytesOf({ form: 1 }), decodeDigest)).toBeUndefined();
  });
});
