/** Closes a segment: what its spans say about each other goes into its cube and half-edges. */

import { type CompositeKey, type KeyId, type KeyTable, keyOf } from "../../sketch/key.ts";
import type { HalfEdge } from "../../wire/sketch-batch.ts";
import { type HalfEdgeCandidate, pairSegment } from "../pairing/pair-segment.ts";
import { failedFlag, kindMask } from "../pairing/remembered-span.ts";
import type { SpanMemory } from "../pairing/span-memory.ts";
import {
  durationColumn,
  flagsColumn,
  keyColumn,
  type SpanRows,
  segmentColumn,
  startColumn,
} from "../pairing/span-rows.ts";
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

export function sealSegment(segment: Segment, context: SealContext): SealOutcome {
  const { memory } = context;
  const { rows } = memory;
  const sample = createHalfEdgeSample(context.halfEdgesMax);
  const keyAt = keyResolver(segment, context);
  const { edges } = segment.cube;
  const { cellLog } = context;
  const { entry } = cellLog;
  let unpaired = 0;
  let callsDropped = 0;
  pairSegment(memory, segment.id, {
    span(row, selfNs, origin) {
      entry.cell = cellNumberOf(segment, rows.word(row, keyColumn), cellLog);
      entry.flags = (origin.failed ? failedEntry : 0) | (origin.slow ? slowEntry : 0);
      entry.ns = selfNs;
      cellLog.push();
    },
    edge(caller, callee) {
      const edge = edges.rowFor(keyAt(caller), keyAt(callee));
      if (edge < 0) {
        callsDropped++;
        return;
      }
      edges.addCalls(edge, 1, callFailed(rows, caller, callee) ? 1 : 0);
      edges.gaps.add(edge, gapNs(rows, caller, callee));
    },
    halfEdge: (candidate) => sample.add(candidate),
    unpaired: () => unpaired++,
  });
  cellLog.drain();
  const halfEdges = sample.kept.map((candidate) => halfEdgeOf(candidate, context));
  return { halfEdges, halfEdgeShift: sample.shift, unpaired, callsDropped };
}

/** Key ids within the segment's table, also for rows of other segments. */
function keyResolver(segment: Segment, context: SealContext): (row: number) => KeyId {
  const foreign = new Map<number, Map<KeyId, KeyId>>();
  return (row) => {
    const { rows } = context.memory;
    const id: KeyId = rows.word(row, keyColumn);
    const home = rows.word(row, segmentColumn);
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
function callFailed(rows: SpanRows, caller: number, callee: number): boolean {
  const decides = isMessage(rows, caller) ? callee : caller;
  return (rows.word(decides, flagsColumn) & failedFlag) !== 0;
}

function gapNs(rows: SpanRows, caller: number, callee: number): number {
  const callerNs = rows.time(caller, durationColumn);
  if (!isMessage(rows, caller)) return Math.max(0, callerNs - rows.time(callee, durationColumn));
  return Math.max(0, rows.time(callee, startColumn) - (rows.time(caller, startColumn) + callerNs));
}

function isMessage(rows: SpanRows, caller: number): boolean {
  return spanKinds[rows.word(caller, flagsColumn) & kindMask] === "producer";
}

function halfEdgeOf(candidate: HalfEdgeCandidate, context: SealContext): HalfEdge {
  const { epochMs } = context;
  const { rows } = context.memory;
  const { row } = candidate;
  return {
    side: candidate.side,
    idLow: candidate.idLow >>> 0,
    idHigh: candidate.idHigh >>> 0,
    key: rows.word(row, keyColumn),
    durationNs: rows.time(row, durationColumn),
    startMs: Math.max(0, Math.floor(epochMs + rows.time(row, startColumn) / nsPerMs)),
    failed: (rows.word(row, flagsColumn) & failedFlag) !== 0,
  };
}
