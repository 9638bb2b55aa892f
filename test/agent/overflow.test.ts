import { describe, expect, test } from "vitest";
import { overflowValue } from "../../sketch/key.ts";
import { type SpanLiteral, startTestAgent } from "./fixture.ts";

const spanCount = 100_000;
const perRequest = 5_000;

/** Spans of as many keys, over four services, every fifth one failed. */
function spansOf(first: number, count: number): SpanLiteral[] {
  return Array.from({ length: count }, (_, offset) => {
    const id = first + offset + 1;
    return {
      id,
      service: `service-${id % 4}`,
      name: `op ${letters(id)}`,
      status: id % 5 === 0 ? "error" : "unset",
      attributes: { tier: `t${id % 7}`, cart: `c${letters(id)}` },
    };
  });
}

/** Distinct letters for distinct numbers, so that nothing is taken for an identifier. */
function letters(number: number): string {
  return [...String(number)].map((digit) => "abcdefghij"[Number(digit)]).join("");
}

async function check(config: Parameters<typeof startTestAgent>[0]) {
  const agent = await startTestAgent(config);
  for (let first = 0; first < spanCount; first += perRequest) {
    agent.ingest(...spansOf(first, perRequest));
  }
  await agent.moveTo(15_000);
  const batch = agent.windows()[0];
  if (batch === undefined) throw new Error("no window was sealed");
  const { cube } = batch;
  const services = new Map<string, { count: number; errors: number; self: number }>();
  for (const [id, cell] of cube.cells) {
    const name = cube.keys.keys[id]?.[0] ?? "";
    const sum = services.get(name) ?? { count: 0, errors: 0, self: 0 };
    services.set(name, {
      count: sum.count + cell.count,
      errors: sum.errors + cell.errors,
      self: sum.self + cell.selfNs.count,
    });
  }
  return { batch, cube, services, bytes: agent.link.bytes[0]?.length ?? 0 };
}

describe("100,000 distinct keys in one window", () => {
  test("the table stays bounded, every sum is exact, and the folding is declared", async () => {
    const { batch, cube, services, bytes } = await check({ dimensions: ["tier", "cart"] });
    expect(cube.keys.size).toBeLessThanOrEqual(2_000 + 513 * 5);
    expect(bytes).toBeLessThan(1_048_576);
    expect(batch.counts.spans).toBe(spanCount);
    expect(batch.counts.errors).toBe(spanCount / 5);
    for (const sum of services.values()) {
      expect(sum).toEqual({ count: 25_000, errors: 5_000, self: 25_000 });
    }
    expect([...services.keys()].sort()).toEqual([0, 1, 2, 3].map((n) => `service-${n}`));
    expect(Math.abs(batch.keyDemand / spanCount - 1)).toBeLessThan(0.03);
    const folded = new Map(batch.folded.map(({ dimension, spans }) => [dimension, spans]));
    expect(folded.get("cart")).toBe(spanCount - 100);
    expect(folded.get("operation")).toBeGreaterThanOrEqual(spanCount - 1_024);
    expect(folded.has("service.name")).toBe(false);
  });

  test("early keys keep their detail, later ones lose the least important dimension first", async () => {
    const { cube } = await check({
      dimensions: ["tier", "cart"],
      operationsMax: 100_000,
      dimensionValuesMax: 100_000,
    });
    const whole = cube.keys.keys.filter((key) => !key.includes(overflowValue));
    const withoutCart = cube.keys.keys.filter(
      (key) => key.at(-1) === overflowValue && key.at(-2) !== overflowValue,
    );
    const bare = cube.keys.keys.filter((key) => key[1] === overflowValue);
    expect(whole.length).toBe(1_500);
    expect(withoutCart.length).toBeGreaterThan(50);
    expect(bare.length).toBe(4);
    expect(cube.keys.keys.some((key) => key[0] === overflowValue)).toBe(false);
  });

  test("invented services are bounded too, and declared", async () => {
    const agent = await startTestAgent({ servicesMax: 16 });
    const spans = Array.from({ length: 5_000 }, (_, index) => ({
      id: index + 1,
      service: `s${index}`,
    }));
    agent.ingest(...spans);
    await agent.moveTo(15_000);
    const batch = agent.windows()[0];
    expect(batch?.cube?.keys.size).toBe(17);
    expect(batch?.folded).toEqual([{ dimension: "service.name", spans: 5_000 - 16 }]);
    expect(batch?.counts.spans).toBe(5_000);
  });

  test("values that are names of object members are values like any other", async () => {
    const agent = await startTestAgent({ dimensions: ["__proto__", "constructor"] });
    const attributes = JSON.parse(
      '{"__proto__": "polluted", "constructor": "x", "hasOwnProperty": 1}',
    );
    agent.ingest({ id: 1, name: "__proto__", service: "constructor", attributes });
    await agent.moveTo(15_000);
    const keys = agent.windows()[0]?.cube?.keys.keys;
    expect(keys).toEqual([
      ["constructor", "__proto__", "internal", "", "", "", "", "polluted", "x"],
    ]);
    expect(Object.keys(Object.prototype)).toEqual([]);
  });
});
