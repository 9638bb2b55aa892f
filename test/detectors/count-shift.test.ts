import { expect, test } from "vitest";
import { type CountedWindow, countShift } from "../../detectors/count-shift.ts";

function repeat(windows: number, window: CountedWindow): CountedWindow[] {
  return Array.from({ length: windows }, () => window);
}

const always = repeat(300, { count: 500, bad: 0 });

test.each<[string, CountedWindow[], CountedWindow[], "ordinary" | "moved"]>([
  ["nothing bad", always, repeat(3, { count: 500, bad: 0 }), "ordinary"],
  ["one bad where none ever was", always, [{ count: 500, bad: 1 }], "ordinary"],
  ["three of a hundred of many", always, repeat(3, { count: 500, bad: 15 }), "moved"],
  ["all of one", repeat(300, { count: 1, bad: 0 }), [{ count: 1, bad: 1 }], "ordinary"],
  [
    "half, where half always is",
    repeat(300, { count: 20, bad: 10 }),
    [{ count: 20, bad: 12 }],
    "ordinary",
  ],
  [
    "all, where half always is",
    repeat(300, { count: 200, bad: 100 }),
    [{ count: 200, bad: 200 }],
    "moved",
  ],
  [
    "fewer than before",
    repeat(300, { count: 200, bad: 100 }),
    [{ count: 200, bad: 2 }],
    "ordinary",
  ],
])("%s", (_, before, during, verdict) => {
  const score = countShift(before, during)?.score as number;
  if (verdict === "moved") expect(score).toBeGreaterThan(3);
  else expect(score).toBeLessThan(3);
});

test("the excess is what came above the expected", () => {
  const shift = countShift(repeat(300, { count: 500, bad: 5 }), repeat(2, { count: 500, bad: 25 }));
  expect(shift?.bad).toBe(50);
  expect(shift?.excess).toBeCloseTo(40, 1);
});

test("a place never seen before moved from nothing", () => {
  expect(countShift([], [{ count: 9, bad: 9 }])).toBeUndefined();
  expect(countShift(always, [{ count: 0, bad: 0 }])).toBeUndefined();
});
