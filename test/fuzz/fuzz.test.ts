import { expect, test } from "vitest";
import { type FuzzReport, fuzz } from "./fuzz.ts";

const count = 20_000;
const seed = 20_260;

function check(options: { seed: number; count: number }): Promise<FuzzReport> {
  return fuzz(options);
}

test(`${count} mutants: no crash, no hang, every sum the reference's`, async () => {
  const report = await check({ seed, count });
  expect(report.faults, `seed ${seed}`).toEqual([]);
  expect(report.hangs).toBe(0);
  for (const [target, { accepted, refused }] of Object.entries(report.verdicts)) {
    // A fuzzer whose inputs are all refused, or all taken, looks at nothing.
    expect(accepted, target).toBeGreaterThan(count / 1_000);
    expect(refused, target).toBeGreaterThan(count / 1_000);
  }
});
