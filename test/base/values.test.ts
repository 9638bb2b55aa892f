import { expect, test } from "vitest";
import { createVirtualClock, every } from "../../base/clock.ts";
import { assert, OperationalError } from "../../base/errors.ts";
import { createLog } from "../../base/log.ts";
import { createMeter, renderPrometheus } from "../../base/meter.ts";
import { createPrng } from "../../base/prng.ts";

test("a virtual clock runs what falls due in order of time, then of setting", () => {
  const clock = createVirtualClock(1_000);
  const seen: string[] = [];
  clock.after(20, () => seen.push(`b at ${clock.nowMs()}`));
  clock.after(10, () => {
    seen.push(`a at ${clock.nowMs()}`);
    clock.after(5, () => seen.push(`a again at ${clock.nowMs()}`));
  });
  clock.after(20, () => seen.push("c"));
  const cancel = clock.after(15, () => seen.push("never"));
  cancel();
  clock.advance(19);
  expect(seen).toEqual(["a at 1010", "a again at 1015"]);
  clock.advance(1);
  expect(seen.slice(2)).toEqual(["b at 1020", "c"]);
  expect(clock.nowMs()).toBe(1_020);
});

test("every repeats until cancelled, also from inside", () => {
  const clock = createVirtualClock(0);
  let ticks = 0;
  const cancel = every(clock, 10, () => {
    ticks++;
    if (ticks === 3) cancel();
  });
  clock.advance(100);
  expect(ticks).toBe(3);
});

test("the same seed gives the same chance, another seed another", () => {
  const draw = (seed: number) => {
    const prng = createPrng(seed);
    return Array.from({ length: 5 }, () => prng.integer(1_000));
  };
  expect(draw(7)).toEqual(draw(7));
  expect(draw(7)).not.toEqual(draw(8));
});

test("chance is uniform enough: chi-square over 16 cells stays below its 99.9 % point", () => {
  const prng = createPrng(42);
  const cells = new Array<number>(16).fill(0);
  const draws = 64_000;
  for (let index = 0; index < draws; index++) cells[prng.integer(16)]!++;
  const chiSquare = cells.reduce((sum, n) => sum + (n - draws / 16) ** 2 / (draws / 16), 0);
  expect(chiSquare).toBeLessThan(37.7);
});

test("metrics render as Prometheus text, hostile label values escaped", () => {
  const meter = createMeter();
  meter.counter("brunt_a_total", "counts a", { kind: 'x"y\n' }).add(2);
  meter.counter("brunt_a_total", "counts a", { kind: 'x"y\n' }).add();
  meter.gauge("brunt_b", "reads b", () => 7);
  expect(renderPrometheus(meter)).toBe(
    '# HELP brunt_a_total counts a\n# TYPE brunt_a_total counter\nbrunt_a_total{kind="x\\"y\\n"} 3\n' +
      "# HELP brunt_b reads b\n# TYPE brunt_b gauge\nbrunt_b 7\n",
  );
});

test("a log line is one JSON object with its fields", () => {
  const lines: string[] = [];
  createLog((line) => lines.push(line), createVirtualClock(0)).warn("spool is full", { bytes: 3 });
  expect(lines.map((line) => JSON.parse(line))).toEqual([
    { time: "1970-01-01T00:00:00.000Z", level: "warn", message: "spool is full", bytes: 3 },
  ]);
});

test("an operational error carries code, cause and whether to retry", () => {
  const cause = new Error("disk");
  const error = new OperationalError("STORE_WRITE", "cannot write x", { retryable: true, cause });
  expect([error.code, error.retryable, error.cause]).toEqual(["STORE_WRITE", true, cause]);
  expect(() => assert(false, "never")).toThrow("assertion failed: never");
});
