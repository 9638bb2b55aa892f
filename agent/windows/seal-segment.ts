/** Closes a segment: what its spans say about each other goes into its cube and half-edges. */

import type { EdgeCell } from "../../sketch/cell.ts";
import { edgeOf } from "../../sketch/cube.ts";
import { addHistogram } from "../../sketch/histogram.ts";
import { type CompositeKey, type KeyId, type KeyTable, keyOf } from "../../sketch/key.ts";
import type { HalfEdge } from "../../wire/sketch-batch.ts";
import { type HalfEdgeCandidate, pairSegment } from "../pairing/pair-segment.ts";
import { failedFlag, kindMask } from "../pairing/remembered-span.ts";
import type { SpanMemory } from "../pairing/span-memory.ts";
import { spanKinds } from "../reduce/attributes.ts";
import { type CellLog, failedEntry, slowEntry } from "./cell-log.ts";
import { createHalfEdgeSample } from "./half-edge-sample.ts";
import { admitKey, cellNumberOf, type Segment } from "./segment.ts";

export interface SealContext {
  readonly memory: SpanMemory;
  readonly cellLog: CellLog;
  /** Key tables of the segments whose spans are remembered, by segment id. */
  readonly tables: ReadonlyMap<number, KeyTable>;
  readonly halfEdgesMax: number;
  /** Epoch milliseconds at the memory's time zero. */
  readonly epochMs: number;
}

export interface SealOutcome {
  readonly halfEdges: HalfEdge[];
  readonly halfEdgeShift: number;
  readonly unpaired: number;
  /** Calls left out because the cube has all the edges it may. */
  readonly callsDropped: number;
}

const nsPerMs = 1_000_000;
/** More than any table holds, so a pair of ids is one number. */
const keysPerTableMax = 2 ** 20;

export function sealSegment(segment: Segment, context: SealContext): SealOutcome {
  const { memory } = context;
  const sample = createHalfEdgeSample(context.halfEdgesMax);
  const keyAt = keyResolver(segment, context);
  const edgeAt = edgeFinder(segment);
  const { cellLog } = context;
  const { entry } = cellLog;
  let unpaired = 0;
  let callsDropped = 0;
  pairSegment(memory, segment.id, {
    span(row, selfNs, origin) {
      entry.cell = cellNumberOf(segment, memory.key[row] as KeyId, cellLog);
      entry.flags = (origin.failed ? failedEntry : 0) | (origin.slow ? slowEntry : 0);
      entry.ns = selfNs;
      cellLog.push();
    },
    edge(caller, callee) {
      const edge = edgeAt(keyAt(caller), keyAt(callee));
      if (edge === undefined) {
        callsDropped++;
        return;
      }
      edge.count++;
      if (callFailed(memory, caller, callee)) edge.errors++;
      addHistogram(edge.gapNs, gapNs(memory, caller, callee));
    },
    halfEdge: (candidate) => sample.add(candidate),
    unpaired: () => unpaired++,
  });
  cellLog.drain();
  const halfEdges = sample.kept.map((candidate) => halfEdgeOf(candidate, context));
  return { halfEdges, halfEdgeShift: sample.shift, unpaired, callsDropped };
}

/**
 * The edges of the cube by numbers: putting a name together for every call took as long as all else
 * that is done for it.
 */
function edgeFinder(segment: Segment): (caller: KeyId, callee: KeyId) => EdgeCell | undefined {
  const known = new Map<number, EdgeCell>();
  return (caller, callee) => {
    const pair = caller * keysPerTableMax + callee;
    const found = known.get(pair);
    if (found !== undefined) return found;
    const edge = edgeOf(segment.cube, caller, callee);
    if (edge !== undefined) known.set(pair, edge);
    return edge;
  };
}

/** Key ids within the segment's table, also for rows of other segments. */
function keyResolver(segment: Segment, context: SealContext): (row: number) => KeyId {
  const foreign = new Map<number, Map<KeyId, KeyId>>();
  return (row) => {
    const id = context.memory.key[row] as KeyId;
    const home = context.memory.segment[row] as number;
    if (home === segment.id) return id;
    const ids = foreign.get(home) ?? new Map<KeyId, KeyId>();
    foreign.set(home, ids);
    let known = ids.get(id);
    if (known === undefined) {
      const key: CompositeKey = keyOf(context.tables.get(home) as KeyTable, id);
      known = admitKey(segment, key).key;
      ids.set(id, known);
    }
    return known;
  };
}

/** A message is sent long before it is processed, so the consumer says how it went. */
function callFailed(memory: SpanMemory, caller: number, callee: number): boolean {
  const decides = isMessage(memory, caller) ? callee : caller;
  return ((memory.flags[decides] as number) & failedFlag) !== 0;
}

function gapNs(memory: SpanMemory, caller: number, callee: number): number {
  const callerNs = memory.durationNs[caller] as number;
  if (!isMessage(memory, caller))
    return Math.max(0, callerNs - (memory.durationNs[callee] as number));
  const sentNs = (memory.startNs[caller] as number) + callerNs;
  return Math.max(0, (memory.startNs[callee] as number) - sentNs);
}

function isMessage(memory: SpanMemory, caller: number): boolean {
  return spanKinds[(memory.flags[caller] as number) & kindMask] === "producer";
}

function halfEdgeOf(candidate: HalfEdgeCandidate, context: SealContext): HalfEdge {
  const { memory, epochMs } = context;
  const { row } = candidate;
  return {
    side: candidate.side,
    idLow: candidate.idLow,
    idHigh: candidate.idHigh,
    key: memory.key[row] as KeyId,
    durationNs: memory.durationNs[row] as number,
    startMs: Math.max(0, Math.floor(epochMs + (memory.startNs[row] as number) / nsPerMs)),
    failed: ((memory.flags[row] as number) & failedFlag) !== 0,
  };
}
