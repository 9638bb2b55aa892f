import { describe, expect, test } from "vitest";
import { createPrng } from "../../base/prng.ts";
import { defaultIsolationOptions, type Isolation, isolate } from "../../detectors/isolation.ts";
import type { IsolationLeaf } from "../../detectors/isolation-leaf.ts";

/** What is believed and what else might be, each as text, with the numbers. */
function check(leaves: readonly IsolationLeaf[], dimensions: readonly string[]) {
  const isolation = isolate(leaves, defaultIsolationOptions(dimensions));
  const texts = (of: Isolation["combinations"]): string[] =>
    of.map(({ attributes }) =>
      attributes.map(({ dimension, value }) => `${dimension}=${value}`).join(" "),
    );
  return {
    ...isolation,
    believed: texts(isolation.combinations),
    others: texts(isolation.alternatives),
  };
}

function leaf(key: string, count: number, bad: number): IsolationLeaf {
  return { key: key.split(" "), count, bad, expected: count * 0.01 };
}

describe("alternatives", () => {
  const unsure = [
    leaf("x p", 100, 60),
    leaf("x q", 3, 1),
    leaf("y p", 4, 0),
    leaf("y q", 400, 4),
    leaf("z q", 400, 4),
  ];

  test("are what explains it nearly as well, best first, and not what is believed", () => {
    const { believed, others, alternatives } = check(unsure, ["a", "b"]);
    expect(believed).toHaveLength(1);
    expect(new Set([...believed, ...others])).toEqual(new Set(["a=x", "b=p", "a=x b=p"]));
    const behind = alternatives.map((one) => one.behind);
    expect(behind).toEqual(behind.toSorted((a, b) => a - b));
    expect(behind[0]).toBeLessThan(10);
  });

  test("have numbers of their own", () => {
    const { alternatives, others } = check(unsure, ["a", "b"]);
    const one = alternatives[others.indexOf("a=x b=p")] ?? alternatives[0];
    expect(one?.count).toBeGreaterThanOrEqual(100);
    expect(one?.explained).toBeGreaterThan(0.9);
    expect(one?.pValue).toBeLessThan(1e-6);
  });

  test("are far behind where the evidence is clear", () => {
    const leaves = [leaf("x p", 500, 300), leaf("x q", 500, 300), leaf("y p", 900, 9)];
    const { believed, alternatives } = check([...leaves, leaf("y q", 900, 9)], ["a", "b"]);
    expect(believed).toEqual(["a=x"]);
    for (const { behind } of alternatives) expect(behind).toBeGreaterThan(10);
  });

  test("are no other names of the same spans", () => {
    const twins = unsure.map((one) => ({ ...one, key: [...one.key, `twin-${one.key[0]}`] }));
    const { believed, others } = check(twins, ["a", "b", "twin"]);
    expect([...believed, ...others].join()).not.toContain("twin");
  });

  test("there are none where nothing is wrong", () => {
    expect(check([leaf("x p", 100, 1), leaf("y q", 100, 0)], ["a", "b"]).others).toEqual([]);
  });

  test("at most as many as asked for", () => {
    const prng = createPrng(7);
    const leaves = Array.from({ length: 200 }, () => {
      const key = Array.from({ length: 4 }, () => `v${prng.integer(4)}`).join(" ");
      return leaf(key, 50, key.startsWith("v1") ? 20 : 0);
    });
    expect(check(leaves, ["a", "b", "c", "d"]).others).toHaveLength(3);
  });
});

describe("two combinations that differ in one value", () => {
  const others = [leaf("y p", 2_000, 20), leaf("y q", 2_000, 20), leaf("y r", 2_000, 20)];

  test("are what they have in common where that is hardly better without the first", () => {
    const leaves = ["0", "1", "2", "3"].flatMap((tier) => [
      leaf(`x p ${tier}`, 400, 120),
      leaf(`x q ${tier}`, 400, 20),
      leaf(`x r ${tier}`, 200, 2),
      leaf(`y p ${tier}`, 2_000, 20),
      leaf(`y q ${tier}`, 2_000, 20),
      leaf(`y r ${tier}`, 2_000, 20),
    ]);
    expect(check(leaves, ["a", "b", "c"]).believed).toEqual(["a=x"]);
  });

  test("are two where what they have in common is mostly well", () => {
    const rest = Array.from({ length: 12 }, (_, value) => leaf(`x v${value}`, 400, 4));
    const leaves = [leaf("x p", 400, 240), leaf("x q", 400, 200), ...rest, ...others];
    expect(check(leaves, ["a", "b"]).believed.sort()).toEqual(["a=x b=p", "a=x b=q"]);
  });
});
