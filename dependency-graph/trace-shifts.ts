/**
 * From windows before and windows during a trouble to what a ranking of suspects reads.
 *
 * Self time of an operation counts as lost only as far as the node's answers took longer than its
 * calls did: a span that waits beside a call of its sibling is slow without doing anything.
 *
 * Among many figures some lie far off by chance; only what lies farther than the farthest would is
 * handed on (Bonferroni).
 */
import { type Counted, callShift } from "./call-shift.ts";
import type { Shift, SuspectEdge, SuspectGraph, SuspectNode } from "./shifts.ts";
import { secondsAboveUsual, type TimeShift, timeShift } from "./time-shift.ts";
import { type Past, type Pasts, pastsOf, type TraceHistory } from "./trace-history.ts";
import { addTimeSums, createTimeSums, type TimeSums, type TraceSums } from "./trace-sums.ts";

/** One operation, before and now. */
interface Operation {
  readonly service: string;
  readonly operation: string;
  readonly kind: string;
  readonly callee: string;
  readonly past: Past<unknown> | undefined;
  readonly selfNow: TimeSums;
  secondsNow: number;
}

interface Edge {
  readonly caller: string;
  readonly callee: string;
  readonly past: Past<unknown> | undefined;
  readonly gapsNow: TimeSums;
}

const chanceMax = 0.05;

export interface TraceScope {
  /** Windows of the history that began since then are left out. */
  readonly sinceMs: number;
  /** Services to look at, with the edges into and out of them. */
  isMeant(service: string): boolean;
}

const everything: TraceScope = { sinceMs: Number.POSITIVE_INFINITY, isMeant: () => true };

/** @param history of healthy windows */
export function traceShifts(
  history: TraceHistory,
  during: readonly TraceSums[],
  { sinceMs, isMeant }: TraceScope = everything,
): SuspectGraph {
  const pasts = pastsOf(history, sinceMs);
  const operations = gatherOperations(pasts, during).filter(({ service }) => isMeant(service));
  const edges = gatherEdges(pasts, during).filter(
    ({ caller, callee }) => isMeant(caller) || isMeant(callee),
  );
  const services = new Map<string, Operation[]>();
  for (const operation of operations) {
    const own = services.get(operation.service);
    if (own === undefined) services.set(operation.service, [operation]);
    else own.push(operation);
  }
  const looked = 2 * operations.length + edges.length;
  const scoreMin = Math.sqrt(2 * Math.log(Math.max(1, looked) / chanceMax));
  const calls = [...services.values()].flatMap((own) =>
    changedCalls(own, pasts.windowCount, scoreMin),
  );
  const ids = new Set([...services.keys(), ...edges.map(({ callee }) => callee)]);
  return {
    nodes: [...ids].map((id): SuspectNode => {
      const inside = calls.filter(({ service, callee }) => service === id && callee === "");
      return {
        id,
        shifts: [
          ...lostInside(services.get(id) ?? [], scoreMin),
          ...inside.map(({ shift }) => shift),
        ],
      };
    }),
    edges: edges.map((edge): SuspectEdge => {
      const own = calls.filter(
        ({ service, callee }) => service === edge.caller && callee === edge.callee,
      );
      const { shifts, gapKnown } = gapOf(edge, scoreMin);
      return {
        caller: edge.caller,
        callee: edge.callee,
        gapKnown,
        shifts: [...shifts, ...own.map(({ shift }) => shift)],
        callsPerRequest: callsPerRequest(services.get(edge.caller) ?? [], edge.callee),
      };
    }),
  };
}

function gatherOperations({ operations }: Pasts, during: readonly TraceSums[]): Operation[] {
  const gathered = new Map<string, Operation>();
  for (const [id, past] of operations) {
    gathered.set(id, { ...past.name, past, selfNow: createTimeSums(), secondsNow: 0 });
  }
  for (const window of during) {
    for (const [id, sums] of window.operations) {
      let known = gathered.get(id);
      if (known === undefined) {
        const { service, operation, kind, callee } = sums;
        const named = { service, operation, kind, callee };
        known = { ...named, past: undefined, selfNow: createTimeSums(), secondsNow: 0 };
        gathered.set(id, known);
      }
      addTimeSums(known.selfNow, sums.self);
      known.secondsNow += sums.seconds;
    }
  }
  return [...gathered.values()];
}

function gatherEdges({ edges }: Pasts, during: readonly TraceSums[]): Edge[] {
  const gathered = new Map<string, Edge>();
  for (const [id, past] of edges) {
    gathered.set(id, { ...past.name, past, gapsNow: createTimeSums() });
  }
  for (const window of during) {
    for (const [id, { caller, callee, gap }] of window.edges) {
      const known = gathered.get(id) ?? {
        ...{ caller, callee },
        past: undefined,
        gapsNow: createTimeSums(),
      };
      gathered.set(id, known);
      addTimeSums(known.gapsNow, gap);
    }
  }
  return [...gathered.values()].filter(({ caller, callee }) => caller !== callee);
}

function lostInside(operations: readonly Operation[], scoreMin: number): Shift[] {
  const moved = operations
    .filter(({ kind }) => !isOutgoing(kind))
    .flatMap(({ operation, past, selfNow }) => {
      const shift = shiftSince(past, selfNow);
      return shift === undefined || shift.score < scoreMin || shift.cost <= 0
        ? []
        : [{ operation, shift }];
    });
  if (moved.length === 0) return [];
  const cost = moved.reduce((total, { shift }) => total + shift.cost, 0);
  const share = Math.min(
    1,
    (aboveUsual(operations, isServing) - aboveUsual(operations, isOutgoing)) / cost,
  );
  if (!(share > 0)) return [];
  return moved.map(({ operation, shift }) => shiftOf("self_time", operation, shift, share));
}

function aboveUsual(operations: readonly Operation[], isMeant: (kind: string) => boolean): number {
  return operations
    .filter(({ kind }) => isMeant(kind))
    .reduce((total, { past, selfNow, secondsNow }) => {
      if (past === undefined || selfNow.count === 0) return total;
      const seconds = past.secondsIn();
      const before = past
        .timesIn()
        .map((sums, at) => ({ ...sums, seconds: seconds[at] as number }));
      return total + secondsAboveUsual(before, { ...selfNow, seconds: secondsNow });
    }, 0);
}

function shiftSince(past: Past<unknown> | undefined, now: TimeSums): TimeShift | undefined {
  return past === undefined || now.count === 0 ? undefined : timeShift(past.timesIn(), now);
}

function gapOf(
  { past, gapsNow }: Edge,
  scoreMin: number,
): { readonly shifts: readonly Shift[]; readonly gapKnown: boolean } {
  const shift = shiftSince(past, gapsNow);
  if (shift === undefined) return { shifts: [], gapKnown: false };
  const isLost = shift.score >= scoreMin && shift.cost > 0;
  return {
    shifts: isLost ? [shiftOf("gap", "", shift, 1)] : [],
    gapKnown: shift.plainScore >= scoreMin,
  };
}

function shiftOf(kind: "gap" | "self_time", name: string, shift: TimeShift, share: number): Shift {
  const { score, beforeMs, duringMs, cost } = shift;
  return { kind, name, score, before: beforeMs, during: duringMs, unit: "ms", cost: share * cost };
}

interface ChangedCall {
  readonly service: string;
  /** "" for an operation inside the service. */
  readonly callee: string;
  readonly shift: Shift;
}

function changedCalls(
  operations: readonly Operation[],
  windowCount: number,
  scoreMin: number,
): ChangedCall[] {
  const requests = operations
    .filter(({ kind }) => isServing(kind))
    .map((served) => countedOf(served, windowCount));
  return operations
    .filter(({ kind }) => !isServing(kind))
    .flatMap((made) => {
      const shift = callShift(countedOf(made, windowCount), requests);
      if (shift === undefined || Math.abs(shift.score) < scoreMin) return [];
      const { service, callee, operation } = made;
      const named = { kind: "missing_calls" as const, name: operation, unit: "calls" };
      return [{ service, callee, shift: { ...named, ...shift } }];
    });
}

function countedOf({ past, selfNow }: Operation, windowCount: number): Counted {
  const before = new Array<number>(windowCount).fill(0);
  past?.timesIn().forEach(({ count }, at) => {
    before[past.windows[at] as number] = count;
  });
  return { before, during: selfNow.count };
}

function callsPerRequest(operations: readonly Operation[], callee: string): number {
  const count = (isMeant: (operation: Operation) => boolean): number =>
    operations.filter(isMeant).reduce((total, { selfNow }) => total + selfNow.count, 0);
  const requests = count(({ kind }) => isServing(kind));
  const calls = count((made) => isOutgoing(made.kind) && made.callee === callee);
  return requests === 0 ? 0 : calls / requests;
}

function isOutgoing(kind: string): boolean {
  return kind === "client" || kind === "producer";
}

function isServing(kind: string): boolean {
  return kind === "server" || kind === "consumer";
}
