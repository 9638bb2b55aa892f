import { describe, expect, test } from "vitest";
import { blastRadius } from "../../dependency-graph/blast-radius.ts";
import { farSideType } from "../../dependency-graph/far-side.ts";
import {
  createServiceGraph,
  defaultServiceGraphLimits,
  edgesOf,
  type GraphObservation,
  learnServiceGraph,
  nodesOf,
  type ServiceGraphLimits,
} from "../../dependency-graph/service-graph.ts";

interface Learnt {
  readonly atMs?: number;
  readonly services?: readonly string[];
  /** "caller peer kind" -> count; "caller peer kind callee" -> count answered. */
  readonly calls?: Readonly<Record<string, number>>;
}

function observation({ services = [], calls = {} }: Learnt): GraphObservation {
  const rows = Object.entries(calls).map(([text, count]) => {
    const [caller = "", peer = "", kind = "client", callee] = text.split(" ");
    return { caller, peer: peer === "-" ? "" : peer, kind: kind as "client", count, callee };
  });
  return {
    services,
    calls: rows.filter(({ callee }) => callee === undefined),
    answered: rows.flatMap((row) =>
      row.callee === undefined ? [] : [{ ...row, callee: row.callee }],
    ),
  };
}

/** Nodes as `id`, `(id)` if virtual, `=alias`; edges as `a > b count/answered`. */
function check(
  windows: readonly Learnt[],
  limits: Partial<ServiceGraphLimits> = {},
): { nodes: string[]; edges: string[]; evicted: number } {
  const graph = createServiceGraph({ ...defaultServiceGraphLimits, ...limits });
  for (const window of windows) learnServiceGraph(graph, observation(window), window.atMs ?? 0);
  return {
    nodes: nodesOf(graph).map(({ id, virtual, aliases }) =>
      [virtual ? `(${id})` : id, ...aliases].join(" ="),
    ),
    edges: edgesOf(graph).map(
      ({ caller, callee, count, answered }) => `${caller} > ${callee} ${count}/${answered}`,
    ),
    evicted: graph.evicted,
  };
}

describe("service graph", () => {
  test.each<{ name: string; windows: Learnt[]; nodes: string[]; edges: string[] }>([
    {
      name: "an address is the service that answers",
      windows: [{ calls: { "a 127.0.0.1:5003 client": 9, "a 127.0.0.1:5003 client b": 3 } }],
      nodes: ["a", "b =127.0.0.1:5003"],
      edges: ["a > b 9/3"],
    },
    {
      name: "unanswered: a virtual node, renamed once learnt",
      windows: [{ calls: { "a host:1 client": 5 } }, { calls: { "a host:1 client b": 1 } }],
      nodes: ["a", "b =host:1"],
      edges: ["a > b 5/1"],
    },
    {
      name: "unanswered still",
      windows: [{ calls: { "a host:1 client": 5 } }],
      nodes: ["a", "(host:1)"],
      edges: ["a > host:1 5/0"],
    },
    {
      name: "a peer named like a service is that service",
      windows: [{ services: ["b"], calls: { "a b client": 5 } }],
      nodes: ["a", "b"],
      edges: ["a > b 5/0"],
    },
    {
      name: "what other callers learnt holds, on a loopback address it does not",
      windows: [
        {
          calls: {
            "a host:1 client b": 4,
            "c host:1 client": 2,
            "a localhost:1 client b": 4,
            "c localhost:1 client": 2,
          },
        },
      ],
      nodes: ["a", "b =host:1 =localhost:1", "c", "(localhost:1)"],
      edges: ["a > b 0/8", "c > b 2/0", "c > localhost:1 2/0"],
    },
    {
      name: "of two that answered the one that did more",
      windows: [
        { calls: { "a host:1 client b": 4, "a host:1 client c": 7, "a host:1 client": 11 } },
      ],
      nodes: ["a", "b", "c =host:1"],
      edges: ["a > c 11/11"],
    },
    {
      name: "an address that changes hands",
      windows: [
        { calls: { "a host:1 client b": 500_000 } },
        ...Array.from({ length: 60 }, () => ({ calls: { "a host:1 client c": 500 } })),
      ],
      nodes: ["a", "b", "c =host:1"],
      edges: ["a > c 0/530000"],
    },
    {
      name: "a queue stays between producer and consumer, whoever answered",
      windows: [
        {
          calls: {
            "a kafka:orders producer": 5,
            "a kafka:orders producer b": 2,
            "b kafka:orders consumer": 5,
          },
        },
      ],
      nodes: ["a", "b", "(kafka:orders)"],
      edges: ["a > kafka:orders 5/2", "kafka:orders > b 5/0"],
    },
    {
      name: "a far side without a name is not dropped",
      windows: [{ calls: { "a - client": 5 } }],
      nodes: ["a", "(unknown)"],
      edges: ["a > unknown 5/0"],
    },
    {
      name: "idle for 15 minutes: gone; seen since: kept",
      windows: [
        { calls: { "a host:1 client b": 5, "a host:2 client c": 1 } },
        { atMs: 600_000, calls: { "a host:1 client b": 5 } },
        { atMs: 1_000_000 },
      ],
      nodes: ["a", "b =host:1"],
      edges: ["a > b 0/10"],
    },
    {
      name: "a service that fell silent while it is called keeps its name",
      windows: [
        { calls: { "a host:1 client b": 5 } },
        { atMs: 600_000, calls: { "a host:1 client": 5 } },
        { atMs: 1_000_000, calls: { "a host:1 client": 5 } },
      ],
      nodes: ["a", "(b) =host:1"],
      edges: ["a > b 10/5"],
    },
  ])("$name", ({ windows, nodes, edges }) => {
    expect(check(windows)).toMatchObject({ nodes, edges });
  });

  test("bounds hold, and what goes is counted", () => {
    const calls = Object.fromEntries(
      Array.from({ length: 50 }, (_, index) => [`s${index} host:${index} client`, 1]),
    );
    const { edges, evicted } = check([{ calls }], { nodesMax: 10, edgesMax: 20 });
    expect(edges).toHaveLength(20);
    expect(evicted).toBe(40 + 30);
  });

  test.each([
    { peer: "postgresql:shop@db:5432", kind: "client", type: "database" },
    { peer: "redis", kind: "client", type: "database" },
    { peer: "kafka:orders", kind: "client", type: "messaging_system" },
    { peer: "orders", kind: "consumer", type: "messaging_system" },
    { peer: "10.0.0.1:5432", kind: "client", type: "" },
    { peer: "payment", kind: "client", type: "" },
  ])("$peer seen by a $kind is of type '$type'", ({ peer, kind, type }) => {
    expect(farSideType(peer, kind)).toBe(type);
  });
});

describe("blast radius", () => {
  const edges = ["web>api", "api>order", "job>order", "order>db", "db>order", "api>mail"].map(
    (text) => {
      const [caller = "", callee = ""] = text.split(">");
      return { caller, callee };
    },
  );
  test.each([
    { id: "db", dependants: ["order", "api", "job", "web"], entries: ["job", "web"] },
    { id: "mail", dependants: ["api", "web"], entries: ["web"] },
    { id: "web", dependants: [], entries: ["web"] },
    { id: "elsewhere", dependants: [], entries: ["elsewhere"] },
  ])("of $id", ({ id, dependants, entries }) => {
    const radius = blastRadius(edges, id);
    expect(radius.dependants).toEqual(dependants);
    expect([...radius.entries].sort()).toEqual(entries);
  });
});
