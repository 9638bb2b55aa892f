/** One incident as the collector would tell it, for the tables of the rendering tests. */
import type {
  Combination,
  GraphEdge,
  GraphNode,
  Incident,
  IncidentDetail,
  NodeRole,
} from "../../wire/api-types.ts";

const startedAtMs = Date.parse("2024-05-01T12:04:30Z");

export const combination: Combination = {
  attributes: [
    { dimension: "service.version", value: "2.4.1" },
    { dimension: "cloud.region", value: "eu-west-1" },
    { dimension: "card.type", value: "amex" },
  ],
  count: 340,
  bad: 312,
  expected: 3.4,
  explained: 0.97,
  pValue: 1e-40,
  customers: { value: 118, low: 115.2, high: 120.7 },
};

export const incident: Incident = {
  id: "inc-7",
  status: "firing",
  page: true,
  gate: "",
  title: "payments fails for amex in eu-west-1",
  signal: "errors",
  score: 8.43,
  startedAtMs,
  asOfMs: startedAtMs + 40_000,
  resolvedAtMs: null,
  cause: {
    name: "payments",
    kind: "node",
    verdict: "confirmed",
    signal: "errors",
    reason: "312 of 340 failed spans began there",
  },
  combinations: [combination],
  impact: {
    customers: { value: 118, low: 115.2, high: 120.7 },
    entries: [{ service: "frontend", operation: "POST /checkout", count: 4021, bad: 312 }],
    count: 4021,
    bad: 312,
  },
  coverage: 1,
};

export function node(id: string, role: NodeRole, change: Partial<GraphNode> = {}): GraphNode {
  return {
    id,
    virtual: false,
    type: "",
    aliases: [],
    role,
    count: 1000,
    bad: 312,
    expected: 3.4,
    originBad: 0,
    p50Ms: 12,
    p99Ms: 240,
    customersBad: null,
    ...change,
  };
}

export function edge(caller: string, callee: string, change: Partial<GraphEdge> = {}): GraphEdge {
  return {
    caller,
    callee,
    count: 1000,
    bad: 312,
    expected: 3,
    p50Ms: 10,
    p99Ms: 230,
    gapMs: null,
    paired: 1,
    onPath: true,
    ...change,
  };
}

export const detail: IncidentDetail = {
  ...incident,
  anomalies: [],
  graph: {
    nodes: [
      node("frontend", "entry", { count: 4021 }),
      node("checkout", "quiet", { bad: 0 }),
      node("payments", "cause", { originBad: 310 }),
      node("mailer", "affected"),
      node("catalog", "healthy", { bad: 0 }),
    ],
    edges: [edge("frontend", "checkout"), edge("checkout", "payments", { gapMs: 1.5 })],
    hops: [
      {
        from: "frontend",
        to: "checkout",
        evidence: ["99 % of its bad spans call checkout"],
        verdict: "confirmed",
      },
      {
        from: "checkout",
        to: "payments",
        evidence: ["checkout passes failures on without failing itself"],
        verdict: "likely",
      },
      {
        from: "payments",
        to: "payments",
        evidence: ["310 of 312 began here"],
        verdict: "confirmed",
      },
    ],
  },
};
