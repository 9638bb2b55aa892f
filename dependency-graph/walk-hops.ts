/** The way from an entry to the cause, hop by hop, each with the numbers that carry it. */
import { type CauseEdge, type CauseHop, type CauseVerdict, excessOf } from "./cause-graph.ts";
import { type Group, type Root, rootName } from "./cause-group.ts";
import { type CauseIndex, nodeOf } from "./cause-index.ts";
import { callsSentence, gapSentence, onsetSentence, serverSentence } from "./evidence.ts";
import { type Explanation, explainEdge, explainNode } from "./explain-node.ts";
import { type QuietLink, symptomExcess } from "./quiet-path.ts";
import { betweenEvidence, endEvidence, rootVerdict } from "./root-words.ts";

/** Share of a node's excess that one call must carry for the step to be beyond doubt. */
const shareMin = 0.5;

/** @param start the entry to begin at, or a bad call of a node that shows nothing bad */
export function walkHops(
  index: CauseIndex,
  group: Group,
  start: string | CauseEdge | undefined,
): CauseHop[] {
  if (start === undefined) return [];
  const first =
    typeof start === "string"
      ? explainNode(index, nodeOf(index, start))
      : explainEdge(index, start);
  const { hops, end } = followCalls(index, first);
  let at = end;
  for (const _ of group.links) {
    const linked = group.links.find(({ from }) => rootName(from) === at);
    if (linked === undefined) break;
    hops.push(...quietHops(index, linked.link));
    at = rootName(linked.to);
  }
  return [...hops, ...endHops(index, group.root)];
}

/** A hop for each call the walk follows, and the name of the root it ends at. */
function followCalls(index: CauseIndex, first: Explanation): { hops: CauseHop[]; end: string } {
  const hops: CauseHop[] = [];
  const visited = new Set<string>();
  let step = first;
  while (step.kind === "call" || step.kind === "far") {
    const { edge } = step;
    if (visited.has(edge.callee)) return { hops, end: "" };
    visited.add(edge.callee);
    hops.push(callHop(index, edge));
    if (step.kind === "far") return { hops, end: edge.callee };
    step = explainNode(index, nodeOf(index, edge.callee));
  }
  return { hops, end: step.kind === "between" ? "" : step.node.id };
}

function callHop(index: CauseIndex, edge: CauseEdge): CauseHop {
  const callee = nodeOf(index, edge.callee);
  const caller = nodeOf(index, edge.caller);
  const evidence = [callsSentence(edge, index.signal)];
  if (callee.server.count > 0) evidence.push(serverSentence(callee, index.signal));
  const onset = onsetSentence(caller.server, edge.calls);
  if (onset !== undefined && caller.server.significant) evidence.push(onset);
  const gap = edge.gap?.significant === true ? gapSentence(edge) : undefined;
  if (gap !== undefined) evidence.push(gap);
  const isMost = excessOf(edge.calls) >= shareMin * excessOf(symptomExcess(caller));
  const verdict: CauseVerdict = isMost ? "confirmed" : "likely";
  return { from: edge.caller, to: edge.callee, evidence, verdict };
}

function quietHops(index: CauseIndex, { path, evidence }: QuietLink): CauseHop[] {
  return path.map((edge, at) => {
    const said = [callsSentence(edge, index.signal)];
    const callee = nodeOf(index, edge.callee);
    if (callee.server.count > 0) said.push(serverSentence(callee, index.signal));
    if (at === path.length - 1) said.push(...evidence);
    return { from: edge.caller, to: edge.callee, evidence: said, verdict: "likely" as const };
  });
}

function endHops(index: CauseIndex, root: Root): CauseHop[] {
  const verdict = rootVerdict(index, root);
  if (root.kind === "edge") {
    const { edge } = root;
    const evidence = [callsSentence(edge, index.signal), ...betweenEvidence(index, edge)];
    return [{ from: edge.caller, to: edge.callee, evidence, verdict }];
  }
  if (root.kind === "unknown") return [];
  const evidence = endEvidence(index, root.id, root.by);
  return [{ from: root.id, to: root.id, evidence, verdict }];
}
