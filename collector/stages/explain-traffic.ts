/**
 * Whose drop in traffic it is. A drop of the calls of a service that gets fewer requests itself is
 * its callers'; calls that stop while its own requests go on are a change of structure; a drop at
 * an entry comes from outside, where nothing is watched.
 *
 *   fewer requests at an entry            inconclusive: fewer arrive
 *   fewer calls, as many requests         likely, the edge
 *   fewer calls, and as much fewer requests, or more calls to another far side    nobody's drop
 *   fewer requests, as many calls to it   nobody's drop: it is not heard
 *
 * What fails or is slow explains that less comes of it; no drop is told of beside it.
 */
import { blastRadius } from "../../dependency-graph/blast-radius.ts";
import { edgesOf, type ServiceEdge } from "../../dependency-graph/service-graph.ts";
import { anomalyScore } from "../../detectors/anomaly-score.ts";
import type { LowRun } from "../../detectors/traffic-baseline.ts";
import type { Anomaly } from "../../wire/api-types.ts";
import { trafficSentence } from "./anomaly-sentence.ts";
import type { Detection } from "./detect.ts";
import type { Finding } from "./explain.ts";
import { isolateMissing } from "./isolate-traffic.ts";
import { farSideOf, type Registry } from "./registry.ts";
import type { RolledUp } from "./roll-up.ts";
import { rowOf } from "./row-book.ts";
import {
  differenceMin,
  ratioMin,
  type Traffic,
  type TrafficRow,
  trafficId,
  usualTraffic,
} from "./traffic.ts";

export interface TrafficEvidence {
  readonly detections: readonly Detection[];
  readonly dimensions: readonly string[];
  readonly traffic: Traffic;
  readonly rolled: RolledUp;
  /** Whether something that fails or is slow explains what becomes of a service's traffic. */
  readonly isExplained: (services: readonly string[]) => boolean;
}

interface LowRow extends TrafficRow {
  readonly low: LowRun;
}

/** With less than this of what is missing gone from the whole, it went elsewhere. */
const movedShare = 0.5;

export function explainTraffic(registry: Registry, evidence: TrafficEvidence): Finding[] {
  const lasting = [...evidence.traffic.values()].filter(isLasting);
  if (lasting.length === 0) return [];
  const edges = edgesOf(registry.graph);
  const told = lasting.filter(
    ({ service }) => !evidence.isExplained([service, ...blastRadius(edges, service).dependants]),
  );
  const stopped = told.filter((row) => row.scope === "call" && isOwnDrop(registry, evidence, row));
  const arriving = told.filter(
    (row) => row.scope !== "call" && isFromOutside(registry, evidence, edges, row),
  );
  const findings = stopped.map((row) => edgeFinding(registry, evidence, row));
  return arriving.length === 0
    ? findings
    : [...findings, entryFinding(registry, evidence, arriving)];
}

function isLasting(row: TrafficRow): row is LowRow {
  return row.lasting && row.low !== undefined;
}

/** The caller's requests go on, and its calls do not go elsewhere. */
function isOwnDrop(registry: Registry, evidence: TrafficEvidence, row: LowRow): boolean {
  const own = ownShare(registry, evidence, row.service);
  if (own === undefined) return false;
  const scaled = row.low.expected * own;
  if (scaled - row.low.count < differenceMin || row.low.count > scaled / ratioMin) return false;
  const missing = row.expected - row.count;
  return missingCalls(registry, evidence, row.service) >= movedShare * missing;
}

/** How much of its usual requests a service gets; undefined where it usually gets none. */
function ownShare(
  registry: Registry,
  { traffic, rolled }: TrafficEvidence,
  service: string,
): number | undefined {
  const name = { scope: "service", service, operation: "", kind: "", peer: "" } as const;
  const low = traffic.get(trafficId(name))?.low;
  if (low !== undefined) return low.count / low.expected;
  const usual = usualTraffic(registry, name);
  const subject = registry.rows.numbers.get(["service", service, "", "", ""].join("\0"));
  if (usual === 0 || subject === undefined) return undefined;
  return Math.min(1, (rolled.count[rowOf(subject, 0)] ?? 0) / usual);
}

/** How many calls fewer than usual a service makes in all. */
function missingCalls(registry: Registry, { rolled }: TrafficEvidence, service: string): number {
  let missing = 0;
  for (const subject of registry.traffic.keys()) {
    const named = registry.rows.names[subject];
    if (named?.scope !== "call" || named.parts[0] !== service) continue;
    const [, operation = "", kind = "", peer = ""] = named.parts;
    const name = { scope: "call", service, operation, kind, peer } as const;
    missing += usualTraffic(registry, name) - (rolled.count[rowOf(subject, 0)] ?? 0);
  }
  return missing;
}

/** Nobody that is watched calls it; of an operation, its requests do not go to another. */
function isFromOutside(
  registry: Registry,
  { rolled }: TrafficEvidence,
  edges: readonly ServiceEdge[],
  row: LowRow,
): boolean {
  if (edges.some(({ caller, callee }) => callee === row.service && caller !== callee)) return false;
  if (row.scope === "service") return true;
  const name = {
    scope: "service",
    service: row.service,
    operation: "",
    kind: "",
    peer: "",
  } as const;
  const subject = registry.rows.numbers.get(["service", row.service, "", "", ""].join("\0"));
  if (subject === undefined) return false;
  const missing = usualTraffic(registry, name) - (rolled.count[rowOf(subject, 0)] ?? 0);
  return missing >= movedShare * (row.expected - row.count);
}

function edgeFinding(registry: Registry, evidence: TrafficEvidence, row: LowRow): Finding {
  const callee = farSideOf(registry, row);
  const name = `${row.service} → ${callee}`;
  const share = Math.round(100 * (ownShare(registry, evidence, row.service) ?? 0));
  const reason = `${trafficSentence(row)}, while ${row.service} gets ${share} % of its usual requests`;
  return {
    ...found(registry, evidence, [row]),
    cause: { name, kind: "edge", verdict: "likely", signal: "traffic", reason },
    hops: [{ from: row.service, to: callee, evidence: [reason], verdict: "likely" }],
    symptoms: [row.service],
    entries: [],
    entryRowIds: new Set(),
    blamedRowIds: new Set([row.id]),
  };
}

/** One story for all entries: what keeps requests away from several is likely one thing. */
function entryFinding(
  registry: Registry,
  evidence: TrafficEvidence,
  rows: readonly LowRow[],
): Finding {
  const entries = [...new Set(rows.map(({ service }) => service))];
  const operations = rows.filter(({ scope }) => scope === "operation");
  const whole = rows.filter(
    ({ scope, service }) =>
      scope === "service" && operations.every((operation) => operation.service !== service),
  );
  const said = rows
    .filter(({ scope, service }) => scope === "service" || !hasWhole(rows, service))
    .map(trafficSentence);
  const reason = `fewer requests arrive, from outside of what is watched: ${said.join("; ")}`;
  return {
    ...found(registry, evidence, rows),
    cause: { name: "", kind: "none", verdict: "inconclusive", signal: "traffic", reason },
    hops: [],
    symptoms: entries,
    entries,
    entryRowIds: new Set([...operations, ...whole].map(({ id }) => id)),
    blamedRowIds: new Set(),
  };
}

function hasWhole(rows: readonly LowRow[], service: string): boolean {
  return rows.some((row) => row.scope === "service" && row.service === service);
}

function found(
  registry: Registry,
  { detections, dimensions }: TrafficEvidence,
  rows: readonly LowRow[],
) {
  const sinceMs = Math.min(...rows.map(({ low }) => low.sinceMs));
  const combinations = isolateMissing(registry, { detections, dimensions, low: rows, sinceMs });
  const score = Math.max(...rows.map(({ low }) => anomalyScore(low.pValue)));
  return {
    ...{ quiet: [], suspects: [], alternatives: [], lostNs: 0, score },
    anomalies: rows.map((row) => anomalyOf(row)),
    combinations,
    sinceMs,
  };
}

function anomalyOf(row: LowRow): Anomaly {
  const { service, operation, kind, peer, low, qValue } = row;
  const { sinceMs, count, expected, pValue } = low;
  const usual = Math.max(count, Math.round(expected));
  return {
    ...{ windowStartMs: sinceMs, service, operation, kind, peer, signal: "traffic" },
    ...{ count: usual, bad: usual - count, expected: 0, pValue, qValue },
    score: anomalyScore(pValue),
    sentence: trafficSentence(row),
  };
}
