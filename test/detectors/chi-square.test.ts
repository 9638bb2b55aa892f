import { expect, test } from "vitest";
import { chiSquareUpperTail } from "../../detectors/chi-square.ts";

test.each([
  // Of two degrees the tail is exp(-x / 2), of any the tables of Abramowitz & Stegun, 26.8.
  [2, 2, Math.exp(-1)],
  [40, 2, Math.exp(-20)],
  [3.841459, 1, 0.05],
  [16.918978, 9, 0.05],
  [27.877165, 9, 0.001],
  [4.168159, 9, 0.9],
  [124.342113, 100, 0.05],
])("%d lies at the edge of the right tail of %d degrees", (value, degrees, tail) => {
  expect(chiSquareUpperTail(value, degrees) / tail).toBeCloseTo(1, 5);
});

test("the ends", () => {
  expect(chiSquareUpperTail(0, 9)).toBe(1);
  expect(chiSquareUpperTail(1e9, 9)).toBe(1e-300);
});
