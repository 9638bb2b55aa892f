import { describe, expect, test } from "vitest";
import { createPrng } from "../../base/prng.ts";
import {
  drawFault,
  type Fault,
  type FaultKind,
  faultKinds,
} from "../../bench/eval/cause/generated-faults.ts";
import { runFault } from "../../bench/eval/cause/generated-run.ts";
import { drawWorld } from "../../bench/eval/cause/generated-world.ts";
import { strictRank } from "../../bench/eval/cause/rank-score.ts";
import type { IncidentDetail } from "../../wire/api-types.ts";

interface Told {
  readonly fault: Fault;
  readonly incidents: readonly IncidentDetail[];
  readonly hurt: number;
}

/** Ten services, seeds that give the kind a place to strike. */
function check(seed: number, kind: FaultKind): Told {
  const prng = createPrng(seed);
  const world = drawWorld(prng, 10);
  const fault = drawFault(prng, world, kind);
  if (fault === undefined) throw new Error(`seed ${seed} has no place for ${kind}`);
  const { incidents, hurt } = runFault(prng, world, { fault, requests: 150 });
  return { fault, incidents, hurt: hurt.size };
}

describe("made-up systems, from spans to incidents", () => {
  test.each<[FaultKind, number]>([
    ["errors", 1_009_084],
    ["down", 1_001_012],
    ["store", 1_006_057],
    ["cut", 1_011_102],
    ["delay", 1_007_066],
    ["slow", 1_005_048],
    ["hidden", 1_003_030],
  ])("%s, seed %d: one incident, its cause and its customers", (kind, seed) => {
    const { fault, incidents, hurt } = check(seed, kind);
    expect(incidents).toHaveLength(1);
    expect(fault.answers).toContain(incidents[0]?.cause.name);
    const told = incidents[0]?.impact.customers?.value ?? 0;
    expect(Math.abs(told - hurt)).toBeLessThanOrEqual(Math.max(1, 0.03 * hurt));
  });

  test.each([1_008_075, 1_017_156])(
    "of two that always fail together, seed %d, neither is blamed for what customers meet",
    (seed) => {
      const { incidents } = check(seed, "twins");
      const met = incidents.filter(({ impact }) =>
        impact.entries.some(({ service }) => service === "service-0"),
      );
      expect(met.map(({ cause }) => cause.kind)).toEqual(["none"]);
    },
  );

  test("customers who no longer come are nobody's fault inside", () => {
    const { incidents } = check(1_013_120, "outside");
    expect(incidents.filter(({ cause }) => cause.kind !== "none")).toEqual([]);
  });
});

test("every kind of fault finds a place in some world of a hundred services", () => {
  for (const kind of faultKinds) {
    const prng = createPrng(5);
    expect(drawFault(prng, drawWorld(prng, 100), kind), kind).toBeDefined();
  }
});

test("a tie has the last of its ranks", () => {
  const scores: readonly (readonly [string, number])[] = [
    ["a", 3],
    ["b", 2],
    ["c", 2],
    ["d", 1],
  ];
  const list = scores.map(([id, score]) => ({ id, score }));
  const ranks = ["a", "b", "c", "d", "e"].map((id) => strictRank(list, id));
  expect(ranks).toEqual([1, 3, 3, 4, Number.POSITIVE_INFINITY]);
});
