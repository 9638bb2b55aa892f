import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  addNumbers,
  addRange,
  countMissing,
  hasNumber,
  type Interval,
} from "../../collector/ingest/intervals.ts";

const seed = 20_260;
const numberMax = 120;
const number = fc.integer({ min: 1, max: numberMax });
const numbers = fc.array(number, { maxLength: 150 });
const ranges = fc.array(fc.tuple(number, fc.integer({ min: 0, max: 9 })), { maxLength: 20 });

/** The set made by adding one number after the other. */
function check(order: readonly number[]): readonly Interval[] {
  return order.reduce<readonly Interval[]>((set, added) => addNumbers(set, [added]), []);
}

function members(intervals: readonly Interval[]): number[] {
  return intervals.flatMap(([from, to]) =>
    Array.from({ length: to - from + 1 }, (_, i) => from + i),
  );
}

function sortedSet(added: readonly number[]): number[] {
  return [...new Set(added)].sort((a, b) => a - b);
}

describe("laws of intervals", () => {
  test("they hold exactly the numbers added, in any order and however often", () => {
    fc.assert(
      fc.property(numbers, fc.infiniteStream(fc.nat()), (added, chance) => {
        const shuffled = [...added, ...added]
          .map((one) => ({ one, place: chance.next().value as number }))
          .sort((a, b) => a.place - b.place)
          .map(({ one }) => one);
        const sorted = sortedSet(added);
        expect(members(check(added))).toEqual(sorted);
        expect(check(shuffled)).toEqual(check(added));
        for (let n = 0; n <= numberMax + 1; n++) {
          expect(hasNumber(check(added), n)).toBe(sorted.includes(n));
        }
      }),
      { seed },
    );
  });

  test("many numbers at once are the same as one by one", () => {
    fc.assert(
      fc.property(numbers, numbers, (before, added) => {
        const all = addNumbers(check(before), sortedSet(added));
        expect(all).toEqual(check([...before, ...added]));
      }),
      { seed },
    );
  });

  test("a range is all its numbers", () => {
    fc.assert(
      fc.property(ranges, (added) => {
        let byRange: readonly Interval[] = [];
        const all: number[] = [];
        for (const [from, more] of added) {
          byRange = addRange(byRange, from, from + more);
          for (let n = from; n <= from + more; n++) all.push(n);
        }
        expect(byRange).toEqual(check(all));
      }),
      { seed },
    );
  });

  test("they are as few as can be: a hole lies between any two", () => {
    fc.assert(
      fc.property(numbers, (added) => {
        const intervals = check(added);
        for (const [index, [from]] of intervals.entries()) {
          const before = intervals[index - 1];
          if (before !== undefined) expect(from).toBeGreaterThan(before[1] + 1);
        }
      }),
      { seed },
    );
  });

  test("what is missing is what is not inside", () => {
    fc.assert(
      fc.property(numbers, number, number, (added, from, to) => {
        const known = new Set(added);
        let missing = 0;
        for (let n = from; n <= to; n++) if (!known.has(n)) missing++;
        expect(countMissing(check(added), from, to)).toBe(missing);
      }),
      { seed },
    );
  });
});
