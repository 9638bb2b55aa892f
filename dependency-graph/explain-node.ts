/**
 * One step of the walk: why is this node bad?
 *
 *   own       its bad events begin in it
 *   call      a callee that is bad itself explains it: the walk goes on there
 *   far       a callee that is silent or virtual: the callee is the cause
 *   between   a callee that answers well: the fault lies on the edge
 *   unknown   its bad events neither begin in it nor come from a call
 *
 * Calls are looked at before the node's own spans, as a failed call often fails a span beside it.
 * A node that is bad beyond its calls by `ownShareMin` has a fault of its own.
 */
import { type CauseEdge, type CauseNode, excessOf, excessRateOf } from "./cause-graph.ts";
import { type CauseIndex, callsFrom, callsInto, nodeOf } from "./cause-index.ts";

export type Explanation =
  | { readonly kind: "own"; readonly node: CauseNode }
  | { readonly kind: "call"; readonly edge: CauseEdge }
  | { readonly kind: "far"; readonly edge: CauseEdge }
  | { readonly kind: "between"; readonly edge: CauseEdge }
  | { readonly kind: "unknown"; readonly node: CauseNode };

/** Share of a node's excess that must begin in it, besides what its calls explain. */
const ownShareMin = 0.3;
/** Share of an edge's excess that its callee's must reach for the callee to be bad. */
const calleeShareMin = 0.3;
const calleeRateShareMin = 0.5;
const faintShareMin = 0.5;
/** Onsets are window starts and windows are 10 s: an effect is seen two windows early at most. */
const onsetSlackMs = 20_000;
/** Fewer calls than this say nothing about a caller being fine. */
const healthyCallsMin = 10;
const healthyRateShareMax = 0.25;

export function explainNode(index: CauseIndex, node: CauseNode): Explanation {
  const excess = Math.max(excessOf(node.server), excessOf(node.origin));
  const calls = callsFrom(index, node.id).filter((edge) => isBadCall(edge));
  const timely = calls.filter((edge) => !isLaterThan(edge, node));
  const explaining = timely.length > 0 || node.origin.significant ? timely : calls;
  const explained = explaining.reduce((sum, edge) => sum + excessOf(edge.calls), 0);
  const own = excessOf(node.origin);
  if (node.origin.significant && own >= ownShareMin * excess) {
    if (excess - explained >= ownShareMin * excess) return { kind: "own", node };
  }
  const first = explaining[0];
  if (first !== undefined) return explainEdge(index, first);
  if (own > 0 && (node.origin.significant || own >= 0.5 * excess)) return { kind: "own", node };
  const faint = faintCall(index, node, excess);
  return faint === undefined ? { kind: "unknown", node } : { kind: "call", edge: faint };
}

/** Too few failed calls to be believed alone, yet together most of it, and to bad nodes. */
function faintCall(index: CauseIndex, node: CauseNode, excess: number): CauseEdge | undefined {
  const faint = callsFrom(index, node.id).filter(
    (edge) =>
      excessOf(edge.calls) > 0 &&
      nodeOf(index, edge.callee).server.significant &&
      !isLaterThan(edge, node),
  );
  const together = faint.reduce((sum, edge) => sum + excessOf(edge.calls), 0);
  return together >= faintShareMin * excess ? faint[0] : undefined;
}

/** Where an edge whose calls are bad leads. */
export function explainEdge(index: CauseIndex, edge: CauseEdge): Explanation {
  const callee = nodeOf(index, edge.callee);
  if (!callee.virtual && isCalleeBad(edge, callee)) return { kind: "call", edge };
  if (callee.silent) return { kind: "far", edge };
  const { bad, healthy } = callersByHealth(index, edge);
  if (callee.virtual || callee.server.count === 0) {
    return healthy > 0 && bad <= healthy ? { kind: "between", edge } : { kind: "far", edge };
  }
  return bad > 1 && healthy === 0 ? { kind: "far", edge } : { kind: "between", edge };
}

export function isBadCall(edge: CauseEdge): boolean {
  return edge.calls.significant && excessOf(edge.calls) > 0;
}

/** How many callers of the edge's callee see it bad, and how many see it well. */
export function callersByHealth(
  index: CauseIndex,
  edge: CauseEdge,
): { readonly bad: number; readonly healthy: number } {
  const siblings = callsInto(index, edge.callee);
  const rate = excessRateOf(edge.calls);
  const healthy = siblings.filter(
    ({ calls }) =>
      !calls.significant &&
      calls.count >= healthyCallsMin &&
      excessRateOf(calls) < healthyRateShareMax * rate,
  );
  return { bad: siblings.filter(isBadCall).length, healthy: healthy.length };
}

function isCalleeBad(edge: CauseEdge, callee: CauseNode): boolean {
  const wanted = excessOf(edge.calls);
  const seen = Math.max(excessOf(callee.server), excessOf(callee.origin));
  if (seen >= calleeShareMin * wanted && seen >= 2) return true;
  const rate = excessRateOf(callee.server);
  return callee.server.significant && rate >= calleeRateShareMin * excessRateOf(edge.calls);
}

function isLaterThan(edge: CauseEdge, node: CauseNode): boolean {
  const effectMs = node.server.onsetMs ?? node.origin.onsetMs;
  const causeMs = edge.calls.onsetMs;
  return effectMs !== undefined && causeMs !== undefined && causeMs > effectMs + onsetSlackMs;
}
