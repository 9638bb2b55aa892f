/** Evidence as the graph people see: nodes and edges with their numbers, the walk marked on it. */
import {
  edgesOf,
  nodesOf,
  type ServiceEdge,
  type ServiceNode,
} from "../../dependency-graph/service-graph.ts";
import {
  createHistogram,
  type Histogram,
  mergeHistogram,
  quantileHistogram,
} from "../../sketch/histogram.ts";
import { boundsHll, createHll, isEmptyHll, mergeHll } from "../../sketch/hll.ts";
import type {
  Estimate,
  GraphEdge,
  GraphNode,
  NodeRole,
  RootCauseGraph,
  Signal,
} from "../../wire/api-types.ts";
import { edgeIdOf } from "./connect.ts";
import type { Evidence, EvidenceRow } from "./evidence.ts";
import type { Finding } from "./explain.ts";
import { farSideOf, type Registry } from "./registry.ts";
import { isOutgoing } from "./roll-up.ts";

/** More than this nobody reads; the walk itself is always drawn. */
const neighboursMax = 40;

interface Sums {
  count: number;
  bad: number;
  expected: number;
  originBad: number;
  readonly durationNs: Histogram;
  readonly customersBad: EvidenceRow["customersBad"][];
}

/** Sums by node id and by edge id. */
interface Figures {
  readonly nodes: Map<string, Sums>;
  readonly edges: Map<string, Sums>;
}

/** Everything learnt, with the numbers of the evidence's windows. */
export function drawGraph(registry: Registry, evidence: Evidence): RootCauseGraph {
  const figures = figuresOf(registry, evidence, "errors");
  const edges = edgesOf(registry.graph);
  const called = new Set(edges.map(({ callee }) => callee));
  const anomalous = new Set(
    [...evidence.rows.values()].filter((row) => row.anomalous).map(({ service }) => service),
  );
  const roleOf = (id: string): NodeRole => {
    if (anomalous.has(id)) return "affected";
    return called.has(id) ? "healthy" : "entry";
  };
  return {
    nodes: nodesOf(registry.graph).map((node) => drawNode(node, figures, roleOf(node.id))),
    edges: edges.map((edge) => drawEdge(edge, figures, evidence, false)),
    hops: [],
  };
}

/** What a finding speaks of, and its nearest neighbours. */
export function drawFinding(
  registry: Registry,
  evidence: Evidence,
  finding: Finding,
): RootCauseGraph {
  const figures = figuresOf(registry, evidence, finding.cause.signal);
  const edges = edgesOf(registry.graph);
  const onPath = new Set(
    finding.hops.map(({ from, to }) => edgeIdOf({ caller: from, callee: to })),
  );
  const involved = involvedIn(finding);
  const shown = withNeighbours(involved, edges);
  return {
    nodes: nodesOf(registry.graph)
      .filter(({ id }) => shown.has(id))
      .map((node) => drawNode(node, figures, roleIn(finding, node.id))),
    edges: edges
      .filter(({ caller, callee }) => shown.has(caller) && shown.has(callee))
      .map((edge) => drawEdge(edge, figures, evidence, onPath.has(edgeIdOf(edge)))),
    hops: finding.hops,
  };
}

function involvedIn(finding: Finding): Set<string> {
  const { cause, symptoms, quiet, entries, hops, suspects } = finding;
  const ends = cause.kind === "edge" ? cause.name.split(" → ") : [cause.name];
  const walked = hops.flatMap(({ from, to }) => [from, to]);
  return new Set([...ends, ...symptoms, ...quiet, ...entries, ...suspects, ...walked]);
}

function withNeighbours(involved: ReadonlySet<string>, edges: readonly ServiceEdge[]): Set<string> {
  const shown = new Set(involved);
  for (const { caller, callee } of edges) {
    if (shown.size >= involved.size + neighboursMax) break;
    if (involved.has(caller) || involved.has(callee)) shown.add(caller).add(callee);
  }
  return shown;
}

function roleIn(finding: Finding, id: string): NodeRole {
  if (finding.cause.kind !== "none" && finding.cause.name.split(" → ").includes(id)) return "cause";
  if (finding.entries.includes(id)) return "entry";
  if (finding.symptoms.includes(id)) return "affected";
  return finding.quiet.includes(id) ? "quiet" : "healthy";
}

function drawNode(node: ServiceNode, figures: Figures, role: NodeRole): GraphNode {
  const sums = figures.nodes.get(node.id) ?? emptySums();
  const { count, bad, expected, originBad, durationNs, customersBad } = sums;
  const { id, virtual, type, aliases } = node;
  return {
    ...{ id, virtual, type, aliases, role, count, bad, expected, originBad },
    p50Ms: quantileMs(durationNs, 0.5),
    p99Ms: quantileMs(durationNs, 0.99),
    customersBad: union(customersBad),
  };
}

function drawEdge(
  edge: ServiceEdge,
  figures: Figures,
  evidence: Evidence,
  onPath: boolean,
): GraphEdge {
  const { count, bad, expected, durationNs } = figures.edges.get(edgeIdOf(edge)) ?? emptySums();
  const gap = evidence.gaps.get(edgeIdOf(edge));
  return {
    ...{ caller: edge.caller, callee: edge.callee, count, bad, expected, onPath },
    p50Ms: quantileMs(durationNs, 0.5),
    p99Ms: quantileMs(durationNs, 0.99),
    gapMs: gap === undefined ? null : quantileMs(gap, 0.5),
    paired: edge.count === 0 ? 0 : Math.min(1, edge.answered / edge.count),
  };
}

function figuresOf(registry: Registry, evidence: Evidence, signal: Signal): Figures {
  const figures: Figures = { nodes: new Map(), edges: new Map() };
  for (const row of evidence.rows.values()) {
    if (row.signal !== signal) continue;
    if (row.scope === "service") addRow(sumsOf(figures.nodes, row.service), row);
    if (row.scope === "origin") sumsOf(figures.nodes, row.service).originBad += row.bad;
    if (row.scope !== "call") continue;
    const callee = farSideOf(registry, row);
    addRow(sumsOf(figures.edges, edgeIdOf({ caller: row.service, callee })), row);
    if (!registry.graph.services.has(callee)) addRow(sumsOf(figures.nodes, callee), row);
  }
  addDurations(registry, evidence, figures);
  return figures;
}

function addDurations(registry: Registry, evidence: Evidence, figures: Figures): void {
  for (const operation of evidence.operations.values()) {
    const { service, kind, peer, durationNs } = operation;
    if (kind === "server" || kind === "consumer") {
      mergeHistogram(sumsOf(figures.nodes, service).durationNs, durationNs);
    }
    if (!isOutgoing(kind)) continue;
    const callee = farSideOf(registry, { service, kind, peer });
    mergeHistogram(
      sumsOf(figures.edges, edgeIdOf({ caller: service, callee })).durationNs,
      durationNs,
    );
    if (!registry.graph.services.has(callee)) {
      mergeHistogram(sumsOf(figures.nodes, callee).durationNs, durationNs);
    }
  }
}

function addRow(sums: Sums, row: EvidenceRow): void {
  sums.count += row.count;
  sums.bad += row.bad;
  sums.expected += row.expected;
  sums.customersBad.push(row.customersBad);
}

function sumsOf(map: Map<string, Sums>, id: string): Sums {
  const sums = map.get(id) ?? emptySums();
  map.set(id, sums);
  return sums;
}

function emptySums(): Sums {
  const durationNs = createHistogram();
  return { count: 0, bad: 0, expected: 0, originBad: 0, durationNs, customersBad: [] };
}

function quantileMs(durationNs: Histogram, q: number): number {
  return durationNs.count === 0 ? 0 : quantileHistogram(durationNs, q) / 1e6;
}

function union(hlls: readonly EvidenceRow["customersBad"][]): Estimate | null {
  const sum = createHll();
  for (const hll of hlls) if (hll !== undefined) mergeHll(sum, hll);
  return isEmptyHll(sum) ? null : boundsHll(sum);
}
