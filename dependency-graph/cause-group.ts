/**
 * Anomalous nodes with one root, and the merging of groups that one cause behind quiet nodes
 * explains together.
 */
import { copyHll, type Hll, mergeHll } from "../sketch/hll.ts";
import { type CauseEdge, type CauseNode, type Excess, edgeName, noExcess } from "./cause-graph.ts";
import { type CauseIndex, callsInto, nodeOf } from "./cause-index.ts";
import { isBadCall } from "./explain-node.ts";
import { linkThroughQuiet, type QuietLink, symptomExcess } from "./quiet-path.ts";

/** Where walks end. */
export type Root =
  | { readonly kind: "node"; readonly id: string; readonly by: "own" | "far" }
  | { readonly kind: "edge"; readonly edge: CauseEdge }
  | { readonly kind: "unknown"; readonly suspects: readonly string[] };

export interface GroupLink {
  readonly from: Root;
  readonly to: Root;
  readonly link: QuietLink;
}

export interface Group {
  readonly root: Root;
  /** Anomalous nodes, the root's among them. */
  readonly members: Set<string>;
  /** How the groups merged into this one hang on it. */
  readonly links: GroupLink[];
}

interface Candidate {
  readonly target: Group;
  readonly link: QuietLink;
}

/** Two links this close in strength cannot be told apart. */
const tieShare = 0.9;

export function rootName(root: Root): string {
  if (root.kind === "node") return root.id;
  return root.kind === "edge" ? edgeName(root.edge) : root.suspects.join(" ");
}

/** What is bad at a root: at the node, or at the calls that lead to it. */
export function rootExcess(index: CauseIndex, root: Root): Excess {
  if (root.kind === "edge") return root.edge.calls;
  if (root.kind === "node" && root.by === "far") return sumCalls(index, root.id);
  return symptomExcess(nodeOf(index, root.kind === "node" ? root.id : (root.suspects[0] ?? "")));
}

/** Merges what quiet nodes hide; a group two causes explain alike becomes inconclusive. */
export function mergeGroups(index: CauseIndex, groups: readonly Group[]): Group[] {
  const into = new Map<Group, Candidate>();
  const tied = new Map<Group, Group>();
  for (const group of groups) {
    const candidates = candidatesOf(index, group, groups);
    const [best, second] = candidates;
    if (best === undefined || endOf(best.target, into) === group) continue;
    if (second === undefined || second.link.strength < tieShare * best.link.strength) {
      into.set(group, best);
      continue;
    }
    const names = candidates.map(({ target }) => rootName(target.root));
    const suspects = [rootName(group.root), ...names].sort();
    tied.set(group, { ...group, root: { kind: "unknown", suspects } });
  }
  const kept = (group: Group): Group => tied.get(group) ?? group;
  for (const [group, { target, link }] of into) {
    const end = kept(endOf(target, into));
    for (const member of group.members) end.members.add(member);
    end.links.push({ from: group.root, to: target.root, link });
  }
  return groups.filter((group) => !into.has(group)).map(kept);
}

function endOf(group: Group, into: ReadonlyMap<Group, Candidate>): Group {
  let end = group;
  for (let next = into.get(end); next !== undefined; next = into.get(end)) end = next.target;
  return end;
}

/** Strongest first. */
function candidatesOf(index: CauseIndex, group: Group, groups: readonly Group[]): Candidate[] {
  const symptom = symptomOf(index, group.root);
  if (symptom === undefined) return [];
  const candidates: Candidate[] = [];
  for (const target of groups) {
    if (target === group || target.root.kind === "unknown") continue;
    const { root } = target;
    const id = root.kind === "node" ? root.id : root.edge.caller;
    const cause = { id, name: rootName(root), seen: rootExcess(index, root) };
    const link = linkThroughQuiet(index, symptom, { ...cause, members: target.members });
    if (link !== undefined) candidates.push({ target, link });
  }
  return candidates.sort((a, b) => b.link.strength - a.link.strength);
}

/** Only bad events that begin at a node, or nowhere, may come from behind quiet nodes. */
function symptomOf(index: CauseIndex, root: Root): CauseNode | undefined {
  if (root.kind === "node") return root.by === "own" ? nodeOf(index, root.id) : undefined;
  const only = root.kind === "unknown" && root.suspects.length === 1 ? root.suspects[0] : undefined;
  return only === undefined ? undefined : nodeOf(index, only);
}

function sumCalls(index: CauseIndex, id: string): Excess {
  let sum = noExcess;
  let customersBad: Hll | undefined;
  for (const { calls } of callsInto(index, id).filter(isBadCall)) {
    if (calls.customersBad !== undefined) {
      if (customersBad === undefined) customersBad = copyHll(calls.customersBad);
      else mergeHll(customersBad, calls.customersBad);
    }
    sum = {
      count: sum.count + calls.count,
      bad: sum.bad + calls.bad,
      expected: sum.expected + calls.expected,
      significant: true,
      onsetMs: earliest(sum.onsetMs, calls.onsetMs),
      customersBad,
    };
  }
  return sum;
}

function earliest(a: number | undefined, b: number | undefined): number | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return Math.min(a, b);
}
