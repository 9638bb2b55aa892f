/**
 * Who lost the time: self times and gaps are in one currency, seconds over all calls, and a node is
 * charged with what its trouble would explain.
 *
 *   in itself      its own self time
 *   in front of it the gaps of the calls into it: its network, or its queue
 *   all around it  the gaps of the calls into it and out of it: a process that gets no processor is
 *                  late to send and late to receive
 *
 * A trouble at a node shows at all of its edges of that kind, so what is charged is scaled by the
 * share of them that moved: one slow call of ten is no slow caller, nor one slow caller of three a
 * slow callee. It is then a fault of the edge, where either end has other edges that did not move.
 *
 * Source: fault localisation by the coverage of observed symptoms, as Kompella et al., SCORE, NSDI
 * 2005 (risk groups: hit ratio and coverage ratio).
 */
import {
  groupEdges,
  isBeyondOrdinary,
  type Shift,
  type SuspectEdge,
  type SuspectGraph,
  surpriseOf,
} from "./shifts.ts";

export interface PlacedShift {
  /** Node id or edge name. */
  readonly place: string;
  readonly shift: Shift;
}

export interface TimeLost {
  /** Seconds it explains. */
  readonly cost: number;
  /** The strongest of what moved. */
  readonly surprise: number;
  readonly shifts: readonly PlacedShift[];
}

interface Gaps {
  cost: number;
  surprise: number;
  moved: number;
  /** Of which too little is known for some. */
  edges: number;
  readonly shifts: PlacedShift[];
}

/** An edge with too few calls moved as likely as not. */
const unknownShare = 0.5;

/** By node id and by edge name; only what lost time. */
export function timeLost(
  graph: SuspectGraph,
  nameOf: (edge: SuspectEdge) => string,
): ReadonlyMap<string, TimeLost> {
  const into = groupEdges(graph.edges, "callee");
  const outOf = groupEdges(graph.edges, "caller");
  const lost = new Map<string, TimeLost>();
  for (const { id, shifts } of graph.nodes) {
    const own = shifts.filter((shift) => shift.kind === "self_time" && isLoss(shift));
    const gaps = chargedGaps(sumGaps(nameOf, into.get(id)), sumGaps(nameOf, outOf.get(id)));
    const moved = [...own.map((shift) => ({ place: id, shift })), ...gaps.shifts];
    if (moved.length === 0) continue;
    lost.set(id, {
      cost: costOf(own) + gaps.cost,
      surprise: Math.max(gaps.surprise, ...own.map(surpriseOf)),
      shifts: moved,
    });
  }
  for (const edge of graph.edges) {
    const gap = edge.shifts.find((shift) => shift.kind === "gap" && isLoss(shift));
    const isAlone = [into.get(edge.callee), outOf.get(edge.caller)].every((edges) =>
      edges?.some((other) => other.gapKnown !== false && !hasLoss(other)),
    );
    if (gap === undefined || !isAlone) continue;
    const shifts = [{ place: nameOf(edge), shift: gap }];
    lost.set(nameOf(edge), { cost: costOf([gap]), surprise: surpriseOf(gap), shifts });
  }
  return lost;
}

/** The better of the two explanations, by what it covers. */
function chargedGaps(into: Gaps, outOf: Gaps): Pick<Gaps, "cost" | "surprise" | "shifts"> {
  const edges = into.edges + outOf.edges;
  const inFront = into.edges === 0 ? 0 : (into.cost * into.moved) / into.edges;
  const around = edges === 0 ? 0 : ((into.cost + outOf.cost) * (into.moved + outOf.moved)) / edges;
  if (inFront >= around) return { ...into, cost: inFront };
  return {
    cost: around,
    surprise: Math.max(into.surprise, outOf.surprise),
    shifts: [...into.shifts, ...outOf.shifts],
  };
}

function sumGaps(nameOf: (edge: SuspectEdge) => string, edges: readonly SuspectEdge[] = []): Gaps {
  const sum: Gaps = { cost: 0, surprise: 0, moved: 0, edges: 0, shifts: [] };
  for (const edge of edges) {
    const { shifts, gapKnown } = edge;
    const gap = shifts.find((shift) => shift.kind === "gap" && isLoss(shift));
    sum.edges += gap === undefined && gapKnown === false ? unknownShare : 1;
    if (gap === undefined) continue;
    sum.cost += costOf([gap]);
    sum.surprise = Math.max(sum.surprise, surpriseOf(gap));
    sum.moved++;
    sum.shifts.push({ place: nameOf(edge), shift: gap });
  }
  return sum;
}

function hasLoss({ shifts }: SuspectEdge): boolean {
  return shifts.some((shift) => shift.kind === "gap" && isLoss(shift));
}

function isLoss(shift: Shift): boolean {
  return shift.score > 0 && isBeyondOrdinary(shift);
}

/** Where no cost is told each counts alike. */
function costOf(shifts: readonly Shift[]): number {
  return shifts.reduce((sum, { cost = 1 }) => sum + cost, 0);
}
