/** Incidents for tests of what is made of them. */
import type { Incident, IncidentDetail } from "../../wire/api-types.ts";

export const startMs = 1_800_000_000_000;

export interface IncidentSpec {
  readonly id?: string;
  readonly status?: Incident["status"];
  readonly page?: boolean;
  /** Seconds after `startMs`. */
  readonly asOf?: number;
  readonly customers?: number | null;
  readonly cause?: string;
  readonly kind?: Incident["cause"]["kind"];
  readonly verdict?: Incident["cause"]["verdict"];
  /** `service operation`. */
  readonly entries?: readonly string[];
  /** Each `dimension=value`, several joined by a space. */
  readonly combinations?: readonly string[];
}

export function incidentOf(spec: IncidentSpec = {}): Incident {
  const { id = "inc_1", status = "firing", page = true, asOf = 10, customers = 20 } = spec;
  const { cause = "payments", kind = "node", verdict = "likely" } = spec;
  const { entries = ["web GET /"], combinations = ["cloud.region=eu"] } = spec;
  const asOfMs = startMs + asOf * 1_000;
  return {
    id,
    status,
    page,
    gate: page ? "" : "held back",
    title: `${customers ?? "some"} customers: ${cause} fails`,
    signal: "errors",
    score: 7,
    startedAtMs: startMs,
    asOfMs,
    resolvedAtMs: status === "resolved" ? asOfMs : null,
    cause: { name: cause, kind, verdict, signal: "errors", reason: "bad events begin here" },
    combinations: combinations.map((text) => ({
      attributes: text.split(" ").map((pair) => {
        const [dimension = "", value = ""] = pair.split("=");
        return { dimension, value };
      }),
      ...{ count: 100, bad: 50, expected: 1, explained: 1, pValue: 1e-9, customers: null },
    })),
    impact: {
      customers: customers === null ? null : { value: customers, low: customers, high: customers },
      entries: entries.map((text) => {
        const [service = "", ...operation] = text.split(" ");
        return { service, operation: operation.join(" "), count: 100, bad: 50 };
      }),
      count: 100,
      bad: 50,
    },
    coverage: 1,
  };
}

export function detailOf(incident: Incident): IncidentDetail {
  return { ...incident, graph: { nodes: [], edges: [], hops: [] }, anomalies: [] };
}
