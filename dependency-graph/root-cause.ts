/**
 * From anomalous nodes to their causes. Every anomalous node is followed, call by call, to where
 * its bad events begin (explain-node.ts); nodes that end in one place are one finding. A finding
 * whose events begin at a node, or nowhere, is then tried against causes behind quiet nodes
 * (quiet-path.ts). So every anomalous node is in exactly one finding, and independent faults stay
 * apart. What the evidence does not carry is inconclusive, and says so.
 *
 * Cycles end the walk: the member with most origin excess is the cause, a tie is inconclusive.
 */
import {
  type CauseFinding,
  type CauseGraph,
  type CauseNode,
  excessOf,
  isAnomalous,
} from "./cause-graph.ts";
import { type Group, mergeGroups, type Root, rootExcess, rootName } from "./cause-group.ts";
import { type CauseIndex, indexCauses, nodeOf } from "./cause-index.ts";
import { type Explanation, explainEdge, explainNode, isBadCall } from "./explain-node.ts";
import { describeFinding } from "./finding.ts";

/** One finding for each independent cause, most excess first. */
export function findCauses(graph: CauseGraph): CauseFinding[] {
  const index = indexCauses(graph);
  const groups = groupByRoot(index);
  return mergeGroups(index, groups)
    .toSorted((a, b) => excessOf(rootExcess(index, b.root)) - excessOf(rootExcess(index, a.root)))
    .map((group) => describeFinding(index, group));
}

function groupByRoot(index: CauseIndex): Group[] {
  const groups = new Map<string, Group>();
  const groupOf = (root: Root): Group => {
    const id = `${root.kind} ${rootName(root)}`;
    const group = groups.get(id) ?? { root, members: new Set<string>(), links: [] };
    groups.set(id, group);
    return group;
  };
  for (const node of index.nodes.values()) {
    if (!isAnomalous(node)) continue;
    groupOf(rootOfStep(index, explainNode(index, node), [node.id])).members.add(node.id);
  }
  for (const edges of index.callsOf.values()) {
    for (const edge of edges) {
      if (isBadCall(edge)) groupOf(rootOfStep(index, explainEdge(index, edge), []));
    }
  }
  return [...groups.values()];
}

/** Follows calls until something else explains. */
function rootOfStep(index: CauseIndex, first: Explanation, walked: readonly string[]): Root {
  const visited = [...walked];
  let step = first;
  while (step.kind === "call") {
    const { callee } = step.edge;
    const seenAt = visited.indexOf(callee);
    if (seenAt >= 0) return rootOfCycle(index, visited.slice(seenAt));
    visited.push(callee);
    step = explainNode(index, nodeOf(index, callee));
  }
  if (step.kind === "own") return { kind: "node", id: step.node.id, by: "own" };
  if (step.kind === "far") return { kind: "node", id: step.edge.callee, by: "far" };
  if (step.kind === "between") return { kind: "edge", edge: step.edge };
  return { kind: "unknown", suspects: [step.node.id] };
}

function rootOfCycle(index: CauseIndex, cycle: readonly string[]): Root {
  const nodes = cycle
    .map((id) => nodeOf(index, id))
    .sort((a, b) => excessOf(b.origin) - excessOf(a.origin) || (a.id < b.id ? -1 : 1));
  const first = nodes[0] as CauseNode;
  const second = excessOf((nodes[1] as CauseNode).origin);
  if (first.origin.significant && second < 0.5 * excessOf(first.origin)) {
    return { kind: "node", id: first.id, by: "own" };
  }
  const suspects = nodes.map(({ id }) => id).sort();
  return { kind: "unknown", suspects };
}
