/**
 * Which node or edge explains best what moved: shifts in, suspects out, strongest first.
 *
 * A shift is how far one figure of a node or an edge went from its reference, in robust deviations
 * (or the square root of a log-likelihood ratio), so that kinds compare. Some shifts are a place's
 * own; others arrive there, and are its own only as far as the graph does not account for them:
 *
 *   own        self_time, gap   by what they cost, see time-lost.ts
 *              missing_calls    by what they explain, see broken-calls.ts
 *              resource
 *   arriving   errors, latency  carried from callee to caller
 *              traffic          carried from caller to callee
 *
 * Time, calls and the rest are evidence of different kinds, so their squares add up. A resource
 * counts half where nothing else moved, as long as something else moved elsewhere, and alone it is
 * no more than a hint.
 *
 * An arriving shift is explained by neighbours it can come from that moved at least
 * `explainShareMin` as far; where costs are known, that cost at least this share of its cost. What
 * is explained stays below everything that is not, so a list is never cut short by the rule. With
 * an entry, only what it depends on is suspected, and only for the share of the entry's cost it can
 * account for: what moved surely but costs little is not what is felt there.
 *
 * Source: the traversal of Chen et al., CauseInfer, INFOCOM 2014, and Lin et al., MicroScope, ICSOC
 * 2018 (an anomalous node with no anomalous dependency is a cause).
 */
import { type BrokenOff, brokenCalls } from "./broken-calls.ts";
import { round } from "./evidence.ts";
import {
  groupEdges,
  isBeyondOrdinary,
  type Shift,
  type ShiftKind,
  type SuspectEdge,
  type SuspectGraph,
  type SuspectNode,
  shiftMin,
  sizeOf,
  surpriseOf,
} from "./shifts.ts";
import { type TimeLost, timeLost } from "./time-lost.ts";

export interface Suspect {
  /** Node id, or `caller → callee`. */
  readonly id: string;
  readonly kind: "node" | "edge";
  readonly score: number;
  readonly verdict: "confirmed" | "likely" | "inconclusive";
  readonly evidence: readonly string[];
  /** Self times or gaps are among what speaks against it. */
  readonly lostTime: boolean;
}

/** A neighbour that moved this much of it accounts for a shift. */
const explainShareMin = 0.5;
/** What an entry shows anyway, in deviations: a rise within it is not felt. */
const feltMin = 2;
const chanceMax = 0.05;
/** The strongest is sure when it is this many times the next, and likely when it leads at all. */
const sureLead = 2;
const likelyLead = 1.2;
/** A busy machine where nothing is slow or missing, while elsewhere something is. */
const idleShare = 0.5;
const evidenceMax = 8;

/** Strongest first; ties have equal scores; empty when nothing moved beyond what is ordinary. */
export function rankSuspects(graph: SuspectGraph): readonly Suspect[] {
  const index = indexGraph(graph);
  const ranked = [
    ...graph.nodes.filter(({ id }) => index.isMeant(id)).map((node) => suspectNode(index, node)),
    ...graph.edges
      .filter(({ caller }) => index.isMeant(caller))
      .map((edge) => suspectEdge(index, edge)),
  ]
    .filter(({ score }) => score > 0)
    .toSorted((a, b) => b.score - a.score || (a.id < b.id ? -1 : 1));
  if (ranked[0] === undefined || !isBeyondChance(index, graph, ranked[0])) return [];
  return ranked.map(({ isHint: _, ...suspect }, at) => ({
    ...suspect,
    verdict: verdictOf(ranked, at),
  }));
}

interface Unjudged extends Omit<Suspect, "verdict"> {
  /** A busy machine is a hint, as long as nothing on it is slow, failing or missing. */
  readonly isHint: boolean;
}

interface SuspectIndex {
  readonly nodes: ReadonlyMap<string, SuspectNode>;
  readonly calls: ReadonlyMap<string, readonly SuspectEdge[]>;
  readonly callers: ReadonlyMap<string, readonly SuspectEdge[]>;
  readonly entry: SuspectNode | undefined;
  readonly lost: ReadonlyMap<string, TimeLost>;
  /** The most that one place explains. */
  readonly costMost: number;
  readonly broken: ReadonlyMap<string, BrokenOff>;
  isMeant(id: string): boolean;
}

function indexGraph(graph: SuspectGraph): SuspectIndex {
  const { nodes, edges, entry } = graph;
  const calls = groupEdges(edges, "caller");
  const reached = new Set(entry === undefined ? [] : [entry]);
  for (const id of reached) for (const { callee } of calls.get(id) ?? []) reached.add(callee);
  const isMeant = (id: string): boolean => entry === undefined || reached.has(id);
  const meant = {
    nodes: nodes.filter(({ id }) => isMeant(id)),
    edges: edges.filter(({ caller }) => isMeant(caller)),
  };
  const lost = timeLost(meant, nameOf);
  return {
    lost,
    costMost: Math.max(...[...lost.values()].map(({ cost }) => cost)),
    broken: brokenCalls(meant),
    nodes: new Map(nodes.map((node) => [node.id, node])),
    calls,
    callers: groupEdges(edges, "callee"),
    entry: nodes.find(({ id }) => id === entry),
    isMeant,
  };
}

function suspectNode(index: SuspectIndex, node: SuspectNode): Unjudged {
  const lost = index.lost.get(node.id);
  const broken = index.broken.get(node.id);
  const time = timeScore(index, lost);
  const calls = broken?.surprise ?? 0;
  const others = node.shifts
    .filter((shift) => carriers[shift.kind] !== undefined || shift.kind === "resource")
    .filter(isBeyondOrdinary)
    .map((shift) => ({ shift, score: ownScore(index, node.id, shift) }))
    .toSorted((a, b) => b.score - a.score);
  const isFelt = time + calls > 0 || index.lost.size + index.broken.size === 0;
  const other = (isFelt ? 1 : idleShare) * (others[0]?.score ?? 0);
  const sentences = [
    ...(lost?.shifts ?? []).map(({ place, shift }) => shiftSentence(place, shift)),
    ...node.shifts.filter(isChangedCall).map((shift) => shiftSentence(node.id, shift)),
    ...(index.calls.get(node.id) ?? []).flatMap((edge) =>
      edge.shifts.filter(isChangedCall).map((shift) => shiftSentence(nameOf(edge), shift)),
    ),
    ...(broken?.callers ?? []).map((caller) => brokenSentence(node.id, caller)),
    ...others.map(({ shift }) => shiftSentence(node.id, shift)),
  ];
  const score = Math.hypot(time, calls, other);
  const isHint = time + calls === 0 && others[0]?.shift.kind === "resource";
  const evidence = sentences.slice(0, evidenceMax);
  return { id: node.id, kind: "node", score, isHint, lostTime: time > 0, evidence };
}

function suspectEdge(index: SuspectIndex, edge: SuspectEdge): Unjudged {
  const id = nameOf(edge);
  const lost = index.lost.get(id);
  const evidence = (lost?.shifts ?? []).map(({ place, shift }) => shiftSentence(place, shift));
  return {
    id,
    kind: "edge",
    score: timeScore(index, lost),
    isHint: false,
    lostTime: true,
    evidence,
  };
}

/** What is sure counts for the share it explains of the most that anybody explains. */
function timeScore(index: SuspectIndex, lost: TimeLost | undefined): number {
  return lost === undefined ? 0 : (lost.surprise * lost.cost) / index.costMost;
}

/** How much of a node's shift is its own; below 1 what neighbours account for. */
function ownScore(index: SuspectIndex, id: string, shift: Shift): number {
  const score = surpriseOf(shift);
  const own = isExplained(index, id, shift) ? score / (1 + score) : score;
  return own * shareOfEntry(index, shift);
}

function isExplained(index: SuspectIndex, id: string, shift: Shift): boolean {
  const near = shift.kind === "traffic" ? index.callers.get(id) : index.calls.get(id);
  const through = carriers[shift.kind];
  if (through === undefined || near === undefined) return false;
  const moved = near.flatMap(({ caller, callee, shifts }) => {
    const other = caller === id ? callee : caller;
    if (other === id) return [];
    const there = index.nodes.get(other)?.shifts ?? [];
    return [
      ...there.filter(({ kind }) => through.includes(kind)),
      ...(shift.kind === "traffic" ? [] : shifts.filter(isGap)),
    ];
  });
  return accountsFor(moved.filter(isBeyondOrdinary), shift);
}

/** Together by what they cost, where that is known; otherwise any that moved far enough. */
function accountsFor(causes: readonly Shift[], { kind, score, cost }: Shift): boolean {
  const costs = causes.map((cause) => cause.cost).filter((one) => one !== undefined);
  if (cost === undefined || costs.length < causes.length) {
    const far = explainShareMin * sizeOf({ kind, score });
    return causes.some((cause) => sizeOf(cause) >= far);
  }
  const share = costs.reduce((sum, one) => sum + one, 0) / cost;
  return causes.length > 0 && share >= explainShareMin;
}

/**
 * Whether chance could give the strongest. Where the entry moved, or none is known, something did;
 * otherwise one among as many figures as were looked at lies so far off once in `1 / chanceMax`.
 * What little the entry shows speaks for it: likelihoods multiply.
 */
function isBeyondChance(index: SuspectIndex, graph: SuspectGraph, first: Unjudged): boolean {
  if (index.entry === undefined) return first.score >= shiftMin;
  const felt = Math.max(0, ...index.entry.shifts.map(({ score }) => score));
  if (felt >= shiftMin) return true;
  const looked = graph.nodes.filter(({ id }) => index.isMeant(id)).flatMap(({ shifts }) => shifts);
  const needed = 2 * Math.log(looked.length / chanceMax);
  return first.score >= shiftMin && first.score ** 2 + felt ** 2 >= needed;
}

/** Of what is felt at the entry: what it rose by, or what would be felt there as a rise. */
function shareOfEntry({ entry }: SuspectIndex, { kind, name, cost }: Shift): number {
  const felt = entry?.shifts.find((shift) => shift.kind === kind && shift.name === name);
  if (cost === undefined || felt?.cost === undefined || felt.score === 0) return 1;
  const deviation = felt.cost / felt.score;
  const needed = Math.max(felt.cost, feltMin * deviation);
  return Math.min(1, Math.max(0, cost / needed));
}

/** What a callee shows when a caller's shift comes from it. */
const carriers: { readonly [kind in ShiftKind]?: readonly ShiftKind[] } = {
  errors: ["errors"],
  latency: ["latency", "self_time"],
  traffic: ["traffic"],
};

function isGap({ kind }: Shift): boolean {
  return kind === "gap";
}

/** How clearly one leads: the first over the next, any other never. */
function verdictOf(ranked: readonly Unjudged[], at: number): Suspect["verdict"] {
  const lead = (ranked[0]?.score ?? 0) / (ranked[1]?.score ?? Number.MIN_VALUE);
  if (at > 0 || lead < likelyLead) return "inconclusive";
  return lead >= sureLead && ranked[0]?.isHint !== true ? "confirmed" : "likely";
}

const words: { readonly [kind in ShiftKind]: string } = {
  errors: "failures",
  self_time: "time in itself",
  latency: "time to answer",
  gap: "time between the two",
  missing_calls: "calls for each request",
  traffic: "requests",
  resource: "",
};

function nameOf({ caller, callee }: SuspectEdge): string {
  return `${caller} → ${callee}`;
}

function isChangedCall(shift: Shift): boolean {
  return shift.kind === "missing_calls" && isBeyondOrdinary(shift);
}

function brokenSentence(id: string, caller: string): string {
  if (id === caller) return `${id}: calls other things for each request than before`;
  return `${id}: is what ${caller} still calls of what it used to call`;
}

function shiftSentence(id: string, shift: Shift): string {
  const { kind, name, before, during, unit } = shift;
  const what = [words[kind], name].filter((word) => word !== "").join(" of ");
  const figures = `${round(before)} ${unit} before, ${round(during)} ${unit} now`;
  return `${id}: ${what} ${figures} (${round(sizeOf(shift))} deviations)`;
}
