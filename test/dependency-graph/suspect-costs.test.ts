import { describe, expect, test } from "vitest";
import type { Shift } from "../../dependency-graph/shifts.ts";
import { rankSuspects, type Suspect } from "../../dependency-graph/suspects.ts";

type Moved = readonly [score: number, cost?: number];

function slower([score, cost]: Moved): Shift {
  const shift = { kind: "latency", name: "", before: 1, during: 2, unit: "s" } as const;
  return { ...shift, score, ...(cost === undefined ? {} : { cost }) };
}

/** Suspects of `shop`, which calls a few, of which `search` calls `store`. */
function check(moved: Readonly<Record<string, Moved>>, entry?: string): readonly Suspect[] {
  const calls: readonly (readonly [string, string])[] = [
    ["shop", "search"],
    ["shop", "gateway"],
    ["shop", "mail"],
    ["search", "store"],
    ["batch", "shop"],
  ];
  return rankSuspects({
    nodes: Object.entries(moved).map(([id, shift]) => ({ id, shifts: [slower(shift)] })),
    edges: calls.map(([caller, callee]) => ({ caller, callee, shifts: [] })),
    ...(entry === undefined ? {} : { entry }),
  });
}

function firstOf(moved: Readonly<Record<string, Moved>>, entry?: string): string | undefined {
  return check(moved, entry)[0]?.id;
}

describe("a callee explains its caller as far as its cost goes", () => {
  test.each<[string, Readonly<Record<string, Moved>>, string]>([
    ["all of it", { shop: [5, 20], search: [5, 19] }, "search"],
    ["too little of it, however sure", { shop: [5, 20], search: [7, 2] }, "shop"],
    ["several together", { shop: [5, 20], search: [4, 6], mail: [4.1, 7] }, "mail"],
    ["down to the deepest", { shop: [5, 20], search: [5, 19], store: [4, 18] }, "store"],
    ["not by getting faster", { shop: [5, 20], search: [-6, -30] }, "shop"],
    ["by how far it moved, where no cost is known", { shop: [6], search: [5] }, "search"],
  ])("%s", (_, moved, cause) => {
    expect(firstOf(moved, "shop")).toBe(cause);
  });
});

describe("what is felt at the entry", () => {
  test("of two that moved, the one that costs what is felt, not the surer", () => {
    expect(firstOf({ shop: [4, 12], search: [4.7, 16], gateway: [5.2, 8] }, "shop")).toBe("search");
  });

  test("what would not be felt at a noisy entry is no answer", () => {
    expect(check({ shop: [1, 5], mail: [4, 1] }, "shop")).toEqual([]);
    expect(firstOf({ shop: [1, 5], mail: [4, 11] }, "shop")).toBe("mail");
  });

  test("callers of the entry are not suspected", () => {
    expect(firstOf({ batch: [9, 90], shop: [4, 12] }, "shop")).toBe("shop");
    expect(check({ batch: [9, 90] }, "shop")).toEqual([]);
  });
});

describe("chance", () => {
  /** Whether `count` quiet callees of an entry hide one that moved a little. */
  function silent(count: number, felt: number): boolean {
    const quiet = Array.from({ length: count }, (_, at): [string, Moved] => [`part ${at}`, [0.5]]);
    const moved: [string, Moved][] = [...quiet, ["search", [3.2]], ["shop", [felt]]];
    const nodes = moved.map(([id, shift]) => ({ id, shifts: [slower(shift)] }));
    const edges = nodes.map(({ id }) => ({ caller: "shop", callee: id, shifts: [] }));
    return rankSuspects({ nodes, edges, entry: "shop" }).length === 0;
  }

  test("the more is looked at, the farther one must lie off", () => {
    expect(silent(2, 0.1)).toBe(false);
    expect(silent(100, 0.1)).toBe(true);
  });

  test("what the entry shows speaks for it", () => {
    expect(silent(100, 2.8)).toBe(false);
  });
});

test("a resource that fell is no cause, however far", () => {
  const memory = (score: number): Shift => ({ ...slower([score]), kind: "resource", unit: "B" });
  const nodes = [
    { id: "restarted", shifts: [memory(-600)] },
    { id: "leaking", shifts: [memory(40)] },
  ];
  expect(rankSuspects({ nodes, edges: [] }).map(({ id }) => id)).toEqual(["leaking"]);
});
