import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createByteReader, createByteWriter } from "../../base/bytes.ts";

type Item =
  | { kind: "u8" | "u32" | "varint" | "f64"; value: number }
  | { kind: "string"; value: string };

const items: fc.Arbitrary<Item> = fc.oneof(
  fc.record({ kind: fc.constant("u8" as const), value: fc.integer({ min: 0, max: 255 }) }),
  fc.record({ kind: fc.constant("u32" as const), value: fc.integer({ min: 0, max: 2 ** 32 - 1 }) }),
  fc.record({ kind: fc.constant("varint" as const), value: fc.maxSafeNat() }),
  fc.record({ kind: fc.constant("f64" as const), value: fc.double() }),
  fc.record({ kind: fc.constant("string" as const), value: fc.string({ unit: "binary" }) }),
);

function encode(list: readonly Item[]): Uint8Array {
  const writer = createByteWriter();
  for (const item of list) {
    if (item.kind === "string") writer.string(item.value);
    else writer[item.kind](item.value);
  }
  return writer.finish();
}

describe("laws", () => {
  test("what was written is read back", () => {
    fc.assert(
      fc.property(fc.array(items), (list) => {
        const reader = createByteReader(encode(list));
        expect(list.map((item) => reader[item.kind]())).toEqual(list.map((item) => item.value));
        expect(reader.problem).toBeUndefined();
        expect(reader.remaining).toBe(0);
      }),
    );
  });

  test("bytes cut short always leave a problem, never an exception", () => {
    fc.assert(
      fc.property(fc.array(items, { minLength: 1 }), fc.nat(), (list, cut) => {
        const bytes = encode(list);
        const reader = createByteReader(bytes.subarray(0, cut % bytes.length));
        for (const item of list) reader[item.kind]();
        expect(reader.problem).toBeDefined();
      }),
    );
  });
});

describe("hostile", () => {
  test.each([
    [
      "varint that never ends",
      Uint8Array.of(255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1),
      "varint",
    ],
    ["varint above 2^53 - 1", Uint8Array.of(255, 255, 255, 255, 255, 255, 255, 127), "varint"],
    ["string that is not UTF-8", Uint8Array.of(2, 0xc3, 0x28), "string"],
    ["string longer than its bytes", Uint8Array.of(200, 1, 65), "string"],
  ] as const)("%s", (_, bytes, read) => {
    const reader = createByteReader(bytes);
    reader[read]();
    expect(reader.problem).toBeDefined();
    expect(reader.u8()).toBe(0);
  });
});
