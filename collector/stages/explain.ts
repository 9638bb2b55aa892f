/**
 * Why: the evidence as a graph of causes, walked from the entries customers use to where bad events
 * begin, and each cause isolated to the attributes that explain it.
 */

import { blastRadius } from "../../dependency-graph/blast-radius.ts";
import {
  type CauseEdge,
  type CauseFinding,
  type CauseNode,
  type Excess,
  type GapShift,
  noExcess,
} from "../../dependency-graph/cause-graph.ts";
import { findCauses } from "../../dependency-graph/root-cause.ts";
import { edgesOf, nodesOf } from "../../dependency-graph/service-graph.ts";
import { settleFinding } from "../../dependency-graph/settle.ts";
import type { Suspect } from "../../dependency-graph/suspects.ts";
import { anomalyScore } from "../../detectors/anomaly-score.ts";
import { quantileHistogram } from "../../sketch/histogram.ts";
import type { Anomaly, Cause, Combination } from "../../wire/api-types.ts";
import { anomalySentence } from "./anomaly-sentence.ts";
import { edgeIdOf } from "./connect.ts";
import { matters } from "./detect.ts";
import { type Evidence, type EvidenceRow, keyRowsOf } from "./evidence.ts";
import { isolateCause } from "./isolate.ts";
import { lostTimeNs } from "./lost-time.ts";
import { farSideOf, type Registry } from "./registry.ts";
import { isOutgoing } from "./roll-up.ts";
import type { BadSignal } from "./row-book.ts";
import { changeSentence, suspectsSince } from "./trace-book.ts";

/** A cause with everything it explains. */
export interface Finding extends Omit<CauseFinding, "cause"> {
  readonly cause: Cause;
  readonly combinations: readonly Combination[];
  /** What explains it nearly as well. */
  readonly alternatives: readonly Combination[];
  readonly anomalies: readonly Anomaly[];
  readonly score: number;
  /** When it began, where that is not for the evidence to say. */
  readonly sinceMs?: number;
  /** Time lost at the cause, against what is usual; nanoseconds. */
  readonly lostNs: number;
  /** Rows of the operations by which customers enter. */
  readonly entryRowIds: ReadonlySet<string>;
  /** Rows of the spans to blame. */
  readonly blamedRowIds: ReadonlySet<string>;
}

/** A gap must grow by this much, and by this factor, to be a fault of its edge. */
const gapShiftMsMin = 5;
const gapShiftRatioMin = 3;
const gapPairsMin = 10;
const anomaliesMax = 50;

export function explain(
  registry: Registry,
  evidence: Evidence,
  dimensions: readonly string[],
): Finding[] {
  return (["errors", "slow"] as const).flatMap((signal) => {
    const nodes = causeNodes(registry, evidence, signal);
    const edges = causeEdges(registry, evidence, signal);
    const dependsOn = (id: string, on: string): boolean =>
      id === on || blastRadius(edges, on).dependants.includes(id);
    const found = findCauses({ signal, nodes, edges });
    const suspects = suspectsAmong(registry, evidence, found, edges);
    const findings = found
      .map((finding) => settleFinding(finding, suspects, dependsOn))
      .map((finding) => withChange(registry, evidence, finding));
    const isVirtual = new Set(nodes.filter(beginsOutside).map(({ id }) => id));
    const complete = findings.map((finding) =>
      completeFinding({ registry, evidence, dimensions, signal, finding, isVirtual }),
    );
    return signal === "slow" ? withoutCarriedAlong(complete) : complete;
  });
}

/** Who moved of those the findings speak of, and of their neighbours. */
function suspectsAmong(
  registry: Registry,
  { sinceMs }: Evidence,
  findings: readonly CauseFinding[],
  edges: readonly CauseEdge[],
): readonly Suspect[] {
  if (findings.length === 0) return [];
  const named = findings.flatMap(({ cause, hops, entries, symptoms, suspects }) => [
    ...cause.name.split(" → "),
    ...hops.flatMap(({ from, to }) => [from, to]),
    ...[...entries, ...symptoms, ...suspects],
  ]);
  const spoken = new Set(named);
  const services = new Set(named);
  for (const { caller, callee } of edges) {
    if (spoken.has(caller) || spoken.has(callee)) services.add(caller).add(callee);
  }
  return suspectsSince(registry.traces, sinceMs, services);
}

/** What was deployed where it began is part of the reason, never the reason alone. */
function withChange(
  registry: Registry,
  { sinceMs }: Evidence,
  finding: CauseFinding,
): CauseFinding {
  const { cause } = finding;
  const change =
    cause.kind === "node" ? changeSentence(registry.traces, cause.name, sinceMs) : undefined;
  if (change === undefined) return finding;
  return { ...finding, cause: { ...cause, reason: `${cause.reason}; ${change}` } };
}

/** A slow finding that loses less than this share of another's time is no cause of its own. */
const lostShareMin = 0.1;

function withoutCarriedAlong(findings: readonly Finding[]): Finding[] {
  const most = Math.max(0, ...findings.map(({ lostNs }) => lostNs));
  return findings.filter(({ lostNs }) => lostNs >= lostShareMin * most);
}

/** Told of by its callers alone. */
function beginsOutside(node: CauseNode): boolean {
  return node.virtual || node.silent || !node.origin.significant;
}

function causeNodes(registry: Registry, evidence: Evidence, signal: BadSignal): CauseNode[] {
  const rowOf = (scope: "service" | "origin", id: string): EvidenceRow | undefined =>
    evidence.rows.get([scope, signal, id, "", "", ""].join("\0"));
  return nodesOf(registry.graph).map(({ id, virtual }) => ({
    id,
    virtual,
    silent: evidence.silent.has(id),
    server: excessOfRow(rowOf("service", id)),
    origin: excessOfRow(rowOf("origin", id)),
    customersSeen: evidence.customersSeen.get(id),
  }));
}

function causeEdges(registry: Registry, evidence: Evidence, signal: BadSignal): CauseEdge[] {
  const calls = new Map<string, EvidenceRow[]>();
  for (const row of evidence.rows.values()) {
    if (row.scope !== "call" || row.signal !== signal) continue;
    const id = edgeIdOf({ caller: row.service, callee: farSideOf(registry, row) });
    calls.set(id, [...(calls.get(id) ?? []), row]);
  }
  return edgesOf(registry.graph).map((edge) => {
    const id = edgeIdOf(edge);
    const rows = (calls.get(id) ?? []).map(excessOfRow);
    const { caller, callee, count } = edge;
    return {
      caller,
      callee,
      // What a queue hands on has no calling side of its own: it happens, and is never bad.
      calls: rows.length === 0 ? { ...noExcess, count } : rows.reduce(addExcess, noExcess),
      gap: gapShift(registry, evidence, id),
    };
  });
}

function excessOfRow(row: EvidenceRow | undefined): Excess {
  if (row === undefined) return noExcess;
  const { count, bad, expected, anomalous, onsetMs, customersBad } = row;
  return {
    ...{ count, bad, expected, customersBad },
    significant: anomalous,
    onsetMs: anomalous && onsetMs === Infinity ? row.sinceMs : finite(onsetMs),
  };
}

function finite(ms: number): number | undefined {
  return ms === Infinity ? undefined : ms;
}

/** Two names of one far side are one edge. */
function addExcess(a: Excess, b: Excess): Excess {
  if (a === noExcess) return b;
  const onsets = [a.onsetMs, b.onsetMs].filter((ms) => ms !== undefined);
  return {
    count: a.count + b.count,
    bad: a.bad + b.bad,
    expected: a.expected + b.expected,
    significant: a.significant || b.significant,
    onsetMs: onsets.length === 0 ? undefined : Math.min(...onsets),
    customersBad: (a.bad >= b.bad ? a : b).customersBad,
  };
}

function gapShift(registry: Registry, evidence: Evidence, edgeId: string): GapShift | undefined {
  const during = evidence.gaps.get(edgeId);
  const before = registry.gaps.get(edgeId)?.value;
  if (during === undefined || before === undefined) return undefined;
  const beforeMs = quantileHistogram(before, 0.5) / 1e6;
  const duringMs = quantileHistogram(during, 0.5) / 1e6;
  const grew = duringMs - beforeMs >= gapShiftMsMin && duringMs >= gapShiftRatioMin * beforeMs;
  return {
    beforeMs,
    duringMs,
    pairs: during.count,
    significant: grew && during.count >= gapPairsMin,
  };
}

function completeFinding(input: {
  readonly registry: Registry;
  readonly evidence: Evidence;
  readonly dimensions: readonly string[];
  readonly signal: BadSignal;
  readonly finding: CauseFinding;
  readonly isVirtual: ReadonlySet<string>;
}): Finding {
  const { registry, evidence, dimensions, signal, finding, isVirtual } = input;
  const { name, kind } = finding.cause;
  const isBlamed = (row: Pick<EvidenceRow, "service" | "kind" | "peer">): boolean => {
    if (kind === "none") return false;
    if (kind === "node" && !isVirtual.has(name))
      return row.service === name && !isOutgoing(row.kind);
    if (!isOutgoing(row.kind)) return false;
    const callee = farSideOf(registry, row);
    return kind === "node" ? callee === name : name === `${row.service} → ${callee}`;
  };
  const rows = [...evidence.rows.values()].filter((row) => row.signal === signal);
  const blamed = keyRowsOf(evidence, signal, isBlamed);
  const involved = new Set([...finding.symptoms, name]);
  const anomalous = [...rows, ...blamed].filter(
    (row) => row.anomalous && (involved.has(row.service) || isBlamed(row)),
  );
  const strongest = Math.min(1, ...anomalous.map((row) => row.pValue));
  return {
    ...finding,
    ...isolateCause({ blamed, dimensions }),
    anomalies: anomaliesOf(anomalous, evidence.sinceMs),
    score: anomalyScore(strongest),
    lostNs: lostTimeNs(registry, evidence, isBlamed),
    entryRowIds: new Set(entryRows(rows, finding.entries).map(({ id }) => id)),
    blamedRowIds: new Set(blamed.map(({ id }) => id)),
  };
}

/**
 * The operations by which customers meet the fault: of an entry those with many more bad events
 * than usual, whether or not that is certain of each by itself; else what there is.
 */
function entryRows(rows: readonly EvidenceRow[], entries: readonly string[]): EvidenceRow[] {
  return entries.flatMap((entry) => {
    const bad = rows.filter(
      (row) => row.scope === "operation" && row.service === entry && row.bad > 0,
    );
    const above = bad.filter((row) => row.bad > row.expected);
    const standing = above.filter((row) => row.anomalous || matters(row));
    return [standing, above, bad].find((some) => some.length > 0) ?? [];
  });
}

function anomaliesOf(rows: readonly EvidenceRow[], windowStartMs: number): Anomaly[] {
  return rows
    .filter((row) => row.scope === "operation" || row.scope === "call")
    .toSorted((a, b) => a.pValue - b.pValue)
    .slice(0, anomaliesMax)
    .map((row) => {
      const { service, operation, kind, peer, signal, count, bad, expected, pValue, qValue } = row;
      const score = anomalyScore(pValue);
      const sentence = anomalySentence(row);
      return {
        ...{ windowStartMs, service, operation, kind, peer, signal },
        ...{ count, bad, expected, pValue, qValue, score, sentence },
      };
    });
}
