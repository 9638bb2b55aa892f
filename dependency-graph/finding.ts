/** A group of anomalous nodes put into words: the cause, the way to it and what it explains. */
import { type Hll, isEmptyHll, overlapHll } from "../sketch/hll.ts";
import {
  type CauseEdge,
  type CauseFinding,
  type CauseHop,
  type CauseNode,
  type CauseVerdict,
  excessOf,
  type FoundCause,
  isAnomalous,
} from "./cause-graph.ts";
import { type Group, type Root, rootExcess, rootName } from "./cause-group.ts";
import { type CauseIndex, callsInto, nodeOf } from "./cause-index.ts";
import { isBadCall } from "./explain-node.ts";
import { symptomExcess } from "./quiet-path.ts";
import { reasonOf, rootVerdict } from "./root-words.ts";
import { walkHops } from "./walk-hops.ts";

/** Half a customer: at least one, however it is estimated. */
const hurtMin = 0.5;
/** Where nobody is named, counts must do: more than they wander by. */
const hurtDeviations = 1;
const hurtSpread = 0.05;

export function describeFinding(index: CauseIndex, group: Group): CauseFinding {
  const { root } = group;
  const tops = topsOf(index, group);
  const followed = group.links.length > 0 ? [] : sortByExcess(index, entriesAbove(index, root));
  const entries = followed.length > 0 ? followed : tops;
  const seen = followed.filter((id) => group.members.has(id));
  const hops = walkHops(index, group, startOf(index, group, [...seen, ...tops]));
  const cause = describeCause(index, group, hops);
  const passed = hops.flatMap(({ from, to }) => [from, to]);
  return {
    cause,
    hops,
    entries,
    symptoms: [...group.members].filter((id) => id !== cause.name).sort(),
    quiet: [...new Set(passed)].filter((id) => id !== cause.name && isQuiet(index, id)),
    suspects: root.kind === "unknown" ? root.suspects : [],
  };
}

function isQuiet(index: CauseIndex, id: string): boolean {
  const node = nodeOf(index, id);
  return !node.virtual && !isAnomalous(node);
}

/** Members no bad node calls, most excess first; of a closed cycle the member with most. */
function topsOf(index: CauseIndex, group: Group): string[] {
  const members = sortByExcess(index, [...group.members]);
  const linkedTo = new Set(group.links.map(({ to }) => rootName(to)));
  const tops = members.filter(
    (id) =>
      !linkedTo.has(id) &&
      callsInto(index, id).every(({ caller }) => !isAnomalous(nodeOf(index, caller))),
  );
  return tops.length > 0 ? tops : members.slice(0, 1);
}

/**
 * Where customers meet a cause that bad calls lead to: these calls are followed back to where
 * requests come in. The cause is known by then, so an entry need not stand out by itself: somebody
 * hurt there who met the cause is enough. A caller that puts up with failures has nobody hurt.
 */
function entriesAbove(index: CauseIndex, root: Root): string[] {
  if (root.kind === "unknown" || !isCarriedOn(index, root)) return [];
  const above = new Set([root.kind === "edge" ? root.edge.caller : root.id]);
  for (const id of above) {
    for (const { caller, calls } of callsInto(index, id)) if (calls.bad > 0) above.add(caller);
  }
  const { customersBad } = rootExcess(index, root);
  return [...above].filter(
    (id) => callsInto(index, id).length === 0 && isHurt(nodeOf(index, id), customersBad),
  );
}

/** Whether who calls the root sees it bad. */
function isCarriedOn(index: CauseIndex, root: Root): boolean {
  if (root.kind === "edge") return isBadCall(root.edge);
  return root.kind === "node" && callsInto(index, root.id).some(isBadCall);
}

function isHurt({ virtual, server }: CauseNode, metCause: Hll | undefined): boolean {
  if (virtual || server.bad === 0) return false;
  const hurt = server.customersBad;
  if (hurt !== undefined && metCause !== undefined && !isEmptyHll(metCause)) {
    return overlapHll(hurt, metCause).low >= hurtMin;
  }
  const spread = Math.sqrt(Math.max(server.expected, hurtSpread));
  return server.bad - server.expected >= hurtDeviations * spread;
}

function sortByExcess(index: CauseIndex, ids: readonly string[]): string[] {
  const excess = (id: string): number => excessOf(symptomExcess(nodeOf(index, id)));
  return ids.toSorted((a, b) => excess(b) - excess(a) || (a < b ? -1 : 1));
}

/** Where the walk is told from: the worst entry, or the worst call that nobody answers for. */
function startOf(
  index: CauseIndex,
  { root }: Group,
  entries: readonly string[],
): string | CauseEdge | undefined {
  if (entries[0] !== undefined) return entries[0];
  if (root.kind === "edge") return root.edge;
  return root.kind === "node" ? callsInto(index, root.id).find(isBadCall) : undefined;
}

function describeCause(index: CauseIndex, group: Group, hops: readonly CauseHop[]): FoundCause {
  const { root } = group;
  const { signal } = index;
  const reason = reasonOf(index, root);
  if (root.kind === "unknown") {
    return { name: "", kind: "none", verdict: "inconclusive", signal, reason };
  }
  const isSure =
    group.links.length === 0 && hops.every((hop) => hop.verdict === "confirmed") && hops.length > 0;
  const verdict: CauseVerdict = isSure ? rootVerdict(index, root) : "likely";
  return { name: rootName(root), kind: root.kind, verdict, signal, reason };
}
