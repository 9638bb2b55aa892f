/**
 * Who calls whom, learnt from calls: services, and virtual nodes for far sides no service answers
 * for.
 *
 *   services   name -> when it last reported a span
 *   calls      caller, peer and kind as seen -> count, and which services answered
 *
 * Nodes and edges are read from this, not stored, so a name learnt late renames at once: all that
 * was counted under the address belongs to the service. A peer resolves to
 *
 *   1. itself, where a service reports under that name;
 *   2. the service that answered most of this caller's calls to it;
 *   3. the service that answered other callers, when they all agree and it is no loopback address;
 *   4. itself, as a virtual node.
 *
 * A destination of messages stays a node between its producers and its consumers.
 *
 * Bounds: `nodesMax` services and `edgesMax` calls; when full the least recently seen goes, counted.
 * What was not seen for `idleMs` goes.
 */
import { type FarSideType, farSideType, isLoopback } from "./far-side.ts";

export interface CallRow {
  readonly caller: string;
  /** Far side's name as the caller knows it. */
  readonly peer: string;
  readonly kind: "client" | "producer" | "consumer";
  readonly count: number;
}

/** Calls of which both sides were seen. */
export interface AnsweredRow extends CallRow {
  readonly callee: string;
}

export interface GraphObservation {
  /** Services that reported any span. */
  readonly services: readonly string[];
  readonly calls: readonly CallRow[];
  readonly answered: readonly AnsweredRow[];
}

export interface ServiceGraphLimits {
  readonly nodesMax: number;
  readonly edgesMax: number;
  readonly idleMs: number;
}

export const defaultServiceGraphLimits: ServiceGraphLimits = {
  nodesMax: 10_000,
  edgesMax: 50_000,
  idleMs: 900_000,
};

/** Service -> how often it answered lately. */
type Answers = Map<string, number>;

/** Above this many answers all are halved, so an address that changes hands is learnt anew. */
const answersMax = 10_000;

interface Call {
  readonly caller: string;
  readonly peer: string;
  readonly kind: CallRow["kind"];
  count: number;
  answered: number;
  readonly answeredBy: Answers;
  seenMs: number;
}

export interface ServiceGraph {
  readonly limits: ServiceGraphLimits;
  readonly services: Map<string, number>;
  readonly calls: Map<string, Call>;
  /** Peer -> the services that answered any caller, with counts. */
  readonly answers: Map<string, Answers>;
  /** Services and calls let go because a bound was reached. */
  evicted: number;
}

export interface ServiceNode {
  readonly id: string;
  readonly virtual: boolean;
  readonly type: FarSideType;
  readonly aliases: readonly string[];
}

export interface ServiceEdge {
  readonly caller: string;
  readonly callee: string;
  readonly kind: "call" | "message";
  readonly count: number;
  /** Calls of which both sides were seen. */
  readonly answered: number;
}

/** The name of a far side nothing names. */
const unknownPeer = "unknown";

export function createServiceGraph(
  limits: ServiceGraphLimits = defaultServiceGraphLimits,
): ServiceGraph {
  return { limits, services: new Map(), calls: new Map(), answers: new Map(), evicted: 0 };
}

/** Learns one window. */
export function learnServiceGraph(
  graph: ServiceGraph,
  observation: GraphObservation,
  nowMs: number,
): void {
  for (const service of observation.services) seeService(graph, service, nowMs);
  for (const row of observation.calls) {
    seeService(graph, row.caller, nowMs);
    seeCall(graph, row, nowMs).count += row.count;
  }
  for (const row of observation.answered) {
    seeService(graph, row.caller, nowMs);
    seeService(graph, row.callee, nowMs);
    const call = seeCall(graph, row, nowMs);
    call.answered += row.count;
    addAnswers(call.answeredBy, row);
    if (row.kind !== "client") continue;
    const answers = graph.answers.get(row.peer) ?? new Map<string, number>();
    addAnswers(answers, row);
    graph.answers.set(row.peer, answers);
  }
  expire(graph, nowMs);
}

/** The node that `caller` means by `peer`. */
export function resolvePeer(graph: ServiceGraph, call: Omit<CallRow, "count">): string {
  const { caller, peer, kind } = call;
  if (kind !== "client") return peer === "" ? unknownPeer : peer;
  if (graph.services.has(peer)) return peer;
  const own = mostOf(graph.calls.get(callId(call))?.answeredBy);
  if (own !== undefined) return own;
  const answers = graph.answers.get(peer);
  if (answers?.size === 1 && peer !== "" && peer !== caller && !isLoopback(peer)) {
    return mostOf(answers) as string;
  }
  return peer === "" ? unknownPeer : peer;
}

export function nodesOf(graph: ServiceGraph): ServiceNode[] {
  const nodes = new Map<string, { virtual: boolean; type: FarSideType; aliases: Set<string> }>();
  for (const service of graph.services.keys()) {
    nodes.set(service, { virtual: false, type: "", aliases: new Set() });
  }
  for (const call of graph.calls.values()) {
    const id = resolvePeer(graph, call);
    const node = nodes.get(id) ?? {
      virtual: true,
      type: farSideType(call.peer, call.kind),
      aliases: new Set<string>(),
    };
    nodes.set(id, node);
    if (call.peer !== id && call.peer !== "") node.aliases.add(call.peer);
  }
  return [...nodes]
    .map(([id, node]) => ({ id, ...node, aliases: [...node.aliases].sort() }))
    .sort((a, b) => (a.id < b.id ? -1 : 1));
}

export function edgesOf(graph: ServiceGraph): ServiceEdge[] {
  const edges = new Map<string, { -readonly [K in keyof ServiceEdge]: ServiceEdge[K] }>();
  for (const call of graph.calls.values()) {
    const far = resolvePeer(graph, call);
    const [caller, callee] = call.kind === "consumer" ? [far, call.caller] : [call.caller, far];
    const kind = call.kind === "client" ? "call" : "message";
    const id = JSON.stringify([caller, callee, kind]);
    const edge = edges.get(id) ?? { caller, callee, kind, count: 0, answered: 0 };
    edges.set(id, edge);
    edge.count += call.count;
    edge.answered += call.answered;
  }
  return [...edges.values()].sort((a, b) => compareEdges(a, b));
}

function compareEdges(a: ServiceEdge, b: ServiceEdge): number {
  if (a.caller !== b.caller) return a.caller < b.caller ? -1 : 1;
  return a.callee < b.callee ? -1 : 1;
}

function addAnswers(answers: Answers, { callee, count }: AnsweredRow): void {
  answers.set(callee, (answers.get(callee) ?? 0) + count);
  let total = 0;
  for (const each of answers.values()) total += each;
  if (total <= answersMax) return;
  for (const [service, each] of answers) {
    if (each < 2) answers.delete(service);
    else answers.set(service, each / 2);
  }
}

/** The service with most answers, of equals the first by name. */
function mostOf(answers: ReadonlyMap<string, number> | undefined): string | undefined {
  let best: string | undefined;
  let bestCount = 0;
  for (const [service, count] of answers ?? []) {
    if (count > bestCount || (count === bestCount && best !== undefined && service < best)) {
      best = service;
      bestCount = count;
    }
  }
  return best;
}

function callId({ caller, peer, kind }: Omit<CallRow, "count">): string {
  return JSON.stringify([caller, peer, kind]);
}

/** Re-inserting keeps each map in order of last sight, so its first entry is the one to go. */
function seeService(graph: ServiceGraph, service: string, nowMs: number): void {
  graph.services.delete(service);
  graph.services.set(service, nowMs);
  if (graph.services.size > graph.limits.nodesMax) evictFirst(graph, graph.services);
}

function seeCall(graph: ServiceGraph, row: CallRow, nowMs: number): Call {
  const id = callId(row);
  const { caller, peer, kind } = row;
  const call = graph.calls.get(id) ?? {
    caller,
    peer,
    kind,
    count: 0,
    answered: 0,
    answeredBy: new Map<string, number>(),
    seenMs: nowMs,
  };
  call.seenMs = nowMs;
  graph.calls.delete(id);
  graph.calls.set(id, call);
  if (graph.calls.size > graph.limits.edgesMax) evictFirst(graph, graph.calls);
  return call;
}

function evictFirst(graph: ServiceGraph, map: Map<string, unknown>): void {
  for (const id of map.keys()) {
    map.delete(id);
    graph.evicted += 1;
    return;
  }
}

function expire(graph: ServiceGraph, nowMs: number): void {
  const idleSince = nowMs - graph.limits.idleMs;
  for (const [service, seenMs] of graph.services) {
    if (seenMs < idleSince) graph.services.delete(service);
  }
  let stale = graph.answers.size > graph.limits.edgesMax;
  for (const [id, call] of graph.calls) {
    if (call.seenMs >= idleSince) continue;
    graph.calls.delete(id);
    stale = true;
  }
  if (!stale) return;
  const peers = new Set([...graph.calls.values()].map((call) => call.peer));
  for (const peer of graph.answers.keys()) {
    if (!peers.has(peer)) graph.answers.delete(peer);
  }
}
