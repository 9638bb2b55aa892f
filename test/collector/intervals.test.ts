import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  addNumber,
  closeOldestHoles,
  hasNumber,
  type Interval,
} from "../../collector/ingest/intervals.ts";

const seed = 20_260;
const numbers = fc.array(fc.integer({ min: 1, max: 120 }), { maxLength: 150 });

function check(order: readonly number[]): readonly Interval[] {
  return order.reduce<readonly Interval[]>((set, number) => addNumber(set, number), []);
}

function members(intervals: readonly Interval[]): number[] {
  return intervals.flatMap(([from, to]) =>
    Array.from({ length: to - from + 1 }, (_, i) => from + i),
  );
}

describe("laws of intervals", () => {
  test("they hold exactly the numbers added, in any order and however often", () => {
    fc.assert(
      fc.property(numbers, fc.infiniteStream(fc.nat()), (added, chance) => {
        const sorted = [...new Set(added)].sort((a, b) => a - b);
        const shuffled = [...added, ...added]
          .map((number) => ({ number, place: chance.next().value as number }))
          .sort((a, b) => a.place - b.place)
          .map(({ number }) => number);
        expect(members(check(added))).toEqual(sorted);
        expect(check(shuffled)).toEqual(check(added));
        for (let n = 0; n <= 121; n++) expect(hasNumber(check(added), n)).toBe(sorted.includes(n));
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

  test("closing holes forgets no number, keeps the newest holes and says how many it gave up", () => {
    fc.assert(
      fc.property(numbers, fc.integer({ min: 1, max: 8 }), (added, countMax) => {
        const before = check(added);
        const { intervals, numbersClosed } = closeOldestHoles(before, countMax);
        expect(intervals.length).toBeLessThanOrEqual(countMax);
        expect(members(intervals).length).toBe(members(before).length + numbersClosed);
        for (const number of added) expect(hasNumber(intervals, number)).toBe(true);
        if (before.length > 1 && countMax > 1) {
          expect(intervals.slice(1)).toEqual(before.slice(-(intervals.length - 1)));
        }
      }),
      { seed },
    );
  });
});
