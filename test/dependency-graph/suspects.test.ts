import { describe, expect, test } from "vitest";
import type { Shift, SuspectEdge, SuspectGraph } from "../../dependency-graph/shifts.ts";
import { rankSuspects, type Suspect } from "../../dependency-graph/suspects.ts";

function lost(cost: number, score = 10): Shift {
  return { kind: "self_time", name: "GET /", score, before: 5, during: 50, unit: "ms", cost };
}

function gap(cost: number, score = 10): Shift {
  return { kind: "gap", name: "", score, before: 3, during: 300, unit: "ms", cost };
}

function calls(before: number, during: number, score: number): Shift {
  return { kind: "missing_calls", name: "call", score, before, during, unit: "calls" };
}

function busy(score: number): Shift {
  return { kind: "resource", name: "cpu", score, before: 1, during: 90, unit: "%" };
}

function edge(caller: string, callee: string, ...shifts: Shift[]): SuspectEdge {
  return { caller, callee, shifts, callsPerRequest: 1 };
}

function called(edges: SuspectEdge, callsPerRequest: number): SuspectEdge {
  return { ...edges, callsPerRequest };
}

/** Nodes are those of the edges; `moved` is what moved at some. */
function check(
  edges: readonly SuspectEdge[],
  moved: Readonly<Record<string, readonly Shift[]>> = {},
): readonly Suspect[] {
  const ids = new Set([
    ...edges.flatMap(({ caller, callee }) => [caller, callee]),
    ...Object.keys(moved),
  ]);
  const nodes = [...ids].map((id) => ({ id, shifts: moved[id] ?? [] }));
  const graph: SuspectGraph = { nodes, edges };
  return rankSuspects(graph);
}

function names(suspects: readonly Suspect[]): string[] {
  return suspects.map(({ id }) => id);
}

describe("time lost", () => {
  test("counts more than certainty: seconds, not deviations, make the first", () => {
    const found = check([edge("shop", "stock")], { shop: [lost(100, 20)], stock: [lost(1, 60)] });
    expect(names(found)).toEqual(["shop", "stock"]);
    expect(found[0]?.verdict).toBe("confirmed");
  });

  test("twice as sure is not worth a quarter of the time", () => {
    const found = check([edge("shop", "cart")], { cart: [lost(3, 20)], shop: [lost(4, 10)] });
    expect(names(found)).toEqual(["shop", "cart"]);
  });

  test("all gaps into a node are the node's, not its callers'", () => {
    const found = check([
      edge("shop", "cart", gap(50)),
      edge("checkout", "cart", gap(5)),
      edge("shop", "ads"),
      edge("checkout", "mail"),
    ]);
    expect(names(found)[0]).toBe("cart");
  });

  test("all gaps around a node are the node's, not its callees'", () => {
    const found = check([
      edge("shop", "cart", gap(50)),
      edge("shop", "ads", gap(40)),
      edge("shop", "stock", gap(90)),
      edge("checkout", "stock"),
      edge("checkout", "cart"),
    ]);
    expect(names(found)[0]).toBe("shop");
  });

  test("one gap among edges that did not move is the edge's", () => {
    const found = check([
      edge("shop", "cart", gap(50)),
      edge("shop", "ads"),
      edge("checkout", "cart"),
    ]);
    expect(found[0]).toMatchObject({ id: "shop → cart", kind: "edge" });
  });

  test("edges of too few calls do not acquit a node", () => {
    const unknown = { ...edge("checkout", "cart"), gapKnown: false };
    const found = check([edge("shop", "cart", gap(50)), edge("shop", "ads"), unknown]);
    expect(names(found)[0]).toBe("cart");
    expect(found[0]?.score).toBeGreaterThan(1.2 * (found[1]?.score ?? 0));
    expect(names(found)).not.toContain("shop → cart");
  });

  test("what the graph cannot tell apart is a tie", () => {
    const found = check([edge("auth", "codes", gap(50))]);
    expect(found.map(({ score }) => score)).toEqual([found[0]?.score, found[0]?.score]);
    expect(found.map(({ verdict }) => verdict)).toEqual(["inconclusive", "inconclusive"]);
  });

  test("the caller of a slow network is told by its other callers' good calls", () => {
    const found = check([edge("gate", "auth"), edge("auth", "codes", gap(50))]);
    expect(names(found)[0]).toBe("codes");
  });
});

describe("calls broken off", () => {
  test("one caller alone is named before what it still calls", () => {
    const found = check([
      called(edge("shop", "stock"), 1),
      called(edge("shop", "ship", calls(1, 0, -9)), 0),
    ]);
    expect(names(found)).toEqual(["shop", "stock"]);
  });

  test("two callers that break off are explained by what both still call", () => {
    const found = check([
      called(edge("shop", "stock"), 1),
      called(edge("shop", "ads", calls(1, 0, -20)), 0),
      called(edge("checkout", "stock"), 1),
      called(edge("checkout", "ship", calls(1, 0, -9)), 0),
    ]);
    expect(names(found)[0]).toBe("stock");
    expect(found[0]?.evidence).toContain("stock: is what shop still calls of what it used to call");
  });

  test("a callee that is called no longer broke nothing off", () => {
    const gone = (caller: string) => called(edge(caller, "ads", calls(1, 0, -20)), 0);
    const found = check([gone("shop"), gone("checkout")]);
    expect(names(found)).not.toContain("ads");
  });

  test("an operation inside that happens no longer is the node's own", () => {
    const found = check([edge("shop", "ads")], { ads: [calls(0.2, 0, -9)] });
    expect(names(found)).toEqual(["ads"]);
  });
});

describe("resources", () => {
  test("speak for a suspect that lost time", () => {
    const found = check([edge("shop", "cart"), edge("shop", "ads")], {
      cart: [lost(3), busy(40)],
      ads: [lost(4)],
    });
    expect(names(found)[0]).toBe("cart");
  });

  test("are only a hint where nothing else moved", () => {
    const hint = check([], { cart: [busy(40)] });
    expect(hint.map(({ id, verdict }) => [id, verdict])).toEqual([["cart", "likely"]]);
    const beside = check([edge("shop", "ads")], { ads: [lost(4, 12)], news: [busy(20)] });
    expect(names(beside)).toEqual(["ads", "news"]);
  });
});
