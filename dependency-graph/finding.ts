/** A group of anomalous nodes put into words: the cause, the way to it and what it explains. */
import {
  type CauseEdge,
  type CauseFinding,
  type CauseHop,
  type CauseVerdict,
  excessOf,
  type FoundCause,
  isAnomalous,
} from "./cause-graph.ts";
import { type Group, rootName } from "./cause-group.ts";
import { type CauseIndex, callsInto, nodeOf } from "./cause-index.ts";
import { isBadCall } from "./explain-node.ts";
import { symptomExcess } from "./quiet-path.ts";
import { reasonOf, rootVerdict } from "./root-words.ts";
import { walkHops } from "./walk-hops.ts";

export function describeFinding(index: CauseIndex, group: Group): CauseFinding {
  const { root } = group;
  const entries = entriesOf(index, group);
  const hops = walkHops(index, group, startOf(index, group, entries));
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
function entriesOf(index: CauseIndex, group: Group): string[] {
  const members = [...group.members].sort(
    (a, b) =>
      excessOf(symptomExcess(nodeOf(index, b))) - excessOf(symptomExcess(nodeOf(index, a))) ||
      (a < b ? -1 : 1),
  );
  const linkedTo = new Set(group.links.map(({ to }) => rootName(to)));
  const entries = members.filter(
    (id) =>
      !linkedTo.has(id) &&
      callsInto(index, id).every(({ caller }) => !isAnomalous(nodeOf(index, caller))),
  );
  return entries.length > 0 ? entries : members.slice(0, 1);
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
