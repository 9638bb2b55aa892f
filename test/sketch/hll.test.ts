import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { BitWriter } from "../../base/bits.ts";
import { createByteReader, createByteWriter } from "../../base/bytes.ts";
import { createPrng } from "../../base/prng.ts";
import {
  addHll,
  boundsHll,
  copyHll,
  createHll,
  estimateHll,
  type Hll,
  hllEntriesMax,
  hllEntryIndexBits,
  hllRegisterCount,
  isEmptyHll,
  mergeHll,
  overlapHll,
} from "../../sketch/hll.ts";
import { decodeHll, encodeHll, riceBits } from "../../sketch/hll-codec.ts";
import { createSipKey, sipHash24 } from "../../sketch/sip-hash.ts";
import { addCustomers, encoded, hexOf, problemOf } from "./streams.ts";

type Hash = readonly [low: number, high: number];

function hllOf(hashes: readonly Hash[]): Hll {
  const hll = createHll();
  for (const [low, high] of hashes) addHll(hll, low, high);
  return hll;
}

function customers(from: number, to: number): Hll {
  const hll = createHll();
  addCustomers(hll, from, to);
  return hll;
}

function check(hll: Hll): string {
  return hexOf(encoded(encodeHll, hll));
}

function merged(...parts: readonly Hll[]): Hll {
  const total = createHll();
  for (const part of parts) mergeHll(total, part);
  return total;
}

/** Hashes whose runs of zeros are often long, so that every rank occurs. */
const half = fc.oneof(
  fc.integer({ min: 0, max: 0xffffffff }),
  fc
    .tuple(fc.integer({ min: 0, max: 0xffffffff }), fc.integer({ min: 0, max: 31 }))
    .map(([word, zeros]) => word >>> zeros),
);
const hashes = fc.array(fc.tuple(half, half), { maxLength: 40 });

describe("laws", () => {
  test("merge is the sketch of all hashes, in any order, any number of times", () => {
    fc.assert(
      fc.property(hashes, hashes, hashes, (a, b, c) => {
        const whole = check(hllOf([...a, ...b, ...c]));
        const [x, y, z] = [hllOf(a), hllOf(b), hllOf(c)];
        expect(check(merged(x, y, z))).toBe(whole);
        expect(check(merged(z, x, y, x, z))).toBe(whole);
        expect(check(merged(merged(z, y), x))).toBe(whole);
      }),
      { seed: 2 },
    );
  });

  test.each([
    ["sparse with sparse", 200, 300],
    ["sparse with sparse, to exactly the limit", 256, 512],
    ["sparse with sparse, one past the limit", 256, 513],
    ["sparse with dense", 10, 2000],
    ["dense with sparse", 1990, 2000],
    ["dense with dense", 9000, 20000],
  ])("%s: bytes do not depend on the order", (_, split, total) => {
    const [a, b] = [customers(0, split), customers(split, total)];
    const whole = check(customers(0, total));
    expect(check(merged(a, b))).toBe(whole);
    expect(check(merged(b, a))).toBe(whole);
    expect(check(merged(b, a, b, a, a))).toBe(whole);
  });

  test("turns dense with the 513th distinct entry, not before", () => {
    expect(customers(0, hllEntriesMax).registers).toBeUndefined();
    expect(customers(0, hllEntriesMax + 1).registers?.length).toBe(hllRegisterCount);
  });

  test("a sparse entry gives the register that the hash gives", () => {
    const base = customers(0, 1000);
    fc.assert(
      fc.property(hashes, (a) => {
        const direct = copyHll(base);
        for (const [low, high] of a) addHll(direct, low, high);
        expect(check(merged(hllOf(a), base))).toBe(check(direct));
      }),
      { seed: 3 },
    );
  });

  test("a copy and its original go separate ways", () => {
    for (const count of [3, 3000]) {
      const original = customers(0, count);
      const before = check(original);
      addCustomers(copyHll(original), count, count + 50);
      expect(check(original)).toBe(before);
    }
  });

  test("decode gives back what was encoded, in every form", () => {
    for (const count of [0, 1, 30, 512, 513, 3000, 7000, 9000, 50000]) {
      const hll = customers(0, count);
      const bytes = encoded(encodeHll, hll);
      const reader = createByteReader(bytes);
      const back = decodeHll(reader);
      expect([reader.problem, reader.remaining]).toEqual([undefined, 0]);
      expect(check(back)).toBe(hexOf(bytes));
      expect(estimateHll(back)).toBe(estimateHll(hll));
      expect(isEmptyHll(back)).toBe(count === 0);
    }
  });

  test("30 customers take at most 85 bytes, 1,000 at most 1,000, a full sketch 8,700", () => {
    expect(encoded(encodeHll, customers(0, 30)).length).toBeLessThanOrEqual(85);
    expect(encoded(encodeHll, customers(0, 1000)).length).toBeLessThanOrEqual(1000);
    expect(encoded(encodeHll, customers(0, 50000)).length).toBeLessThanOrEqual(8700);
  });
});

describe("truth", () => {
  const standardError = 1.04 / Math.sqrt(hllRegisterCount);
  test.each([
    [10, 50],
    [100, 50],
    [500, 50],
    [1000, 60],
    [10_000, 60],
    [40_000, 60],
    [100_000, 40],
    [1_000_000, 12],
  ])("%i customers, %i trials: error and bias as in theory, bounds hold", (count, trials) => {
    const prng = createPrng(count);
    const errors: number[] = [];
    let held = 0;
    for (let trial = 0; trial < trials; trial++) {
      const hll = createHll();
      for (let at = 0; at < count; at++) addHll(hll, prng.next() * 2 ** 32, prng.next() * 2 ** 32);
      const { value, low, high } = boundsHll(hll);
      errors.push(value / count - 1);
      if (low <= count && count <= high) held++;
    }
    // While sparse two of n are one with a chance of n^2 / 2 in 2^22, each by 1 / n too few.
    const allowed = count <= hllEntriesMax ? 2 ** -11.5 : standardError;
    const rms = Math.sqrt(errors.reduce((sum, error) => sum + error ** 2, 0) / trials);
    const bias = errors.reduce((sum, error) => sum + error, 0) / trials;
    expect(rms).toBeLessThanOrEqual(allowed * (1 + 3 / Math.sqrt(2 * trials)));
    expect(Math.abs(bias)).toBeLessThanOrEqual((allowed * 3.3) / Math.sqrt(trials));
    // Three deviations of a binomial below 95 %.
    expect(held / trials).toBeGreaterThanOrEqual(0.95 - 3 * Math.sqrt((0.95 * 0.05) / trials));
  });

  test.each([
    ["sparse, exact", 100, 60, 300],
    ["dense, half shared", 40_000, 20_000, 60_000],
    ["dense, nothing shared", 20_000, 20_000, 40_000],
    ["sparse in dense", 30_000, 29_900, 30_000],
  ])("overlap: %s", (_, endA, startB, endB) => {
    const { value, low, high } = overlapHll(customers(0, endA), customers(startB, endB));
    const shared = Math.max(0, endA - startB);
    expect(low).toBeLessThanOrEqual(shared);
    expect(high).toBeGreaterThanOrEqual(shared);
    expect(value).toBeGreaterThanOrEqual(0);
    expect(value).toBeLessThanOrEqual(Math.min(endA, endB - startB) * 1.03);
    if (endB <= hllEntriesMax) expect([value, low, high]).toEqual([shared, shared, shared]);
  });

  test("whoever knows the algorithm but not the key cannot steer the count", () => {
    const guessed = createSipKey(new Uint8Array(16));
    const secret = createSipKey(Uint8Array.from({ length: 16 }, (_, at) => (at * 73 + 41) & 0xff));
    const out = new Uint32Array(2);
    const [shown, real] = [createHll(), createHll()];
    const id = new Uint8Array(8);
    const view = new DataView(id.buffer);
    let chosen = 0;
    for (let at = 0; chosen < 100_000; at++) {
      view.setUint32(0, at, true);
      sipHash24(guessed, id, 0, 8, out);
      // The attacker takes ids that meet in few registers and leave no long run of zeros.
      if ((out[1] as number) >>> 28 !== 0 || ((out[1] as number) & 0x20000) === 0) continue;
      chosen++;
      addHll(shown, out[0] as number, out[1] as number);
      sipHash24(secret, id, 0, 8, out);
      addHll(real, out[0] as number, out[1] as number);
    }
    expect(estimateHll(shown)).toBeLessThan(10_000);
    expect(Math.abs(estimateHll(real) / chosen - 1)).toBeLessThanOrEqual(0.025);
  });
});

describe("hostile bits are rejected", () => {
  const forms = { empty: 0, sparse: 1, listed: 2, packed: 3 };
  /** A form and numbers, each with the code it is written in. */
  type Write = (bits: BitWriter) => void;
  const bytesOf = (form: number, write: Write = () => undefined): Uint8Array => {
    const bits = new BitWriter();
    bits.bits(form, 2);
    write(bits);
    const bytes = bits.finish();
    const writer = createByteWriter();
    writer.varint(bytes.length);
    writer.bytes(bytes);
    return writer.finish();
  };
  const entries =
    (...gapsAndRanks: readonly (readonly [gap: number, rank: number])[]): Write =>
    (bits) => {
      bits.bits(gapsAndRanks.length - 1, 9);
      const k = riceBits(2 ** hllEntryIndexBits, gapsAndRanks.length);
      for (const [gap, rank] of gapsAndRanks) {
        bits.rice(gap, k);
        if (rank > 0) bits.gamma(rank - 1);
      }
    };
  const listed =
    (count: number, ranks: readonly number[], gap = 0): Write =>
    (bits) => {
      bits.bits(count, 13);
      for (const rank of ranks) {
        bits.rice(gap, riceBits(hllRegisterCount, count));
        bits.rice(rank - 1, 0);
      }
    };
  const packed =
    (least: number, k: number, rest: readonly number[]): Write =>
    (bits) => {
      bits.bits(least, 6);
      bits.bits(k, 2);
      for (let at = 0; at < hllRegisterCount; at++) bits.rice(rest[at % rest.length] as number, k);
    };
  const many = (rank: number): number[] => Array.from({ length: 500 }, () => rank);

  test.each<[string, Uint8Array, RegExp]>([
    ["nothing", Uint8Array.of(), /ends at byte/],
    ["more bytes than there are", Uint8Array.of(9, 0), /ends at byte/],
    ["an empty sketch and more", bytesOf(forms.empty, (bits) => bits.bits(0, 9)), /behind its end/],
    ["an entry of rank 44", bytesOf(forms.sparse, entries([0, 44])), /rank 44 exceeds 43/],
    ["an entry twice", bytesOf(forms.sparse, entries([7, 0], [0, 0])), /ascending/],
    ["an entry of two ranks, falling", bytesOf(forms.sparse, entries([0, 4], [0, 3])), /ascending/],
    ["an entry beyond 22 bits", bytesOf(forms.sparse, entries([2 ** 22 + 1, 0])), /too large/],
    ["entries that end early", bytesOf(forms.sparse, (bits) => bits.bits(99, 9)), /ends after/],
    ["a list that ends early", bytesOf(forms.listed, listed(500, many(3).slice(1))), /ends after/],
    ["a list that claims 16 KiB for 1", bytesOf(forms.listed, listed(1, [3])), /lists 1 registers/],
    ["a listed rank above 51", bytesOf(forms.listed, listed(500, many(52))), /too large/],
    ["a register beyond 2^14", bytesOf(forms.listed, listed(500, many(3), 40)), /index exceeds/],
    ["all registers at 60", bytesOf(forms.packed, packed(60, 0, [0])), /rank 60 exceeds 51/],
    ["packed zeros", bytesOf(forms.packed, packed(0, 0, [0])), /packs fewer/],
    ["another minimum", bytesOf(forms.packed, packed(0, 0, [1])), /another minimum/],
    ["another mean", bytesOf(forms.packed, packed(3, 1, [0, 1])), /another minimum or mean/],
    ["packed in few bits", bytesOf(forms.packed, (bits) => bits.bits(1, 9)), /in \d+ bits/],
  ])("%s", (_, bytes, problem) => {
    expect(problemOf(bytes, decodeHll)).toMatch(problem);
  });

  test("the cases above differ from bytes that are accepted", () => {
    for (const bytes of [
      bytesOf(forms.empty),
      bytesOf(forms.sparse, entries([0, 43])),
      bytesOf(forms.sparse, entries([0, 3], [0, 4], [7, 0])),
      bytesOf(forms.listed, listed(500, many(51))),
      bytesOf(forms.packed, packed(51, 0, [0])),
      bytesOf(forms.packed, packed(3, 0, [0, 1])),
    ]) {
      expect(problemOf(bytes, decodeHll)).toBeUndefined();
    }
  });
});
