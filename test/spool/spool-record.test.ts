import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  firstMissing,
  hasNumber,
  includesAll,
  lastNumber,
  type NumberSet,
  withNumber,
} from "../../agent/spool/number-set.ts";
import {
  countsBeforeMax,
  decodeSpoolPayload,
  encodeSpoolCertain,
  encodeSpoolHeader,
  encodeSpoolMark,
  encodeSpoolRecord,
  type RecordFacts,
} from "../../agent/spool/spool-record.ts";

const streamId = "00112233445566778899aabbccddeeff";

describe("a set of numbers", () => {
  const numbers = fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 60 });
  const setOf = (all: readonly number[]): NumberSet => all.reduce(withNumber, [] as NumberSet);

  test("says what a plain set says, in ascending ranges apart from each other", () => {
    fc.assert(
      fc.property(numbers, numbers, (all, part) => {
        const set = setOf(all);
        const plain = new Set(all);
        for (let number = 0; number <= 42; number++) {
          expect(hasNumber(set, number)).toBe(plain.has(number));
        }
        for (const [index, [from, to]] of set.entries()) {
          expect(from).toBeLessThanOrEqual(to);
          expect(from).toBeGreaterThan((set[index - 1]?.[1] ?? -1) + 1);
        }
        let first = 1;
        while (plain.has(first)) first++;
        expect(firstMissing(set)).toBe(first);
        expect(lastNumber(set)).toBe(Math.max(0, ...all));
        expect(includesAll(set, setOf(part))).toBe(part.every((number) => plain.has(number)));
      }),
      { seed: 11 },
    );
  });
});

describe("what a spool file holds", () => {
  const count = fc.integer({ min: 0, max: 2 ** 40 });
  const counts = fc.record({ spans: count, errors: count, windowStartMs: count });
  const facts: fc.Arbitrary<RecordFacts> = fc.record({
    streamId: fc.constant(streamId),
    seq: fc.integer({ min: 1, max: 2 ** 40 }),
    kind: fc.constantFrom("window", "tombstone", "gap"),
    spans: count,
    errors: count,
    windowStartMs: count,
    streamSpans: count,
    watermarkMs: count,
    sealedMs: count,
    isBlind: fc.boolean(),
    origin: fc.option(
      fc.record({ streamId: fc.constant("ff".repeat(16)), seq: fc.integer({ min: 1, max: 99 }) }),
      { nil: undefined },
    ),
    before: fc.array(counts, { maxLength: countsBeforeMax }),
  });

  test("a record comes back as it was", () => {
    fc.assert(
      fc.property(facts, fc.uint8Array({ maxLength: 40 }), (given, batch) => {
        const decoded = decodeSpoolPayload(encodeSpoolRecord(given, batch));
        expect(decoded).toEqual({ type: "record", facts: given, batch });
      }),
      { seed: 12 },
    );
  });

  test("so do a header and notes", () => {
    const header = {
      streamId,
      createdMs: 5,
      settledBelow: 7,
      settledSpans: 0,
      certain: { seq: 9, streamSpans: 300 },
      previous: [{ seq: 3, spans: 4, errors: 1, windowStartMs: 60 }],
    };
    expect(decodeSpoolPayload(encodeSpoolHeader(header))).toEqual({ type: "header", ...header });
    const bare = { ...header, settledSpans: undefined, previous: [] };
    expect(decodeSpoolPayload(encodeSpoolHeader(bare))).toEqual({ type: "header", ...bare });
    expect(decodeSpoolPayload(encodeSpoolMark(77))).toEqual({ type: "mark", watermarkMs: 77 });
    const name = { streamId, seq: 4 };
    expect(decodeSpoolPayload(encodeSpoolCertain(name))).toEqual({ type: "certain", ...name });
  });

  test.each([
    ["nothing", []],
    ["a tag of a later format", [9, 1, 2]],
    ["a header of a later format", [0, 2]],
    ["a record cut short", [1, 0, 0]],
    ["a record of no known kind", [1, ...Array(16).fill(0), 1, 7, 0, 0, 0, 0, 0, 0, 0]],
  ])("%s is no payload", (_, bytes) => {
    expect(decodeSpoolPayload(Uint8Array.from(bytes))).toBeUndefined();
  });
});
