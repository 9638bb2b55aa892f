/** What passed through the decider, window by window: for progress, and for a replay's summary. */
import { assert } from "../../base/errors.ts";
import type { ClosedWindow, Decider } from "../../collector/decide.ts";
import { type KeyId, keyOf } from "../../sketch/key.ts";
import { noObserver, type Observer } from "../observer.ts";

export interface WindowRecord extends Observer {
  /** Spans by window; a window decided again with late data replaces its count. */
  readonly spans: ReadonlyMap<number, number>;
  /** Calls between services in all windows, busiest first. */
  calls(): readonly CallSum[];
  /** Keys of the window that has most. */
  readonly keysMost: number;
  /** The decider it observes. */
  readonly decider: Decider;
}

export interface CallSum {
  readonly caller: string;
  readonly callee: string;
  readonly count: number;
  readonly errors: number;
}

export function createWindowRecord(): WindowRecord {
  const spans = new Map<number, number>();
  const calls = new Map<number, readonly CallSum[]>();
  let observed: Decider | undefined;
  let keysMost = 0;
  return {
    ...noObserver,
    spans,
    calls: () => sumCalls([...calls.values()].flat()).sort((a, b) => b.count - a.count),
    get keysMost() {
      return keysMost;
    },
    get decider() {
      assert(observed !== undefined, "the record is asked after assembly");
      return observed;
    },
    observeDecider(decider) {
      observed = decider;
      return {
        ...decider,
        decide(window, nowMs) {
          spans.set(window.windowStartMs, spansIn(window));
          calls.set(window.windowStartMs, callsIn(window));
          keysMost = Math.max(keysMost, window.cube.cells.size);
          return decider.decide(window, nowMs);
        },
      };
    },
  };
}

export function spansDecided({ spans }: Pick<WindowRecord, "spans">): number {
  return [...spans.values()].reduce((sum, count) => sum + count, 0);
}

function spansIn({ cube }: ClosedWindow): number {
  let sum = 0;
  for (const cell of cube.cells.values()) sum += cell.count;
  return sum;
}

function callsIn({ cube }: ClosedWindow): CallSum[] {
  const service = cube.keys.dimensions.indexOf("service.name");
  const nameOf = (key: KeyId): string => keyOf(cube.keys, key)[service] ?? "";
  const calls = [...cube.edges.values()].map(({ caller, callee, cell }) => ({
    caller: nameOf(caller),
    callee: nameOf(callee),
    count: cell.count,
    errors: cell.errors,
  }));
  return sumCalls(calls.filter(({ caller, callee }) => caller !== callee));
}

function sumCalls(calls: readonly CallSum[]): CallSum[] {
  const sums = new Map<string, CallSum>();
  for (const call of calls) {
    const id = JSON.stringify([call.caller, call.callee]);
    const { count = 0, errors = 0 } = sums.get(id) ?? {};
    sums.set(id, { ...call, count: count + call.count, errors: errors + call.errors });
  }
  return [...sums.values()];
}
