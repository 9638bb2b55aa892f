import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createSipKey, sipHash24 } from "../../sketch/sip-hash.ts";

const key0f = Uint8Array.from({ length: 16 }, (_, index) => index);
const message = Uint8Array.from({ length: 64 }, (_, index) => index);

function check(key: Uint8Array, bytes: Uint8Array, start: number, end: number): string {
  const out = new Uint32Array(2);
  sipHash24(createSipKey(key), bytes, start, end, out);
  return [out[1], out[0]].map((word) => (word ?? 0).toString(16).padStart(8, "0")).join("");
}

/** The definition in 64-bit words, written for likeness to the paper and not for speed. */
function definition(key: Uint8Array, bytes: Uint8Array): string {
  const mask = (1n << 64n) - 1n;
  const word = (from: Uint8Array): bigint =>
    from.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
  const turn = (x: bigint, by: bigint): bigint => ((x << by) | (x >> (64n - by))) & mask;
  const k0 = word(key.subarray(0, 8));
  const k1 = word(key.subarray(8));
  let v0 = k0 ^ 0x736f6d6570736575n;
  let v1 = k1 ^ 0x646f72616e646f6dn;
  let v2 = k0 ^ 0x6c7967656e657261n;
  let v3 = k1 ^ 0x7465646279746573n;
  const rounds = (count: number): void => {
    for (let round = 0; round < count; round++) {
      v0 = (v0 + v1) & mask;
      v1 = turn(v1, 13n) ^ v0;
      v0 = turn(v0, 32n);
      v2 = (v2 + v3) & mask;
      v3 = turn(v3, 16n) ^ v2;
      v0 = (v0 + v3) & mask;
      v3 = turn(v3, 21n) ^ v0;
      v2 = (v2 + v1) & mask;
      v1 = turn(v1, 17n) ^ v2;
      v2 = turn(v2, 32n);
    }
  };
  const padded = new Uint8Array((Math.floor(bytes.length / 8) + 1) * 8);
  padded.set(bytes);
  padded[padded.length - 1] = bytes.length & 0xff;
  for (let at = 0; at < padded.length; at += 8) {
    const m = word(padded.subarray(at, at + 8));
    v3 ^= m;
    rounds(2);
    v0 ^= m;
  }
  v2 ^= 0xffn;
  rounds(4);
  return (v0 ^ v1 ^ v2 ^ v3).toString(16).padStart(16, "0");
}

describe("the published vectors: key 00..0f, message 00.. of so many bytes", () => {
  test.each([
    [0, "726fdb47dd0e0e31"],
    [1, "74f839c593dc67fd"],
    [2, "0d6c8009d9a94f5a"],
    [3, "85676696d7fb7e2d"],
    [4, "cf2794e0277187b7"],
    [5, "18765564cd99a68d"],
    [6, "cbc9466e58fee3ce"],
    [7, "ab0200f58b01d137"],
    [8, "93f5f5799a932462"],
    [9, "9e0082df0ba9e4b0"],
    [10, "7a5dbbc594ddb9f3"],
    [11, "f4b32f46226bada7"],
    [12, "751e8fbc860ee5fb"],
    [13, "14ea5627c0843d90"],
    [14, "f723ca908e7af2ee"],
    [15, "a129ca6149be45e5"],
    [63, "958a324ceb064572"],
  ])("%i bytes", (size, expected) => {
    expect(check(key0f, message, 0, size)).toBe(expected);
  });
});

test("agrees with its definition for any key, any bytes, any place in a buffer", () => {
  const bytes = fc.uint8Array({ maxLength: 300 });
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), bytes, bytes, (key, pad, text) => {
      const buffer = Uint8Array.from([...pad, ...text, ...pad]);
      const hash = check(key, buffer, pad.length, pad.length + text.length);
      expect(hash).toBe(definition(key, text));
    }),
    { seed: 1 },
  );
});

test("a key of another size is refused", () => {
  expect(() => createSipKey(new Uint8Array(15))).toThrow("16 bytes");
});
