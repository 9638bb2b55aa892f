/**
 * What the spans of one segment say about each other, found when its window is sealed.
 *
 * A child is local when it ran in its parent's process: equal resources, not flagged as remote, and
 * not a server or consumer span under a client or producer span (two copies of a service may have
 * equal resources). Any other child is remote, and parent to child is a call.
 *
 *   self time  duration less the union of the local children's intervals, clipped to the span
 *   origin     bad, and no local child is bad
 *   edge       caller to callee, counted at the seal of whichever side is sealed while both are
 *              remembered; a consumer's links to producers count as calls too
 *   half-edge  a client or producer without a callee, a server or consumer without its caller
 *
 * What is approximate: a span is findable until 10 s after its own window was sealed, so children
 * that end more than about 20 s before their parent, or arrive after the parent's window was
 * sealed, are missing from its self time and origin. A caller that arrives after its callee's
 * window was sealed still gives the edge, but the callee went out as a half-edge before. A consumer
 * whose linked producer arrives after it leaves both as half-edges.
 */
import {
  databaseFlag,
  edgeFlag,
  failedFlag,
  kindMask,
  pairedFlag,
  remoteFlag,
  slowFlag,
} from "./remembered-span.ts";
import type { SpanMemory } from "./span-memory.ts";
import { unionLength } from "./union-length.ts";

/** What went wrong in a span itself and in no local child of it. */
export interface Origin {
  failed: boolean;
  slow: boolean;
}

export interface PairingSink {
  /** Called once for every span of the segment; `origin` is overwritten for the next. */
  span(row: number, selfNs: number, origin: Origin): void;
  edge(caller: number, callee: number): void;
  /** `idHigh` and `idLow` are of the client's span, which both sides know. */
  halfEdge(half: HalfEdgeCandidate): void;
  /** A server or consumer span that has a caller nobody has seen. */
  unpaired(row: number): void;
}

export interface HalfEdgeCandidate {
  readonly side: "caller" | "callee";
  readonly row: number;
  readonly idHigh: number;
  readonly idLow: number;
  /** Of the caller's trace, which a link need not share. */
  readonly trace: number;
}

const none = -1;
const server = 2;
const client = 3;
const producer = 4;
const consumer = 5;

interface Children {
  starts: Float64Array;
  ends: Float64Array;
  count: number;
  failed: boolean;
  slow: boolean;
  readonly origin: Origin;
}

/** Reports every span of the segment to the sink. */
export function pairSegment(memory: SpanMemory, segment: number, sink: PairingSink): void {
  const children: Children = {
    starts: new Float64Array(64),
    ends: new Float64Array(64),
    count: 0,
    failed: false,
    slow: false,
    origin: { failed: false, slow: false },
  };
  memory.linkWaiting();
  let row = memory.firstInSegment(segment);
  for (; row !== none; row = memory.nextInSegment[row] as number) {
    pairChildren(memory, row, children, sink);
    pairWithCaller(memory, row, sink);
  }
  const waiting = pairLinks(memory, segment, sink);
  row = memory.firstInSegment(segment);
  for (; row !== none; row = memory.nextInSegment[row] as number) {
    const kind = kindOf(memory, row);
    if (kind === client || kind === producer) reportCaller(memory, row, sink);
    if (kind === server || kind === consumer) reportCallee(memory, row, waiting, sink);
  }
}

function pairChildren(
  memory: SpanMemory,
  row: number,
  children: Children,
  sink: PairingSink,
): void {
  const start = memory.startNs[row] as number;
  const end = start + (memory.durationNs[row] as number);
  children.count = 0;
  children.failed = false;
  children.slow = false;
  let child = memory.firstChild[row] as number;
  for (; child !== none; child = memory.nextSibling[child] as number) {
    if (isLocal(memory, row, child)) addChild(memory, child, children, { start, end });
    else countEdge(memory, row, child, sink);
  }
  const flags = memory.flags[row] as number;
  const { origin } = children;
  origin.failed = (flags & failedFlag) !== 0 && !children.failed;
  origin.slow = (flags & slowFlag) !== 0 && !children.slow;
  const childrenNs = unionLength(children.starts, children.ends, children.count);
  sink.span(row, end - start - childrenNs, origin);
}

function addChild(
  memory: SpanMemory,
  child: number,
  children: Children,
  parent: { start: number; end: number },
): void {
  const flags = memory.flags[child] as number;
  if ((flags & failedFlag) !== 0) children.failed = true;
  if ((flags & slowFlag) !== 0) children.slow = true;
  const childStart = memory.startNs[child] as number;
  const start = Math.max(parent.start, childStart);
  const end = Math.min(parent.end, childStart + (memory.durationNs[child] as number));
  if (end <= start) return;
  if (children.count === children.starts.length) {
    children.starts = doubled(children.starts);
    children.ends = doubled(children.ends);
  }
  children.starts[children.count] = start;
  children.ends[children.count] = end;
  children.count++;
}

function doubled(from: Float64Array): Float64Array {
  const to = new Float64Array(from.length * 2);
  to.set(from);
  return to;
}

function pairWithCaller(memory: SpanMemory, row: number, sink: PairingSink): void {
  const caller = memory.parentRow[row] as number;
  if (caller !== none && caller !== row && !isLocal(memory, caller, row)) {
    countEdge(memory, caller, row, sink);
  }
}

/** Counts the edge from a remote parent once, whichever of the two comes here first. */
function countEdge(memory: SpanMemory, caller: number, callee: number, sink: PairingSink): void {
  const flags = memory.flags[callee] as number;
  if ((flags & edgeFlag) !== 0) return;
  memory.flags[callee] = flags | edgeFlag;
  memory.flags[caller] = (memory.flags[caller] as number) | pairedFlag;
  sink.edge(caller, callee);
}

/** Counts the edges of links; gives the rows with a link to a span nobody has seen. */
function pairLinks(memory: SpanMemory, segment: number, sink: PairingSink): ReadonlySet<number> {
  const waiting = new Set<number>();
  for (let link = 0; link < memory.linkCount; link++) {
    const row = memory.linkRow[link] as number;
    if (memory.segment[row] !== segment) continue;
    const idHigh = memory.linkHigh[link] as number;
    const idLow = memory.linkLow[link] as number;
    if (memory.parentHigh[row] === idHigh && memory.parentLow[row] === idLow) continue;
    const trace = memory.linkTrace[link] as number;
    const found = memory.find(idHigh, idLow, trace);
    if (found === none) {
      waiting.add(row);
      sink.halfEdge({ side: "callee", row, idHigh, idLow, trace });
    } else if (kindOf(memory, found) === producer) {
      memory.flags[found] = (memory.flags[found] as number) | pairedFlag;
      memory.flags[row] = (memory.flags[row] as number) | edgeFlag;
      sink.edge(found, row);
    }
  }
  return waiting;
}

function reportCaller(memory: SpanMemory, row: number, sink: PairingSink): void {
  if (((memory.flags[row] as number) & (pairedFlag | databaseFlag)) !== 0) return;
  const idHigh = memory.idHigh[row] as number;
  const idLow = memory.idLow[row] as number;
  sink.halfEdge({ side: "caller", row, idHigh, idLow, trace: memory.trace[row] as number });
}

function reportCallee(
  memory: SpanMemory,
  row: number,
  waiting: ReadonlySet<number>,
  sink: PairingSink,
): void {
  if (((memory.flags[row] as number) & edgeFlag) !== 0) return;
  const orphan = memory.hasParent(row) && memory.parentRow[row] === none;
  if (orphan || waiting.has(row)) sink.unpaired(row);
  if (!orphan) return;
  const idHigh = memory.parentHigh[row] as number;
  const idLow = memory.parentLow[row] as number;
  sink.halfEdge({ side: "callee", row, idHigh, idLow, trace: memory.trace[row] as number });
}

function isLocal(memory: SpanMemory, parent: number, child: number): boolean {
  if (memory.process[parent] !== memory.process[child]) return false;
  const flags = memory.flags[child] as number;
  if ((flags & remoteFlag) !== 0) return false;
  const parentKind = kindOf(memory, parent);
  const childKind = flags & kindMask;
  const isCaller = parentKind === client || parentKind === producer;
  return !(isCaller && (childKind === server || childKind === consumer));
}

function kindOf(memory: SpanMemory, row: number): number {
  return (memory.flags[row] as number) & kindMask;
}
