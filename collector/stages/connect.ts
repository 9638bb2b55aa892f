/**
 * Who calls whom, learnt from a window: local pairs whole, calls between agents from the half-edges
 * that join. The gap of a call (client duration less server duration) is network and queueing, and
 * has a reference of its own per edge, as a network fault shows there and nowhere else.
 */
import {
  addHalfEdges,
  type HalfEdgeSide,
  type JoinedEdge,
} from "../../dependency-graph/half-edge-join.ts";
import {
  type AnsweredRow,
  type CallRow,
  learnServiceGraph,
  resolvePeer,
} from "../../dependency-graph/service-graph.ts";
import type { Cube } from "../../sketch/cube.ts";
import {
  addHistogram,
  createHistogram,
  type Histogram,
  mergeHistogram,
} from "../../sketch/histogram.ts";
import { isMetricKey, keyOf } from "../../sketch/key.ts";
import type { ClosedWindow, HalfEdgeInWindow } from "../decide.ts";
import type { CallSide } from "./call-side.ts";
import type { Registry } from "./registry.ts";

/** Gaps of one window by edge, see `edgeIdOf`. */
export type Gaps = ReadonlyMap<string, Histogram>;

export function edgeIdOf(edge: { readonly caller: string; readonly callee: string }): string {
  return JSON.stringify([edge.caller, edge.callee]);
}

export function connect(registry: Registry, window: ClosedWindow, nowMs: number): Gaps {
  const { cube } = window;
  const joined = joinHalfEdges(registry, window);
  const pairs = [...localPairs(cube), ...joined.map(pairOf)];
  const answered = pairs.map(({ row }) => row);
  learnServiceGraph(registry.graph, { ...callsOf(cube), answered }, nowMs);
  const gaps = new Map<string, Histogram>();
  for (const { row, gapNs } of pairs) {
    const id = edgeIdOf({ caller: row.caller, callee: resolvePeer(registry.graph, row) });
    const sum = gaps.get(id) ?? createHistogram();
    gaps.set(id, sum);
    mergeHistogram(sum, gapNs);
  }
  return gaps;
}

/** Who reported, and whom they called; a call once, however many keys it has. */
function callsOf({ cells, keys }: Cube): { services: string[]; calls: CallRow[] } {
  const services = new Set<string>();
  const calls = new Map<string, CallRow & { count: number }>();
  for (let row = 0; row < cells.size; row++) {
    const key = keyOf(keys, cells.keyOf(row));
    if (isMetricKey(key)) continue;
    const [service = "", , recordedKind = "", peer = ""] = key;
    services.add(service);
    const kind = callKind(recordedKind);
    if (kind === undefined || peer === "") continue;
    const id = `${service}\0${kind}\0${peer}`;
    const call = calls.get(id);
    if (call === undefined) {
      calls.set(id, { caller: service, peer, kind, count: cells.countOf(row) });
    } else call.count += cells.countOf(row);
  }
  return { services: [...services], calls: [...calls.values()] };
}

interface Pair {
  readonly row: AnsweredRow;
  readonly gapNs: Histogram;
}

function* localPairs(cube: Cube): Generator<Pair> {
  for (const { caller, callee, cell } of cube.edges.values()) {
    const from = sideOf(cube, caller);
    const kind = callKind(from.kind);
    if (kind === undefined) continue;
    const to = sideOf(cube, callee).service;
    const row = { caller: from.service, peer: from.peer, kind, callee: to, count: cell.count };
    yield { row, gapNs: cell.gapNs };
  }
}

function joinHalfEdges(registry: Registry, window: ClosedWindow): JoinedEdge<CallSide>[] {
  const sides = window.halfEdges.map((half) => sideOfHalf(window.cube, half));
  return addHalfEdges(registry.halfEdges, sides, window.windowEndMs);
}

function sideOfHalf(cube: Cube, half: HalfEdgeInWindow): HalfEdgeSide<CallSide> {
  const { side, idLow, idHigh, startMs, durationNs, failed, shift } = half;
  const key = { ...sideOf(cube, half.key), shift };
  const kind = key.kind === "producer" || key.kind === "consumer" ? "message" : "call";
  return { side, idLow, idHigh, startMs, durationNs, failed, key, kind };
}

function pairOf(joined: JoinedEdge<CallSide>): Pair {
  const { service, peer, kind, shift } = joined.caller;
  const gapNs = createHistogram();
  addHistogram(gapNs, Math.round(joined.gapNs));
  const row = {
    caller: service,
    peer,
    kind: callKind(kind) ?? "client",
    callee: joined.callee.service,
    count: 2 ** shift,
  };
  return { row, gapNs };
}

function sideOf(cube: Cube, keyId: number): Omit<CallSide, "shift"> {
  const [service = "", , kind = "", peer = ""] = keyOf(cube.keys, keyId);
  return { service, kind, peer };
}

function callKind(kind: string): CallRow["kind"] | undefined {
  return kind === "client" || kind === "producer" || kind === "consumer" ? kind : undefined;
}
