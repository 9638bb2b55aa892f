/** What is said of the place where a walk ends, and how sure that is. */
import { type CauseEdge, type CauseVerdict, edgeName, excessOf } from "./cause-graph.ts";
import { type Root, rootExcess } from "./cause-group.ts";
import { type CauseIndex, callsInto, nodeOf } from "./cause-index.ts";
import {
  callsSentence,
  gapSentence,
  healthySentence,
  originSentence,
  round,
  serverSentence,
  silentSentence,
  verb,
} from "./evidence.ts";
import { callersByHealth, isBadCall } from "./explain-node.ts";

/** How sure the end of a walk is, the way to it aside. */
export function rootVerdict(index: CauseIndex, root: Root): CauseVerdict {
  if (root.kind === "unknown") return "inconclusive";
  if (root.kind === "edge") return root.edge.gap?.significant === true ? "confirmed" : "likely";
  const node = nodeOf(index, root.id);
  if (root.by === "own") {
    const isMost = excessOf(node.origin) >= 0.5 * excessOf(node.server);
    return node.origin.significant && isMost ? "confirmed" : "likely";
  }
  if (node.silent) return "confirmed";
  const badCallers = callsInto(index, root.id).filter(isBadCall).length;
  return node.virtual && badCallers > 1 ? "confirmed" : "likely";
}

/** The cause in one sentence. */
export function reasonOf(index: CauseIndex, root: Root): string {
  if (root.kind === "edge") {
    const { edge } = root;
    return joined([callsSentence(edge, index.signal), ...betweenEvidence(index, edge)]);
  }
  if (root.kind === "node") return joined(endEvidence(index, root.id, root.by));
  const [only] = root.suspects;
  if (root.suspects.length > 1) return `the evidence fits ${root.suspects.join(", ")} alike`;
  const node = nodeOf(index, only ?? "");
  return `${serverSentence(node, index.signal)}; they neither began in its own spans nor follow a call that did`;
}

/** Why the walk ends at a node. */
export function endEvidence(index: CauseIndex, id: string, by: "own" | "far"): string[] {
  const node = nodeOf(index, id);
  const { signal } = index;
  if (by === "own") return [originSentence(node, signal), serverSentence(node, signal)];
  const seen = rootExcess(index, { kind: "node", id, by });
  const callers = callsInto(index, id).filter(isBadCall);
  const names = callers.map(({ caller }) => caller).join(", ");
  const calls = `${seen.bad} of ${seen.count} calls to ${id} from ${names} ${verb(signal)}, ${round(seen.expected)} expected`;
  if (node.silent) return [calls, silentSentence(node)];
  if (node.virtual || node.server.count === 0) {
    return [calls, `${id} reports no spans of its own`];
  }
  return [calls, `${healthySentence(node, signal)}; the fault lies in front of it`];
}

/** Why the walk ends between two nodes. */
export function betweenEvidence(index: CauseIndex, edge: CauseEdge): string[] {
  const callee = nodeOf(index, edge.callee);
  const { healthy } = callersByHealth(index, edge);
  const evidence: string[] = [];
  if (!callee.virtual) evidence.push(healthySentence(callee, index.signal));
  if (healthy > 0) evidence.push(`${healthy} other callers of ${edge.callee} see nothing bad`);
  const gap = gapSentence(edge);
  if (gap !== undefined) evidence.push(gap);
  return evidence.length > 0 ? evidence : [`nothing bad is seen behind ${edgeName(edge)}`];
}

function joined(sentences: readonly string[]): string {
  return sentences.join("; ");
}
