import { describe, expect, test } from "vitest";
import { createPrng } from "../../base/prng.ts";
import { defaultIsolationOptions, isolate } from "../../detectors/isolation.ts";
import type { IsolationLeaf } from "../../detectors/isolation-leaf.ts";
import {
  type Attributes,
  caseDimensions,
  drawCause,
  drawLeaves,
  type LeafCase,
  textOf,
} from "./isolation-cases.ts";

/** The combinations named, each as sorted text, the set sorted; "" = no attribute explains it. */
function check(
  leaves: readonly IsolationLeaf[],
  dimensions: readonly string[] = caseDimensions,
): string[] {
  return isolate(leaves, defaultIsolationOptions(dimensions))
    .combinations.map(({ attributes }) =>
      textOf(Object.fromEntries(attributes.map(({ dimension, value }) => [dimension, value]))),
    )
    .sort();
}

/** Share of `runs` seeded cases in which exactly the causes are named. */
function exactShare(runs: number, draw: (seed: number) => LeafCase): number {
  let exact = 0;
  for (let seed = 1; seed <= runs; seed++) {
    const leafCase = draw(seed);
    const wanted = leafCase.causes.map(textOf).sort();
    const named = check(drawLeaves(createPrng(seed), leafCase));
    if (named.join("|") === wanted.join("|")) exact += 1;
  }
  return exact / runs;
}

const amex: Attributes = {
  card: "amex",
  "cloud.region": "eu-west-1",
  "service.version": "2.4.0",
};

function leaf(key: readonly string[], count: number, bad: number): IsolationLeaf {
  return { key, count, bad, expected: count * 0.01 };
}

describe("isolation names the smallest combination", () => {
  test.each([
    {
      name: "3 attributes",
      size: 3,
      spans: 600,
      inside: 0.9,
      outside: 0.002,
      min: 0.85,
    },
    { name: "1 attribute", size: 1, spans: 300, inside: 0.9, outside: 0.002, min: 0.95 },
    { name: "2 attributes", size: 2, spans: 400, inside: 0.9, outside: 0.002, min: 0.97 },
    { name: "1 attribute, noise", size: 1, spans: 1000, inside: 0.4, outside: 0.03, min: 0.95 },
    { name: "2 attributes, noise", size: 2, spans: 1000, inside: 0.5, outside: 0.03, min: 0.97 },
    { name: "3 attributes, noise", size: 3, spans: 2000, inside: 0.6, outside: 0.02, min: 0.95 },
    { name: "much traffic", size: 2, spans: 20_000, inside: 0.2, outside: 0.01, min: 0.95 },
  ])("$name", ({ size, spans, inside, outside, min, name }) => {
    const share = exactShare(200, (seed) => ({
      spans,
      causes: [drawCause(createPrng(seed * 7919), size)],
      rateInside: inside,
      rateOutside: outside,
    }));
    console.info(`isolation, ${name}: ${share} exact`);
    expect(share).toBeGreaterThanOrEqual(min);
  });

  test.each([
    { spans: 150, min: 0.85 },
    { spans: 300, min: 0.95 },
    { spans: 600, min: 0.97 },
  ])("version, region and card together in $spans spans", ({ spans, min }) => {
    const share = exactShare(200, () => ({
      spans,
      causes: [amex],
      rateInside: 0.9,
      rateOutside: 0.005,
    }));
    console.info(`isolation, amex in ${spans}: ${share} exact`);
    expect(share).toBeGreaterThanOrEqual(min);
  });

  test("two causes at once", () => {
    const share = exactShare(200, () => ({
      spans: 1500,
      causes: [amex, { operation: "refund", tier: "pro" }],
      rateInside: 0.9,
      rateOutside: 0.01,
    }));
    console.info(`isolation, two causes: ${share} exact`);
    expect(share).toBeGreaterThanOrEqual(0.97);
  });

  test.each([
    { name: "few", spans: 300, rate: 0.1 },
    { name: "many", spans: 20_000, rate: 0.1 },
    { name: "all", spans: 500, rate: 0.95 },
  ])("a spread excess names nothing: $name", ({ spans, rate }) => {
    let none = 0;
    for (let seed = 1; seed <= 200; seed++) {
      const drawn = drawLeaves(createPrng(seed), {
        spans,
        causes: [{}],
        rateInside: rate,
        rateOutside: 0.005,
      });
      if (check(drawn).join("|") === "") none += 1;
    }
    console.info(`isolation, spread: ${none / 200} none`);
    expect(none / 200).toBeGreaterThanOrEqual(0.97);
  });
});

describe("isolation, by the rules", () => {
  test.each<{ name: string; dimensions: string[]; leaves: IsolationLeaf[]; named: string[] }>([
    { name: "nothing to read", dimensions: ["a"], leaves: [], named: [] },
    {
      name: "nothing bad",
      dimensions: ["a"],
      leaves: [leaf(["x"], 100, 0), leaf(["y"], 100, 1)],
      named: [],
    },
    {
      name: "a dimension of one value is not named",
      dimensions: ["one", "a"],
      leaves: [leaf(["only", "x"], 100, 60), leaf(["only", "y"], 100, 1)],
      named: ["a=x"],
    },
    {
      name: "of aliases the earlier dimension",
      dimensions: ["a", "alias"],
      leaves: [leaf(["x", "X"], 100, 60), leaf(["y", "Y"], 100, 1)],
      named: ["a=x"],
    },
    {
      name: "absent and folded values are not named",
      dimensions: ["a", "b"],
      leaves: [leaf(["", "(other)"], 100, 60), leaf(["y", "z"], 100, 1)],
      named: [""],
    },
    {
      name: "an attribute that everything bad has, and all its neighbours, is left out",
      dimensions: ["a", "b"],
      leaves: [
        leaf(["x", "p"], 100, 60),
        leaf(["x", "q"], 10, 5),
        leaf(["y", "p"], 100, 1),
        leaf(["y", "q"], 100, 1),
      ],
      named: ["a=x"],
    },
    {
      name: "one cause in each of two dimensions",
      dimensions: ["a", "b"],
      leaves: [leaf(["x", "q"], 100, 60), leaf(["y", "p"], 100, 70), leaf(["y", "q"], 800, 6)],
      named: ["a=x", "b=p"],
    },
  ])("$name", ({ dimensions, leaves, named }) => {
    expect(check(leaves, dimensions)).toEqual(named);
  });

  test("numbers add up", () => {
    const leaves = [leaf(["x", "p"], 40, 31), leaf(["y", "p"], 100, 1), leaf(["y", "q"], 60, 0)];
    const isolation = isolate(leaves, defaultIsolationOptions(["a", "b"]));
    expect(isolation).toMatchObject({ count: 200, bad: 32, expected: 2, leavesDropped: 0 });
    const [first] = isolation.combinations;
    expect(first).toMatchObject({ count: 40, bad: 31, expected: 0.4, excess: 30.6 });
    expect(first?.attributes).toEqual([{ dimension: "a", value: "x" }]);
    expect(first?.explained).toBe(1);
    expect(first?.pValue).toBeLessThan(1e-12);
    expect(first?.effect).toBeCloseTo(31 / 40 / (1 / 160), 9);
  });

  test("order of leaves does not matter", () => {
    const leaves = drawLeaves(createPrng(5), {
      spans: 500,
      causes: [amex],
      rateInside: 0.9,
      rateOutside: 0.01,
    });
    expect(check(leaves.toReversed())).toEqual(check(leaves));
  });

  test("too many leaves: those with most spans are read, whatever is bad in them, the rest counted", () => {
    const leaves = [leaf(["x"], 10, 0), leaf(["y"], 10, 8), leaf(["z"], 10, 0), leaf(["w"], 5, 5)];
    const isolation = isolate(leaves, { ...defaultIsolationOptions(["a"]), leavesMax: 3 });
    expect(isolation).toMatchObject({ count: 30, bad: 8, leavesDropped: 1 });
  });

  test("48,000 leaves of 5 dimensions and 15 dimensions stay bounded", () => {
    const prng = createPrng(3);
    for (const width of [5, 15]) {
      const leaves = Array.from({ length: 48_000 }, (): IsolationLeaf => {
        const key = Array.from({ length: width }, () => `v${prng.integer(12)}`);
        const inside = key[1] === "v3" && key[2] === "v4";
        return { key, count: 10, bad: inside ? 8 : prng.integer(20) === 0 ? 1 : 0, expected: 0.05 };
      });
      const dimensions = Array.from({ length: width }, (_, index) => `d${index}`);
      const startedMs = performance.now();
      const named = check(leaves, dimensions);
      const tookMs = performance.now() - startedMs;
      console.info(`isolation, 48,000 leaves of ${width} dimensions: ${tookMs.toFixed(0)} ms`);
      expect(named).toEqual(["d1=v3 d2=v4"]);
    }
  });
});
