import { describe, expect, test } from "vitest";
import type { CauseFinding } from "../../dependency-graph/cause-graph.ts";
import { findCauses } from "../../dependency-graph/root-cause.ts";
import { type GraphCase, graphOf } from "./cause-cases.ts";

interface Wanted {
  readonly cause: string;
  readonly verdict: CauseFinding["cause"]["verdict"];
  readonly symptoms: readonly string[];
  readonly hops?: readonly string[];
  readonly suspects?: readonly string[];
}

function check(graph: GraphCase): (Wanted & { hops: string[]; suspects: readonly string[] })[] {
  return findCauses(graphOf(graph)).map(({ cause, symptoms, hops, suspects }) => ({
    cause: cause.name,
    verdict: cause.verdict,
    symptoms,
    hops: hops.map(({ from, to }) => (from === to ? from : `${from} → ${to}`)),
    suspects,
  }));
}

const bad31 = { bad: 31 };
const fine = { bad: 0 };

describe("one cause", () => {
  test.each<{ name: string; graph: GraphCase; wanted: Wanted[] }>([
    {
      name: "nothing is bad",
      graph: { nodes: { a: {}, b: {} }, calls: { "a>b": fine } },
      wanted: [],
    },
    {
      name: "at the leaf",
      graph: {
        nodes: { api: { server: bad31 }, payment: { server: bad31, origin: bad31 } },
        calls: { "api>payment": bad31 },
      },
      wanted: [
        {
          cause: "payment",
          verdict: "confirmed",
          symptoms: ["api"],
          hops: ["api → payment", "payment"],
        },
      ],
    },
    {
      name: "at the entry, its callee is fine",
      graph: {
        nodes: { api: { server: bad31, origin: bad31 }, payment: {} },
        calls: { "api>payment": fine },
      },
      wanted: [{ cause: "api", verdict: "confirmed", symptoms: [], hops: ["api"] }],
    },
    {
      name: "a cascade over four hops, with healthy branches",
      graph: {
        nodes: {
          web: { server: bad31 },
          api: { server: bad31 },
          order: { server: bad31 },
          stock: { server: bad31 },
          ledger: { server: bad31, origin: bad31 },
          mail: {},
        },
        calls: {
          "web>api": bad31,
          "api>order": bad31,
          "api>mail": fine,
          "order>stock": bad31,
          "stock>ledger": bad31,
          "order>mail": fine,
        },
      },
      wanted: [
        {
          cause: "ledger",
          verdict: "confirmed",
          symptoms: ["api", "order", "stock", "web"],
          hops: ["web → api", "api → order", "order → stock", "stock → ledger", "ledger"],
        },
      ],
    },
    {
      name: "a slow database behind two services",
      graph: {
        signal: "slow",
        nodes: {
          web: { server: { bad: 50, count: 200 } },
          order: { server: { bad: 30, count: 100 } },
          stock: { server: { bad: 25, count: 100 } },
          "postgresql:shop": { virtual: true },
        },
        calls: {
          "web>order": { bad: 30, count: 100 },
          "web>stock": { bad: 25, count: 100 },
          "order>postgresql:shop": { bad: 33, count: 120 },
          "stock>postgresql:shop": { bad: 26, count: 100 },
        },
      },
      wanted: [
        {
          cause: "postgresql:shop",
          verdict: "confirmed",
          symptoms: ["order", "stock", "web"],
          hops: ["web → order", "order → postgresql:shop", "postgresql:shop"],
        },
      ],
    },
    {
      name: "a dependency that is down",
      graph: {
        nodes: { api: { server: bad31 }, payment: { silent: true } },
        calls: { "api>payment": bad31 },
      },
      wanted: [
        {
          cause: "payment",
          verdict: "confirmed",
          symptoms: ["api"],
          hops: ["api → payment", "payment"],
        },
      ],
    },
    {
      name: "the network between two nodes",
      graph: {
        signal: "slow",
        nodes: { api: { server: bad31 }, stock: {}, other: {} },
        calls: {
          "api>stock": {
            bad: 31,
            gap: { beforeMs: 3, duringMs: 2000, pairs: 12, significant: true },
          },
          "other>stock": fine,
        },
      },
      wanted: [
        {
          cause: "api → stock",
          verdict: "confirmed",
          symptoms: ["api"],
          hops: ["api → stock"],
        },
      ],
    },
    {
      name: "calls fail in front of a callee that answers well whatever reaches it",
      graph: {
        nodes: { a: { server: bad31 }, b: { server: bad31 }, lb: {} },
        calls: { "a>lb": bad31, "b>lb": bad31 },
      },
      wanted: [{ cause: "lb", verdict: "likely", symptoms: ["a", "b"] }],
    },
    {
      name: "one caller of a virtual node of several",
      graph: {
        nodes: { a: { server: bad31 }, b: {}, c: {}, redis: { virtual: true } },
        calls: { "a>redis": bad31, "b>redis": fine, "c>redis": fine },
      },
      wanted: [{ cause: "a → redis", verdict: "likely", symptoms: ["a"] }],
    },
    {
      name: "too few failed calls to be believed alone, to a node that is bad",
      graph: {
        nodes: { api: { server: { bad: 4 } }, other: {}, payment: { origin: bad31 } },
        calls: { "api>payment": { bad: 2, count: 6 }, "other>payment": { bad: 29 } },
      },
      wanted: [{ cause: "payment", verdict: "confirmed", symptoms: ["api"] }],
    },
    {
      name: "a failed call fails a span beside it: the callee, not the caller",
      graph: {
        nodes: {
          api: { server: bad31, origin: { bad: 28 } },
          payment: { server: bad31, origin: bad31 },
        },
        calls: { "api>payment": bad31 },
      },
      wanted: [{ cause: "payment", verdict: "confirmed", symptoms: ["api"] }],
    },
    {
      name: "a caller that absorbs the failure shows nothing",
      graph: {
        nodes: { api: {}, redis: { virtual: true } },
        calls: { "api>redis": bad31 },
      },
      wanted: [{ cause: "redis", verdict: "likely", symptoms: [], hops: ["api → redis", "redis"] }],
    },
    {
      name: "a cycle with its cause inside",
      graph: {
        nodes: {
          a: { server: bad31 },
          b: { server: bad31 },
          c: { server: bad31, origin: bad31 },
        },
        calls: { "a>b": bad31, "b>c": bad31, "c>a": bad31 },
      },
      wanted: [{ cause: "c", verdict: "confirmed", symptoms: ["a", "b"] }],
    },
  ])("$name", ({ graph, wanted }) => {
    expect(check(graph)).toMatchObject(wanted);
  });
});

const quiet: GraphCase = {
  nodes: {
    web: { server: { bad: 20, by: [0, 20], at: 1 }, everyone: [0, 200] },
    api: {
      server: { bad: 20, by: [0, 20], at: 1 },
      origin: { bad: 20, by: [0, 20], at: 1 },
      everyone: [0, 200],
    },
    cache: {},
    store: {
      server: { bad: 22, by: [0, 22], at: 0 },
      origin: { bad: 22, by: [0, 22], at: 0 },
      everyone: [0, 200],
    },
  },
  calls: { "web>api": { bad: 20, at: 1 }, "api>cache": fine, "cache>store": fine },
};

describe("through quiet nodes", () => {
  test("the cause behind a node that shows nothing", () => {
    const [found, ...rest] = findCauses(graphOf(quiet));
    expect(rest).toEqual([]);
    expect(found?.cause).toMatchObject({ name: "store", kind: "node", verdict: "likely" });
    expect(found).toMatchObject({ symptoms: ["api", "web"], entries: ["web"], quiet: ["cache"] });
    expect(found?.hops.map(({ from, to }) => [from, to])).toEqual([
      ["web", "api"],
      ["api", "cache"],
      ["cache", "store"],
      ["store", "store"],
    ]);
    expect(found?.hops[2]?.evidence.join()).toMatch(/100 % .* of the 20 customers hurt at api/);
  });

  const far = (nodes: GraphCase["nodes"], calls: GraphCase["calls"]): GraphCase => ({
    nodes: { ...quiet.nodes, ...nodes },
    calls,
  });

  test.each<{ name: string; graph: GraphCase; causes: string[] }>([
    {
      name: "no path: two faults",
      graph: far({}, { "web>api": { bad: 20, at: 1 }, "api>cache": fine }),
      causes: ["store", "api"],
    },
    {
      name: "other customers: two faults",
      graph: far(
        { store: { origin: { bad: 22, by: [100, 122] }, everyone: [0, 200] } },
        quiet.calls,
      ),
      causes: ["store", "api"],
    },
    {
      name: "the cause began later: two faults",
      graph: far({ store: { origin: { bad: 22, by: [0, 22], at: 9 } } }, quiet.calls),
      causes: ["store", "api"],
    },
    {
      name: "everyone is hurt there and counts differ: two faults",
      graph: far({ store: { origin: { bad: 200, count: 400, by: [0, 200] } } }, quiet.calls),
      causes: ["store", "api"],
    },
    {
      name: "no customers known, as many bad events: one",
      graph: far(
        {
          api: { server: { bad: 20, at: 1 }, origin: { bad: 20, at: 1 } },
          store: { origin: { bad: 22 } },
        },
        quiet.calls,
      ),
      causes: ["store"],
    },
    {
      name: "no customers known, counts far apart: two faults",
      graph: far(
        {
          api: { server: { bad: 20, at: 1 }, origin: { bad: 20, at: 1 } },
          store: { origin: { bad: 300, count: 1000 } },
        },
        quiet.calls,
      ),
      causes: ["store", "api"],
    },
    {
      name: "a silent dependency behind a quiet node",
      graph: far(
        { store: { silent: true } },
        { ...quiet.calls, "cache>store": { bad: 21, by: [0, 21] } },
      ),
      causes: ["store"],
    },
  ])("$name", ({ graph, causes }) => {
    expect(check(graph).map(({ cause }) => cause)).toEqual(causes);
  });

  test("two causes fit alike: inconclusive, with the suspects", () => {
    const twin = { origin: { bad: 22, by: [0, 22] as const } };
    const graph = far({ store: twin, index: twin }, { ...quiet.calls, "cache>index": fine });
    const found = check(graph);
    expect(found.find(({ cause }) => cause === "")).toMatchObject({
      verdict: "inconclusive",
      symptoms: ["api", "web"],
      suspects: ["api", "index", "store"],
    });
    expect(found.map(({ cause }) => cause).sort()).toEqual(["", "index", "store"]);
  });
});

describe("several and none", () => {
  test.each<{ name: string; graph: GraphCase; wanted: Wanted[] }>([
    {
      name: "two faults on two branches",
      graph: {
        nodes: {
          web: { server: { bad: 45, count: 100 } },
          order: { server: bad31, origin: bad31 },
          search: { server: { bad: 15 }, origin: { bad: 15 } },
        },
        calls: { "web>order": bad31, "web>search": { bad: 15 } },
      },
      wanted: [
        { cause: "order", verdict: "confirmed", symptoms: ["web"] },
        { cause: "search", verdict: "confirmed", symptoms: [] },
      ],
    },
    {
      name: "two entries that share nothing",
      graph: {
        nodes: { a: { origin: bad31 }, b: { origin: { bad: 20 } } },
        calls: {},
      },
      wanted: [
        { cause: "a", verdict: "confirmed", symptoms: [] },
        { cause: "b", verdict: "confirmed", symptoms: [] },
      ],
    },
    {
      name: "a caller bad far beyond its calls has a fault of its own",
      graph: {
        nodes: { a: { server: bad31, origin: { bad: 22 } }, b: { origin: { bad: 9 } } },
        calls: { "a>b": { bad: 9 } },
      },
      wanted: [
        { cause: "a", verdict: "confirmed", symptoms: [] },
        { cause: "b", verdict: "confirmed", symptoms: [] },
      ],
    },
    {
      name: "bad, but nothing says why",
      graph: { nodes: { a: { server: bad31 }, b: {} }, calls: { "a>b": fine } },
      wanted: [{ cause: "", verdict: "inconclusive", symptoms: ["a"], suspects: ["a"] }],
    },
    {
      name: "a cycle in which all is bad alike",
      graph: {
        nodes: {
          a: { server: bad31, origin: { bad: 9 } },
          b: { server: bad31, origin: { bad: 9 } },
        },
        calls: { "a>b": bad31, "b>a": bad31 },
      },
      wanted: [{ cause: "", verdict: "inconclusive", symptoms: ["a", "b"], suspects: ["a", "b"] }],
    },
  ])("$name", ({ graph, wanted }) => {
    expect(check(graph)).toMatchObject(wanted);
  });

  test("every sentence carries its counts", () => {
    const [found] = findCauses(
      graphOf({
        nodes: { api: { server: bad31 }, payment: { silent: true } },
        calls: { "api>payment": bad31 },
      }),
    );
    expect(found?.cause.reason).toBe(
      "31 of 40 calls to payment from api failed, 0.4 expected; payment reported requests before and reports none now",
    );
    expect(found?.hops[0]?.evidence[0]).toBe("31 of 40 calls api → payment failed, 0.4 expected");
  });
});
