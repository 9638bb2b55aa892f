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
import {
  durationColumn,
  firstChildColumn,
  flagsColumn,
  idHighColumn,
  idLowColumn,
  nextSiblingColumn,
  parentColumn,
  parentHighColumn,
  parentLowColumn,
  processColumn,
  type SpanRows,
  segmentColumn,
  startColumn,
  traceColumn,
} from "./span-rows.ts";
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
  /** `idHigh` and `idLow`, signed words, are of the client's span, which both sides know. */
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
  const { rows } = memory;
  const { first, end } = memory.rangeOf(segment);
  for (let row = first; row < end; row++) {
    if (rows.word(row, segmentColumn) !== segment) continue;
    pairChildren(memory, row, children, sink);
    pairWithCaller(memory, row, sink);
  }
  const waiting = pairLinks(memory, segment, sink);
  for (let row = first; row < end; row++) {
    if (rows.word(row, segmentColumn) !== segment) continue;
    const kind = kindOf(rows, row);
    if (kind === client || kind === producer) reportCaller(rows, row, sink);
    if (kind === server || kind === consumer) reportCallee(memory, row, waiting, sink);
  }
}

function pairChildren(
  memory: SpanMemory,
  row: number,
  children: Children,
  sink: PairingSink,
): void {
  const { rows } = memory;
  const start = rows.time(row, startColumn);
  const end = start + rows.time(row, durationColumn);
  children.count = 0;
  children.failed = false;
  children.slow = false;
  let child = rows.word(row, firstChildColumn);
  for (; child !== none; child = rows.word(child, nextSiblingColumn)) {
    if (isLocal(rows, row, child)) addChild(rows, child, children, { start, end });
    else countEdge(rows, row, child, sink);
  }
  const flags = rows.word(row, flagsColumn);
  const { origin } = children;
  origin.failed = (flags & failedFlag) !== 0 && !children.failed;
  origin.slow = (flags & slowFlag) !== 0 && !children.slow;
  const childrenNs = unionLength(children.starts, children.ends, children.count);
  sink.span(row, end - start - childrenNs, origin);
}

function addChild(
  rows: SpanRows,
  child: number,
  children: Children,
  parent: { start: number; end: number },
): void {
  const flags = rows.word(child, flagsColumn);
  if ((flags & failedFlag) !== 0) children.failed = true;
  if ((flags & slowFlag) !== 0) children.slow = true;
  const childStart = rows.time(child, startColumn);
  const start = Math.max(parent.start, childStart);
  const end = Math.min(parent.end, childStart + rows.time(child, durationColumn));
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
  const { rows } = memory;
  const caller = rows.word(row, parentColumn);
  if (caller !== none && caller !== row && !isLocal(rows, caller, row)) {
    countEdge(rows, caller, row, sink);
  }
}

/** Counts the edge from a remote parent once, whichever of the two comes here first. */
function countEdge(rows: SpanRows, caller: number, callee: number, sink: PairingSink): void {
  const flags = rows.word(callee, flagsColumn);
  if ((flags & edgeFlag) !== 0) return;
  rows.setWord(callee, flagsColumn, flags | edgeFlag);
  rows.setWord(caller, flagsColumn, rows.word(caller, flagsColumn) | pairedFlag);
  sink.edge(caller, callee);
}

/** Counts the edges of links; gives the rows with a link to a span nobody has seen. */
function pairLinks(memory: SpanMemory, segment: number, sink: PairingSink): ReadonlySet<number> {
  const { rows } = memory;
  const waiting = new Set<number>();
  for (let link = 0; link < memory.linkCount; link++) {
    const row = memory.linkRow[link] as number;
    if (rows.word(row, segmentColumn) !== segment) continue;
    const idHigh = memory.linkHigh[link] as number;
    const idLow = memory.linkLow[link] as number;
    const isParent =
      rows.word(row, parentHighColumn) === idHigh && rows.word(row, parentLowColumn) === idLow;
    if (isParent) continue;
    const trace = memory.linkTrace[link] as number;
    const found = memory.find(idHigh, idLow, trace);
    if (found === none) {
      waiting.add(row);
      sink.halfEdge({ side: "callee", row, idHigh, idLow, trace });
    } else if (kindOf(rows, found) === producer) {
      rows.setWord(found, flagsColumn, rows.word(found, flagsColumn) | pairedFlag);
      rows.setWord(row, flagsColumn, rows.word(row, flagsColumn) | edgeFlag);
      sink.edge(found, row);
    }
  }
  return waiting;
}

function reportCaller(rows: SpanRows, row: number, sink: PairingSink): void {
  if ((rows.word(row, flagsColumn) & (pairedFlag | databaseFlag)) !== 0) return;
  const idHigh = rows.word(row, idHighColumn);
  const idLow = rows.word(row, idLowColumn);
  sink.halfEdge({ side: "caller", row, idHigh, idLow, trace: rows.word(row, traceColumn) });
}

function reportCallee(
  memory: SpanMemory,
  row: number,
  waiting: ReadonlySet<number>,
  sink: PairingSink,
): void {
  const { rows } = memory;
  if ((rows.word(row, flagsColumn) & edgeFlag) !== 0) return;
  const orphan = memory.hasParent(row) && rows.word(row, parentColumn) === none;
  if (orphan || waiting.has(row)) sink.unpaired(row);
  if (!orphan) return;
  const idHigh = rows.word(row, parentHighColumn);
  const idLow = rows.word(row, parentLowColumn);
  sink.halfEdge({ side: "callee", row, idHigh, idLow, trace: rows.word(row, traceColumn) });
}

function isLocal(rows: SpanRows, parent: number, child: number): boolean {
  if (rows.word(parent, processColumn) !== rows.word(child, processColumn)) return false;
  const flags = rows.word(child, flagsColumn);
  if ((flags & remoteFlag) !== 0) return false;
  const parentKind = kindOf(rows, parent);
  const childKind = flags & kindMask;
  const isCaller = parentKind === client || parentKind === producer;
  return !(isCaller && (childKind === server || childKind === consumer));
}

function kindOf(rows: SpanRows, row: number): number {
  return rows.word(row, flagsColumn) & kindMask;
}
