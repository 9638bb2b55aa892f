/** Laws of both isolations, whatever the leaves. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { defaultDeviationOptions, isolateDeviation } from "../../detectors/isolate-deviation.ts";
import { defaultIsolationOptions, isolate } from "../../detectors/isolation.ts";
import { keepHeaviest } from "../../detectors/keep-heaviest.ts";

interface Leaf {
  readonly key: readonly string[];
  readonly count: number;
  readonly bad: number;
  readonly expected: number;
}

type Named = readonly { readonly dimension: string; readonly value: string }[];

interface Answer {
  readonly combinations: readonly Named[];
  readonly alternatives: readonly Named[];
  readonly leavesDropped: number;
}

const dimensions = ["a", "b", "c"];
const hostile = [
  "",
  "(other)",
  "__proto__",
  "constructor",
  "toString",
  "a=b&c",
  "\0",
  "x",
  "y",
  "z",
];

const isolations: Readonly<
  Record<string, (leaves: readonly Leaf[], names: readonly string[], max: number) => Answer>
> = {
  "excess of bad events": (leaves, names, leavesMax) => {
    const found = isolate(leaves, { ...defaultIsolationOptions(names), leavesMax });
    return answerOf(found.combinations, found.alternatives, found.leavesDropped);
  },
  "departure of a measure": (leaves, names, leavesMax) =>
    departure(leaves, names, leavesMax, "values"),
  "departure of counts": (leaves, names, leavesMax) =>
    departure(leaves, names, leavesMax, "counts"),
};

function departure(
  leaves: readonly Leaf[],
  names: readonly string[],
  leavesMax: number,
  measure: "values" | "counts",
): Answer {
  const measured = leaves.map(({ key, count, bad }) => ({
    key,
    actual: count - bad,
    forecast: count,
  }));
  const options = { ...defaultDeviationOptions(names, measure), leavesMax };
  const found = isolateDeviation(measured, options);
  return answerOf(found.combinations, [], found.leavesDropped);
}

function answerOf(
  combinations: readonly { readonly attributes: Named }[],
  alternatives: readonly { readonly attributes: Named }[],
  leavesDropped: number,
): Answer {
  const attributesOf = ({ attributes }: { readonly attributes: Named }): Named => attributes;
  return {
    combinations: combinations.map(attributesOf),
    alternatives: alternatives.map(attributesOf),
    leavesDropped,
  };
}

/** Keys once each; some values are worse than others, so that there is something to find. */
const tables = fc.uniqueArray(
  fc
    .tuple(
      fc.array(fc.constantFrom(...hostile), { minLength: 3, maxLength: 3 }),
      fc.oneof(fc.integer({ min: 0, max: 400 }), fc.constantFrom(10, 100)),
      fc.double({ min: 0, max: 0.1, noNaN: true }),
    )
    .map(([key, count, rate]): Leaf => {
      const worse = key[0] === "x" || (key[1] === "__proto__" && key[2] === "y") ? 0.6 : 0;
      return { key, count, bad: Math.floor(count * (rate + worse)), expected: count * 0.02 };
    }),
  { minLength: 1, maxLength: 80, selector: ({ key }) => key.join("\n") },
);

describe.each(Object.keys(isolations))("%s", (name) => {
  const check = isolations[name] as (typeof isolations)[string];

  test("the order of leaves does not matter, nor when some are left out", () => {
    fc.assert(
      fc.property(
        tables,
        fc.infiniteStream(fc.nat()),
        fc.constantFrom(20, 1_000),
        (leaves, random, max) => {
          const order = leaves.map((leaf) => ({ leaf, at: random.next().value as number }));
          const shuffled = order.sort((a, b) => a.at - b.at).map(({ leaf }) => leaf);
          expect(check(shuffled, dimensions, max)).toEqual(check(leaves, dimensions, max));
        },
      ),
      { seed: 1, numRuns: 150 },
    );
  });

  test("a second name of a dimension is never named beside it, nor instead of it", () => {
    fc.assert(
      fc.property(tables, (leaves) => {
        const twins = leaves.map((leaf) => ({
          ...leaf,
          key: [...leaf.key, `twin ${leaf.key[0]}`],
        }));
        const { combinations } = check(twins, [...dimensions, "twin"], 1_000);
        for (const attributes of combinations) {
          const named = attributes.map(({ dimension }) => dimension);
          expect(named.includes("a") && named.includes("twin")).toBe(false);
          expect(new Set(named).size).toBe(named.length);
        }
      }),
      { seed: 2, numRuns: 150 },
    );
  });

  test("absent and folded values are never named, any other is itself", () => {
    fc.assert(
      fc.property(tables, (leaves) => {
        const { combinations, alternatives } = check(leaves, dimensions, 1_000);
        for (const { dimension, value } of [...combinations, ...alternatives].flat()) {
          expect(["", "(other)"]).not.toContain(value);
          const at = dimensions.indexOf(dimension);
          expect(leaves.some(({ key }) => key[at] === value)).toBe(true);
        }
      }),
      { seed: 3, numRuns: 150 },
    );
  });

  test("leaves left out are counted", () => {
    fc.assert(
      fc.property(tables, (leaves) => {
        const telling = leaves.filter(({ count }) => count > 0);
        const { leavesDropped } = check(telling, dimensions, 5);
        expect(leavesDropped).toBe(Math.max(0, telling.length - 5));
      }),
      { seed: 4, numRuns: 50 },
    );
  });
});

test("of equally heavy leaves the same are read in any order, and of every value some", () => {
  const keys = Array.from({ length: 1_000 }, (_, at) => [`v${at % 10}`, `w${at}`]);
  const leaves = keys.map((key) => ({ key }));
  const kept = keepHeaviest(leaves, () => 1, 200);
  const again = keepHeaviest(leaves.toReversed(), () => 1, 200);
  const texts = (of: typeof leaves): string[] => of.map(({ key }) => key.join()).sort();
  expect(texts([...kept])).toEqual(texts([...again]));
  for (let value = 0; value < 10; value++) {
    const share = kept.filter(({ key }) => key[0] === `v${value}`).length / 200;
    expect(share).toBeGreaterThan(0.04);
    expect(share).toBeLessThan(0.2);
  }
});
