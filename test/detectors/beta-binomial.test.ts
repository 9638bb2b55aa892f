import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type BetaBinomial, betaBinomialUpperTail } from "../../detectors/beta-binomial.ts";
import { logGamma } from "../../detectors/log-gamma.ts";

/** P(X >= bad) by the law's own product form, without log-gamma. */
function exactTail({ count, bad, alpha, beta }: BetaBinomial): number {
  let tail = 0;
  for (let k = bad; k <= count; k++) {
    let term = 1;
    for (let at = 0; at < count; at++) term /= alpha + beta + at;
    for (let at = 0; at < k; at++) term *= alpha + at;
    for (let at = 0; at < count - k; at++) term *= beta + at;
    for (let at = 0; at < k; at++) term *= (count - at) / (at + 1);
    tail += term;
  }
  return tail;
}

function check(law: BetaBinomial): number {
  return betaBinomialUpperTail(law);
}

describe("log-gamma", () => {
  test.each([
    { x: 1, value: 0 },
    { x: 2, value: 0 },
    { x: 0.5, value: 0.5 * Math.log(Math.PI) },
    { x: 11, value: Math.log(3_628_800) },
    { x: 1e-5, value: 11.512919692895826 },
    { x: 1e6, value: 12_815_504.569147611 },
  ])("of $x", ({ x, value }) => {
    expect(logGamma(x)).toBeCloseTo(value, 8);
  });
});

describe("upper tail of the beta-binomial law", () => {
  test.each([
    {
      name: "uniform rate: every count alike",
      law: { count: 9, bad: 7, alpha: 1, beta: 1 },
      tail: 0.3,
    },
    { name: "one draw is the mean", law: { count: 1, bad: 1, alpha: 2, beta: 6 }, tail: 0.25 },
    { name: "at least none", law: { count: 5, bad: 0, alpha: 2, beta: 3 }, tail: 1 },
  ])("$name", ({ law, tail }) => {
    expect(check(law)).toBeCloseTo(tail, 12);
  });

  test("equals the product form", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 60 }),
        fc.nat(60),
        fc.double({ min: 0.01, max: 50, noNaN: true }),
        fc.double({ min: 0.01, max: 50, noNaN: true }),
        (count, some, alpha, beta) => {
          const law = { count, bad: 1 + (some % count), alpha, beta };
          const exact = exactTail(law);
          expect(Math.abs(check(law) - exact)).toBeLessThan(1e-9 * exact + 1e-14);
        },
      ),
      { seed: 1, numRuns: 300 },
    );
  });

  test("falls as the count of bad grows", () => {
    let before = 1;
    for (let bad = 0; bad <= 400; bad += 7) {
      const tail = check({ count: 400, bad, alpha: 3, beta: 200 });
      expect(tail).toBeLessThanOrEqual(before);
      before = tail;
    }
  });

  test("a huge count is scaled down: close to the whole sum, never below it by much, and fast", () => {
    const startedMs = performance.now();
    const huge = { count: 10_000_000, alpha: 200, beta: 1_800 };
    const close = { count: 500_000, alpha: 200, beta: 1_800 };
    for (const share of [0.09, 0.1, 0.11, 0.12, 0.13]) {
      const scaled = check({ ...huge, bad: huge.count * share });
      const whole = check({ ...close, bad: close.count * share });
      expect(scaled / whole).toBeGreaterThan(0.9);
      expect(scaled / whole).toBeLessThan(1.1);
    }
    expect(performance.now() - startedMs).toBeLessThan(500);
  });
});
