/**
 * Joins the two sides of a call that different agents saw, by the id both sides know: the caller's
 * span id.
 *
 *   pending   id -> the caller and its callees, until the wait is over (event time)
 *
 * Laws: what is joined does not depend on the order of half-edges nor on repeats of them. To keep
 * that, a half-edge older than the wait is refused and counted, as its other side may be gone. A
 * retry has a span id of its own; several callees of one id (a fan-out by links) each join.
 *
 * Bounds: `idsMax` ids at once; when full the oldest id goes, counted. `calleesMax` callees an id.
 */
export interface HalfEdgeSide<Key> {
  readonly side: "caller" | "callee";
  readonly idLow: number;
  readonly idHigh: number;
  readonly key: Key;
  readonly startMs: number;
  readonly durationNs: number;
  readonly failed: boolean;
  /** A message waits between its two sides, a call encloses its callee. */
  readonly kind: "call" | "message";
}

export interface JoinedEdge<Key> {
  readonly caller: Key;
  readonly callee: Key;
  /** Start of the caller's side. */
  readonly startMs: number;
  /** Call: caller's duration less callee's. Message: from producer end to consumer start. >= 0. */
  readonly gapNs: number;
  readonly callerFailed: boolean;
  readonly calleeFailed: boolean;
}

export interface HalfEdgeJoinLimits {
  readonly idsMax: number;
  readonly calleesMax: number;
  readonly waitMs: number;
}

export const defaultHalfEdgeJoinLimits: HalfEdgeJoinLimits = {
  idsMax: 100_000,
  calleesMax: 16,
  waitMs: 60_000,
};

/** All counts are of half-edges. `unmatched` ended their wait without another side. */
export interface HalfEdgeCounts {
  added: number;
  repeated: number;
  matched: number;
  unmatchedCallers: number;
  unmatchedCallees: number;
  late: number;
  evicted: number;
  overflowed: number;
}

interface Pending<Key> {
  /** The latest end of its half-edges. */
  endMs: number;
  caller: HalfEdgeSide<Key> | undefined;
  readonly callees: HalfEdgeSide<Key>[];
}

export interface HalfEdgeJoin<Key> {
  readonly limits: HalfEdgeJoinLimits;
  readonly counts: HalfEdgeCounts;
  /** In order of arrival. */
  readonly pending: Map<string, Pending<Key>>;
  /** Event time of the last look for ids whose wait is over. */
  expiredMs: number;
}

const expiryPeriodMs = 1_000;

export function createHalfEdgeJoin<Key>(
  limits: HalfEdgeJoinLimits = defaultHalfEdgeJoinLimits,
): HalfEdgeJoin<Key> {
  return {
    limits,
    pending: new Map(),
    expiredMs: Number.NEGATIVE_INFINITY,
    counts: {
      added: 0,
      repeated: 0,
      matched: 0,
      unmatchedCallers: 0,
      unmatchedCallees: 0,
      late: 0,
      evicted: 0,
      overflowed: 0,
    },
  };
}

/** Adds half-edges and gives the calls they complete. `nowMs` is event time: the watermark. */
export function addHalfEdges<Key>(
  join: HalfEdgeJoin<Key>,
  halfEdges: readonly HalfEdgeSide<Key>[],
  nowMs: number,
): JoinedEdge<Key>[] {
  expireHalfEdges(join, nowMs);
  const joined: JoinedEdge<Key>[] = [];
  for (const half of halfEdges) {
    join.counts.added += 1;
    if (endOf(half) + join.limits.waitMs < nowMs) {
      join.counts.late += 1;
      continue;
    }
    addOne(join, half, joined);
  }
  return joined;
}

/** Lets go of the ids whose wait is over at `nowMs`; looks again once a second has passed. */
export function expireHalfEdges<Key>(join: HalfEdgeJoin<Key>, nowMs: number): void {
  if (nowMs < join.expiredMs + expiryPeriodMs) return;
  join.expiredMs = nowMs;
  for (const [id, pending] of join.pending) {
    if (pending.endMs + join.limits.waitMs >= nowMs) continue;
    release(join, id, pending);
  }
}

function addOne<Key>(
  join: HalfEdgeJoin<Key>,
  half: HalfEdgeSide<Key>,
  joined: JoinedEdge<Key>[],
): void {
  const id = `${half.idHigh}:${half.idLow}`;
  let pending = join.pending.get(id);
  if (pending === undefined) {
    if (join.pending.size >= join.limits.idsMax) evictOldest(join);
    pending = { endMs: endOf(half), caller: undefined, callees: [] };
    join.pending.set(id, pending);
  }
  pending.endMs = Math.max(pending.endMs, endOf(half));
  if (half.side === "caller") {
    if (pending.caller !== undefined) {
      join.counts.repeated += 1;
      return;
    }
    pending.caller = half;
    if (pending.callees.length > 0) join.counts.matched += 1 + pending.callees.length;
    for (const callee of pending.callees) joined.push(joinSides(half, callee));
    return;
  }
  if (pending.callees.some((known) => isSame(known, half))) {
    join.counts.repeated += 1;
  } else if (pending.callees.length >= join.limits.calleesMax) {
    join.counts.overflowed += 1;
  } else {
    pending.callees.push(half);
    if (pending.caller === undefined) return;
    join.counts.matched += pending.callees.length === 1 ? 2 : 1;
    joined.push(joinSides(pending.caller, half));
  }
}

function joinSides<Key>(caller: HalfEdgeSide<Key>, callee: HalfEdgeSide<Key>): JoinedEdge<Key> {
  const gapNs =
    caller.kind === "message"
      ? (callee.startMs - caller.startMs) * 1e6 - caller.durationNs
      : caller.durationNs - callee.durationNs;
  return {
    caller: caller.key,
    callee: callee.key,
    startMs: caller.startMs,
    gapNs: Math.max(0, gapNs),
    callerFailed: caller.failed,
    calleeFailed: callee.failed,
  };
}

/** A resent half-edge equals the first in all it says; keys are compared by what they hold. */
function isSame<Key>(a: HalfEdgeSide<Key>, b: HalfEdgeSide<Key>): boolean {
  return (
    a.startMs === b.startMs &&
    a.durationNs === b.durationNs &&
    a.failed === b.failed &&
    JSON.stringify(a.key) === JSON.stringify(b.key)
  );
}

function endOf(half: { readonly startMs: number; readonly durationNs: number }): number {
  return half.startMs + half.durationNs / 1e6;
}

function evictOldest<Key>(join: HalfEdgeJoin<Key>): void {
  for (const [id, pending] of join.pending) {
    join.counts.evicted += (pending.caller === undefined ? 0 : 1) + pending.callees.length;
    join.pending.delete(id);
    return;
  }
}

function release<Key>(join: HalfEdgeJoin<Key>, id: string, pending: Pending<Key>): void {
  join.pending.delete(id);
  if (pending.caller === undefined) join.counts.unmatchedCallees += pending.callees.length;
  else if (pending.callees.length === 0) join.counts.unmatchedCallers += 1;
}
