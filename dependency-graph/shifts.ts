/**
 * What a ranking of suspects reads: places, and how far their figures went from what is usual.
 *
 *   self_time       time in spans of the node outside their children
 *   gap             client duration less server duration of an edge
 *   missing_calls   calls made for each request; fewer, or more
 *   errors, latency, traffic, resource   as they are called
 */

export type ShiftKind =
  | "errors"
  | "self_time"
  | "latency"
  | "gap"
  | "missing_calls"
  | "traffic"
  | "resource";

export interface Shift {
  readonly kind: ShiftKind;
  /** Operation or metric; "" for the whole. */
  readonly name: string;
  /** Robust deviations, or the square root of a log-likelihood ratio; its sign is the direction. */
  readonly score: number;
  readonly before: number;
  readonly during: number;
  readonly unit: string;
  /** What it adds up to over all calls, as time or events: of one unit for caller and callee. */
  readonly cost?: number;
}

export interface SuspectNode {
  readonly id: string;
  readonly shifts: readonly Shift[];
}

export interface SuspectEdge {
  readonly caller: string;
  readonly callee: string;
  readonly shifts: readonly Shift[];
  /** False where too little was seen to tell a gap that moved from one that did not. */
  readonly gapKnown?: boolean;
  /** Calls for each request the caller gets, now. */
  readonly callsPerRequest?: number;
}

export interface SuspectGraph {
  readonly nodes: readonly SuspectNode[];
  readonly edges: readonly SuspectEdge[];
  /** Where the trouble was seen, when known. */
  readonly entry?: string;
}

/** Less is ordinary: 3 deviations, as on any control chart (Shewhart 1931). */
export const shiftMin = 3;

/** A resource that falls is relieved of work, so it is a symptom of whatever took that away. */
export function sizeOf({ kind, score }: Pick<Shift, "kind" | "score">): number {
  return kind === "resource" ? Math.max(0, score) : Math.abs(score);
}

export function isBeyondOrdinary(shift: Shift): boolean {
  return sizeOf(shift) >= shiftMin;
}

/**
 * Deviations as evidence: linear as far as is ordinary, then with the logarithm, as -log p of a
 * heavy tail goes. A hundred deviations are hardly surer than fifty; a share of the trouble is.
 */
export function surpriseOf(shift: Pick<Shift, "kind" | "score">): number {
  const size = sizeOf(shift);
  return size <= shiftMin ? size : shiftMin * (1 + Math.log(size / shiftMin));
}

/** Edges by their caller, or by their callee. */
export function groupEdges(
  edges: readonly SuspectEdge[],
  by: "caller" | "callee",
): ReadonlyMap<string, readonly SuspectEdge[]> {
  const groups = new Map<string, SuspectEdge[]>();
  for (const edge of edges) {
    if (edge.caller === edge.callee) continue;
    const group = groups.get(edge[by]);
    if (group === undefined) groups.set(edge[by], [edge]);
    else group.push(edge);
  }
  return groups;
}
