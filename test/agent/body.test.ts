import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Body, createBufferPool, type Taken } from "../../agent/receivers/body.ts";
import { createByteBudget } from "../../agent/receivers/byte-budget.ts";
import { inflate } from "../../agent/receivers/inflate.ts";

const pool = createBufferPool();

interface Sent {
  readonly content: Uint8Array;
  /** Where it is cut into pieces. */
  readonly cuts: readonly number[];
  readonly announced?: number;
  readonly bytesMax?: number;
  readonly budgetMax?: number;
}

/** What became of the body, what it holds, and what it had taken when it was whole. */
function check({ content, cuts, announced = 0, bytesMax = 1e6, budgetMax = 1e6 }: Sent) {
  const budget = createByteBudget(budgetMax);
  const body = new Body({ budget, pool, bytesMax });
  const ends = [...cuts, content.length].map((at) => Math.min(at, content.length));
  ends.sort((a, b) => a - b);
  let outcome: Taken = body.expect(announced);
  const takenFirst = budget.used;
  let start = 0;
  for (const end of ends) {
    if (outcome === "kept") outcome = body.add(content.slice(start, end));
    start = end;
  }
  const bytes = Buffer.from(body.bytes());
  const taken = budget.used;
  body.close();
  body.close();
  return { outcome, bytes, takenFirst, taken, left: budget.used };
}

const content = fc.uint8Array({ maxLength: 200_000, size: "max" });
const cuts = fc.array(fc.nat(200_000), { maxLength: 8 });

describe("a body", () => {
  test("is what was sent, however it was cut and whether announced or not", () => {
    fc.assert(
      fc.property(content, cuts, fc.boolean(), (bytes, at, isAnnounced) => {
        const announced = isAnnounced ? bytes.length : 0;
        const got = check({ content: bytes, cuts: at, announced });
        expect(got.outcome).toBe("kept");
        expect(got.bytes.equals(bytes)).toBe(true);
        expect([got.taken, got.left]).toEqual([bytes.length, 0]);
        expect(got.takenFirst).toBe(announced);
      }),
      { numRuns: 60, seed: 11 },
    );
  });

  const ten = Uint8Array.from({ length: 10 }, (_, at) => at);
  test.each<[string, Partial<Sent>, Taken, number]>([
    ["announced larger than allowed", { announced: 11, bytesMax: 10 }, "too large", 0],
    ["larger than allowed, unannounced", { bytesMax: 9, cuts: [4] }, "too large", 4],
    ["longer than announced", { announced: 9, cuts: [4] }, "too long", 9],
    ["shorter than announced", { announced: 11, cuts: [4] }, "kept", 11],
    ["announced beyond the budget", { announced: 10, budgetMax: 9 }, "overloaded", 0],
    ["beyond the budget, unannounced", { budgetMax: 9, cuts: [4] }, "overloaded", 4],
  ])("%s", (_, sent, outcome, taken) => {
    expect(check({ content: ten, cuts: [], ...sent })).toMatchObject({ outcome, taken, left: 0 });
  });

  test("two bodies at a time never share a buffer, one after the other may", () => {
    const budget = createByteBudget(1e6);
    const make = (fill: number): Body => {
      const body = new Body({ budget, pool, bytesMax: 1e6 });
      body.expect(4);
      body.add(Uint8Array.of(fill, fill));
      body.add(Uint8Array.of(fill, fill));
      return body;
    };
    const [first, second] = [make(1), make(2)];
    expect([...first.bytes(), ...second.bytes()]).toEqual([1, 1, 1, 1, 2, 2, 2, 2]);
    const used = first.bytes().buffer;
    first.close();
    expect(make(3).bytes().buffer).toBe(used);
    expect([...second.bytes()]).toEqual([2, 2, 2, 2]);
  });
});

describe("inflating", () => {
  const plain = Buffer.alloc(300_000, "abc");
  const lying = (size: number): Buffer => {
    const body = gzipSync(plain);
    body.writeUInt32LE(size, body.length - 4);
    return body;
  };

  test.each<[string, Buffer, number, string]>([
    ["fits the budget", gzipSync(plain), 0, "ok"],
    ["fits exactly", gzipSync(plain), 10_000_000 - plain.length, "ok"],
    ["is a byte too much for the budget", gzipSync(plain), 10_000_001 - plain.length, "OVERLOADED"],
    ["finds the budget used up", gzipSync(plain), 10_000_000, "OVERLOADED"],
    ["is not fooled by a trailer that says little", lying(1), 0, "OTLP_INVALID"],
    ["is not fooled by a trailer that says much", lying(0xffffffff), 0, "OTLP_INVALID"],
    ["is no gzip", Buffer.from([1]), 0, "OTLP_INVALID"],
    ["is an attack", gzipSync(Buffer.alloc(3_000_000)), 0, "OTLP_TOO_LARGE"],
  ])("%s", (_, body, used, outcome) => {
    const budget = createByteBudget(10_000_000);
    budget.take(used);
    const inflated = inflate(body, "gzip", { budget, bytesMax: 2_000_000 });
    expect(inflated.ok ? "ok" : inflated.error.code).toBe(outcome);
    if (inflated.ok) expect(plain.equals(inflated.value)).toBe(true);
    expect(budget.used).toBe(used);
  });
});
