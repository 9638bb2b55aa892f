import { describe, expect, test } from "vitest";
import { createPrng, type Prng } from "../../base/prng.ts";
import { drawTraffic } from "../../bench/eval/isolation/draw-traffic.ts";
import {
  type DeviationOptions,
  defaultDeviationOptions,
  isolateDeviation,
  type MeasuredLeaf,
} from "../../detectors/isolate-deviation.ts";

const dimensions = ["a", "b", "c"];

function check(leaves: readonly MeasuredLeaf[], measure: DeviationOptions["measure"]) {
  const isolation = isolateDeviation(leaves, defaultDeviationOptions(dimensions, measure));
  const named = isolation.combinations.map(({ attributes }) =>
    attributes.map(({ dimension, value }) => `${dimension}=${value}`).join(" "),
  );
  return { ...isolation, named: named.sort() };
}

/** Every key of 5 x 6 x `wide` values; `change` says what becomes of its forecast. */
function table(
  forecast: number,
  change: (key: readonly string[], forecast: number) => number,
  wide = 6,
): MeasuredLeaf[] {
  const values = (size: number): string[] => Array.from({ length: size }, (_, at) => `v${at}`);
  return values(5).flatMap((a) =>
    values(6).flatMap((b) =>
      values(wide).map((c) => ({ key: [a, b, c], actual: change([a, b, c], forecast), forecast })),
    ),
  );
}

function noisy(prng: Prng, scatter: number): number {
  return 1 + scatter * (prng.next() + prng.next() + prng.next() - 1.5) * 2;
}

function poisson(prng: Prng, mean: number): number {
  let [count, product] = [-1, 1];
  do {
    count += 1;
    product *= 1 - prng.next();
  } while (product > Math.exp(-mean));
  return count;
}

describe("a measure against its forecast", () => {
  test.each([
    { name: "one value", lost: ["a=v1"] },
    { name: "a combination", lost: ["a=v1 b=v2"] },
    { name: "one up, one down", lost: ["a=v1", "b=v2 c=v3"] },
  ])("$name", ({ lost }) => {
    const prng = createPrng(1);
    const leaves = table(100, (key, forecast) => {
      const texts = key.map((value, at) => `${dimensions[at]}=${value}`);
      const at = lost.findIndex((one) => one.split(" ").every((part) => texts.includes(part)));
      return forecast * noisy(prng, 0.1) * (at < 0 ? 1 : at === 0 ? 0.4 : 0.35);
    });
    expect(check(leaves, "values").named).toEqual(lost);
  });

  test("two of five values, so that a median would be misled", () => {
    for (let seed = 1; seed <= 5; seed++) {
      const prng = createPrng(seed);
      const moved = (a: string | undefined): number => (a === "v1" || a === "v3" ? 0.45 : 1);
      const leaves = table(100, ([a], forecast) => forecast * noisy(prng, 0.25) * moved(a), 30);
      expect(check(leaves, "values").named).toEqual(["a=v1", "a=v3"]);
    }
  });

  test.each(["values", "counts"] as const)(
    "%s: less than keys scatter is no departure, however many keys agree on it",
    (measure) => {
      const prng = createPrng(6);
      const moved = (a: string | undefined): number => (a === "v1" ? 0.92 : 1);
      const leaves = table(1_000, ([a], forecast) => forecast * noisy(prng, 0.2) * moved(a), 60);
      expect(check(leaves, measure).named).toEqual([]);
    },
  );

  test("nothing moved, or all alike: none", () => {
    const prng = createPrng(2);
    for (const share of [1, 0.5]) {
      const leaves = table(100, (_, forecast) => forecast * share * noisy(prng, 0.1));
      expect(check(leaves, "values").named).toEqual([]);
    }
  });
});

describe("counts against their forecast", () => {
  test.each([1, 2, 3])("small ones: what lost its requests is named (seed %i)", (seed) => {
    const prng = createPrng(seed);
    const leaves = table(2, ([a], forecast) => poisson(prng, a === "v1" ? 0.2 : forecast));
    const { named, combinations } = check(leaves, "counts");
    expect(named).toEqual(["a=v1"]);
    const [found] = combinations;
    expect(found?.effect).toBeLessThan(0.3);
    expect(found?.explained).toBeGreaterThan(0.6);
    expect(found?.pValue).toBeLessThan(Math.exp(-10));
    expect(found).toMatchObject({ leaves: 36, forecast: 72 });
  });

  test.each([
    { name: "small, by chance", forecast: 2, share: 1 },
    { name: "large, by chance", forecast: 400, share: 1 },
    { name: "all lost alike", forecast: 20, share: 0.3 },
    { name: "all gone", forecast: 20, share: 0 },
  ])("$name: none", ({ forecast, share }) => {
    for (let seed = 1; seed <= 10; seed++) {
      const prng = createPrng(seed);
      const leaves = table(forecast, (_, mean) => poisson(prng, mean * share));
      expect(check(leaves, "counts").named).toEqual([]);
    }
  });

  test("keys of all sizes lost most of theirs, each somewhat more or less: none", () => {
    for (let seed = 1; seed <= 20; seed++) {
      const drawn = drawTraffic({ leaves: 200, happened: "outside" }, 2_000_200 + seed);
      const options = defaultDeviationOptions(drawn.dimensions, "counts");
      expect(isolateDeviation(drawn.leaves, options).combinations).toEqual([]);
    }
  });

  test("one large key that strays as keys do is no finding", () => {
    const prng = createPrng(4);
    const leaves = table(30, (_, forecast) => poisson(prng, forecast * noisy(prng, 0.25)));
    leaves.push({ key: ["v9", "v9", "v9"], actual: 75_000, forecast: 100_000 });
    expect(check(leaves, "counts").named).toEqual([]);
  });
});

test("too many leaves: the heaviest are read, the rest counted", () => {
  const leaves = table(10, () => 10).map((leaf, at) => ({ ...leaf, forecast: 10 + at }));
  const options = { ...defaultDeviationOptions(dimensions, "values"), leavesMax: 100 };
  expect(isolateDeviation(leaves, options).leavesDropped).toBe(80);
});
