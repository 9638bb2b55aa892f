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
import {
  addTimeSums,
  createTimeSums,
  type EdgeSums,
  type OperationSums,
  type TimeSums,
  type TraceSums,
} from "./trace-sums.ts";

/** One operation over all windows. */
interface Operation {
  readonly service: string;
  readonly operation: string;
  readonly kind: string;
  readonly callee: string;
  /** Windows that saw it. */
  readonly self: TimeSums[];
  readonly selfNow: TimeSums;
  readonly whole: TimeSums[];
  readonly wholeNow: TimeSums;
  /** Calls by window. */
  readonly counts: number[];
}

interface Edge {
  readonly caller: string;
  readonly callee: string;
  readonly gaps: TimeSums[];
  readonly gapsNow: TimeSums;
}

const chanceMax = 0.05;

export function traceShifts(
  before: readonly TraceSums[],
  during: readonly TraceSums[],
): SuspectGraph {
  const operations = gatherOperations(before, during);
  const edges = gatherEdges(before, during);
  const services = new Map<string, Operation[]>();
  for (const operation of operations) {
    const own = services.get(operation.service);
    if (own === undefined) services.set(operation.service, [operation]);
    else own.push(operation);
  }
  const looked = 2 * operations.length + edges.length;
  const scoreMin = Math.sqrt(2 * Math.log(Math.max(1, looked) / chanceMax));
  const calls = [...services.values()].flatMap((own) => changedCalls(own, scoreMin));
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

function gatherOperations(before: readonly TraceSums[], during: readonly TraceSums[]): Operation[] {
  const gathered = new Map<string, Operation>();
  const of = (id: string, sums: OperationSums): Operation => {
    const { service, operation, kind, callee } = sums;
    const known = gathered.get(id) ?? {
      ...{ service, operation, kind, callee },
      ...{ self: [], selfNow: createTimeSums(), whole: [], wholeNow: createTimeSums() },
      counts: new Array<number>(before.length).fill(0),
    };
    gathered.set(id, known);
    return known;
  };
  before.forEach((window, at) => {
    for (const [id, sums] of window.operations) {
      const { self, whole, counts } = of(id, sums);
      if (sums.self.count === 0) continue;
      counts[at] = sums.self.count;
      self.push(sums.self);
      whole.push({ ...sums.self, seconds: sums.seconds });
    }
  });
  for (const window of during) {
    for (const [id, sums] of window.operations) {
      const { selfNow, wholeNow } = of(id, sums);
      addTimeSums(selfNow, sums.self);
      addTimeSums(wholeNow, { ...sums.self, seconds: sums.seconds });
    }
  }
  return [...gathered.values()];
}

function gatherEdges(before: readonly TraceSums[], during: readonly TraceSums[]): Edge[] {
  const gathered = new Map<string, Edge>();
  const of = (id: string, { caller, callee }: EdgeSums): Edge => {
    const known = gathered.get(id) ?? { caller, callee, gaps: [], gapsNow: createTimeSums() };
    gathered.set(id, known);
    return known;
  };
  for (const { edges } of before) {
    for (const [id, sums] of edges) if (sums.gap.count > 0) of(id, sums).gaps.push(sums.gap);
  }
  for (const { edges } of during) {
    for (const [id, sums] of edges) addTimeSums(of(id, sums).gapsNow, sums.gap);
  }
  return [...gathered.values()].filter(({ caller, callee }) => caller !== callee);
}

function lostInside(operations: readonly Operation[], scoreMin: number): Shift[] {
  const moved = operations
    .filter(({ kind }) => !isOutgoing(kind))
    .flatMap(({ operation, self, selfNow }) => {
      const shift = timeShift(self, selfNow);
      return shift === undefined || shift.score < scoreMin || shift.cost <= 0
        ? []
        : [{ operation, shift }];
    });
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
    .reduce((total, { whole, wholeNow }) => total + secondsAboveUsual(whole, wholeNow), 0);
}

function gapOf(
  { gaps, gapsNow }: Edge,
  scoreMin: number,
): { readonly shifts: readonly Shift[]; readonly gapKnown: boolean } {
  const shift = timeShift(gaps, gapsNow);
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

function changedCalls(operations: readonly Operation[], scoreMin: number): ChangedCall[] {
  const requests = operations.filter(({ kind }) => isServing(kind)).map(countedOf);
  return operations
    .filter(({ kind }) => !isServing(kind))
    .flatMap((made) => {
      const shift = callShift(countedOf(made), requests);
      if (shift === undefined || Math.abs(shift.score) < scoreMin) return [];
      const { service, callee, operation } = made;
      const named = { kind: "missing_calls" as const, name: operation, unit: "calls" };
      return [{ service, callee, shift: { ...named, ...shift } }];
    });
}

function countedOf({ counts, selfNow }: Operation): Counted {
  return { before: counts, during: selfNow.count };
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
