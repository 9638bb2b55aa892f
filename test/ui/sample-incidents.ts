/** Incidents as a collector would tell them, with the numbers a test cares about. */
import type {
  GraphEdge,
  GraphNode,
  Incident,
  IncidentDetail,
  NodeRole,
} from "../../wire/api-types.ts";

const startedAtMs = Date.parse("2027-01-15T08:00:00Z");

interface IncidentFacts {
  readonly customers?: number | null;
  readonly bad?: number;
  readonly cause?: string;
  readonly title?: string;
  readonly page?: boolean;
  readonly gate?: string;
  /** Stands wherever telemetry decides what is shown. */
  readonly text?: string;
}

export function incidentOf(id: string, facts: IncidentFacts): Incident {
  const { detail } = { detail: detailOf(id, facts) };
  const { graph: _, anomalies: __, ...incident } = detail;
  return incident;
}

export function detailOf(id: string, facts: IncidentFacts): IncidentDetail {
  const { customers = 12, bad = 300, cause = "payments", page = true, gate = "", text } = facts;
  const estimate =
    customers === null ? null : { value: customers, low: customers * 0.98, high: customers * 1.02 };
  const title = facts.title ?? `${customers} customers: ${cause} fails`;
  return {
    id,
    status: "firing",
    page,
    gate,
    title: text ?? title,
    signal: "errors",
    score: 8.4,
    startedAtMs,
    asOfMs: startedAtMs + 30_000,
    resolvedAtMs: null,
    cause: {
      name: cause,
      kind: "node",
      verdict: "confirmed",
      signal: "errors",
      reason: text ?? `${bad} failed spans began at ${cause}`,
    },
    combinations: [
      {
        attributes: [
          { dimension: "service.version", value: text ?? "2.4.1" },
          { dimension: "cloud.region", value: "eu-west-1" },
          { dimension: "card.type", value: "amex" },
        ],
        count: 340,
        bad,
        expected: 3.4,
        explained: 0.97,
        pValue: 1e-40,
        customers: estimate,
      },
    ],
    impact: {
      customers: estimate,
      entries: [{ service: "storefront", operation: text ?? "POST /checkout", count: 4_021, bad }],
      count: 4_021,
      bad,
    },
    coverage: 1,
    graph: graphOf(cause, text),
    anomalies: [anomalyOf(text ?? "POST /charge", bad)],
  };
}

function anomalyOf(operation: string, bad: number) {
  const counts = { count: 340, bad, expected: 3.4, pValue: 1e-40, qValue: 1e-38, score: 8.4 };
  const key = { service: "payments", operation, kind: "server", peer: "" };
  const sentence = `payments ${operation}: ${bad} of 340 failed, 3.4 expected (p 1e-40)`;
  return { windowStartMs: startedAtMs, signal: "errors", ...key, ...counts, sentence } as const;
}

function graphOf(cause: string, text: string | undefined): IncidentDetail["graph"] {
  const catalog = text === undefined ? "catalog" : `catalog ${text}`;
  const evidence = (sentence: string): string[] => [
    sentence,
    ...(text === undefined ? [] : [text]),
  ];
  return {
    nodes: [
      node("storefront", "entry", {
        count: 4_021,
        customersBad: { value: 118, low: 115, high: 121 },
      }),
      node("checkout", "quiet", { bad: 0 }),
      node(cause, "cause", { originBad: 310, aliases: ["10.0.0.7:8443"] }),
      node("cart", "affected", { bad: 40 }),
      node(catalog, "healthy", { bad: 0 }),
      node("postgresql:orders@db.internal:5432", "healthy", {
        bad: 0,
        virtual: true,
        type: "database",
      }),
      node("orders-queue", "healthy", { bad: 0, virtual: true, type: "messaging_system" }),
    ],
    edges: [
      edge("storefront", "checkout", { onPath: true }),
      edge("checkout", cause, { onPath: true, gapMs: 1.5 }),
      edge("storefront", "cart", { bad: 40, gapMs: 0.8 }),
      edge("cart", catalog, { bad: 0, gapMs: 0.4 }),
      edge("checkout", "orders-queue", { bad: 0 }),
      edge("checkout", "postgresql:orders@db.internal:5432", { bad: 0, count: 1_284_000 }),
      edge("cart", "postgresql:orders@db.internal:5432", { bad: 0 }),
    ],
    hops: [
      {
        from: "storefront",
        to: "checkout",
        evidence: evidence("99 % of the failed requests call checkout, 8 % of the others do"),
        verdict: "confirmed",
      },
      {
        from: "checkout",
        to: cause,
        evidence: evidence("checkout passes failures on without failing by itself"),
        verdict: "likely",
      },
      { from: cause, to: cause, evidence: ["310 of 312 began here"], verdict: "confirmed" },
    ],
  };
}

function node(id: string, role: NodeRole, change: Partial<GraphNode>): GraphNode {
  return {
    id,
    virtual: false,
    type: "",
    aliases: [],
    role,
    count: 3_400,
    bad: 312,
    expected: 3.4,
    originBad: 0,
    p50Ms: 12,
    p99Ms: 240,
    customersBad: null,
    ...change,
  };
}

function edge(caller: string, callee: string, change: Partial<GraphEdge>): GraphEdge {
  return {
    caller,
    callee,
    count: 3_400,
    bad: 312,
    expected: 3,
    p50Ms: 10,
    p99Ms: 230,
    gapMs: null,
    paired: 1,
    onPath: false,
    ...change,
  };
}
