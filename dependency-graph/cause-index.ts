/** The incident graph by id: nodes, and edges by caller and by callee, in a fixed order. */
import {
  type CauseEdge,
  type CauseGraph,
  type CauseNode,
  type CauseSignal,
  excessOf,
  noExcess,
} from "./cause-graph.ts";

export interface CauseIndex {
  readonly signal: CauseSignal;
  readonly nodes: ReadonlyMap<string, CauseNode>;
  /** Most excess first, then by name. */
  readonly callsOf: ReadonlyMap<string, readonly CauseEdge[]>;
  readonly callersOf: ReadonlyMap<string, readonly CauseEdge[]>;
}

/** An edge to itself says nothing about another node and is left out. */
export function indexCauses(graph: CauseGraph): CauseIndex {
  const nodes = new Map(graph.nodes.map((node) => [node.id, node]));
  const callsOf = new Map<string, CauseEdge[]>();
  const callersOf = new Map<string, CauseEdge[]>();
  for (const edge of graph.edges.toSorted(compareEdges)) {
    if (edge.caller === edge.callee) continue;
    append(callsOf, edge.caller, edge);
    append(callersOf, edge.callee, edge);
    for (const id of [edge.caller, edge.callee]) {
      if (!nodes.has(id)) nodes.set(id, virtualNode(id));
    }
  }
  return { signal: graph.signal, nodes, callsOf, callersOf };
}

export function nodeOf(index: CauseIndex, id: string): CauseNode {
  return index.nodes.get(id) ?? virtualNode(id);
}

export function callsFrom(index: CauseIndex, id: string): readonly CauseEdge[] {
  return index.callsOf.get(id) ?? [];
}

export function callsInto(index: CauseIndex, id: string): readonly CauseEdge[] {
  return index.callersOf.get(id) ?? [];
}

function virtualNode(id: string): CauseNode {
  return {
    id,
    virtual: true,
    silent: false,
    server: noExcess,
    origin: noExcess,
    customersSeen: undefined,
  };
}

function compareEdges(a: CauseEdge, b: CauseEdge): number {
  const byExcess = excessOf(b.calls) - excessOf(a.calls);
  if (byExcess !== 0) return byExcess;
  return `${a.caller}\n${a.callee}` < `${b.caller}\n${b.callee}` ? -1 : 1;
}

function append(map: Map<string, CauseEdge[]>, id: string, edge: CauseEdge): void {
  const list = map.get(id);
  if (list === undefined) map.set(id, [edge]);
  else list.push(edge);
}
