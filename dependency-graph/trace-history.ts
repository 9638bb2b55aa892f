/**
 * What traces add up to in the newest healthy windows: the reference of every shift.
 *
 *   windows   newest `windowsMax`, oldest first: ten minutes
 *   columns   of a window: Int32Array of names by number, Float32Array [n, 5] of calls, seconds,
 *             logarithms, their squares, and seconds from start to end; of edges [n, 4]
 *
 * An operation costs 24 bytes a window. Beyond `namesMax` operations and as many edges new ones are
 * not kept, and counted; a name that no window holds any more is forgotten.
 */
import type { EdgeSums, OperationSums, TimeSums, TraceSums } from "./trace-sums.ts";

type OperationName = Omit<OperationSums, "self" | "seconds">;
type EdgeName = Omit<EdgeSums, "gap">;

interface Names<Name> {
  readonly numbers: Map<string, number>;
  readonly names: Map<number, { readonly id: string; readonly name: Name }>;
  next: number;
}

interface Columns {
  readonly numbers: Int32Array;
  readonly values: Float32Array;
}

interface HistoryWindow {
  readonly startMs: number;
  readonly operations: Columns;
  readonly edges: Columns;
}

export interface TraceHistory {
  readonly windows: HistoryWindow[];
  readonly operations: Names<OperationName>;
  readonly edges: Names<EdgeName>;
  /** Operations and edges of windows that found no room. */
  refused: number;
}

const windowsMax = 60;
const namesMax = 20_000;
const operationWidth = 5;
const edgeWidth = 4;

export function createTraceHistory(): TraceHistory {
  const names = <Name>(): Names<Name> => ({ numbers: new Map(), names: new Map(), next: 0 });
  return { windows: [], operations: names(), edges: names(), refused: 0 };
}

/** Takes a healthy window in; the oldest goes. */
export function learnTraces(history: TraceHistory, sums: TraceSums): void {
  const { windows } = history;
  const operations = columnsOf(history, history.operations, sums.operations, {
    held: () => windows.map((window) => window.operations),
    width: operationWidth,
    nameOf: ({ service, operation, kind, callee }) => ({ service, operation, kind, callee }),
    valuesOf: ({ self, seconds }) => [...valuesOf(self), seconds],
  });
  const edges = columnsOf(history, history.edges, sums.edges, {
    held: () => windows.map((window) => window.edges),
    width: edgeWidth,
    nameOf: ({ caller, callee }) => ({ caller, callee }),
    valuesOf: ({ gap }) => valuesOf(gap),
  });
  windows.push({ startMs: sums.startMs, operations, edges });
  if (windows.length > windowsMax) windows.shift();
}

/** One operation, or edge, in the windows that saw it. */
export interface Past<Name> {
  readonly name: Name;
  /** Which of the windows, in order. */
  readonly windows: readonly number[];
  /** Made when asked for: there are many. */
  timesIn(): TimeSums[];
  /** From start to end, likewise. */
  secondsIn(): number[];
}

export interface Pasts {
  readonly windowCount: number;
  readonly operations: ReadonlyMap<string, Past<OperationName>>;
  readonly edges: ReadonlyMap<string, Past<EdgeName>>;
}

/** What was learnt of windows that began before `untilMs`, to single precision. */
export function pastsOf(history: TraceHistory, untilMs: number): Pasts {
  const windows = history.windows.filter(({ startMs }) => startMs < untilMs);
  return {
    windowCount: windows.length,
    operations: gather(
      windows.map((window) => window.operations),
      history.operations,
      operationWidth,
    ),
    edges: gather(
      windows.map((window) => window.edges),
      history.edges,
      edgeWidth,
    ),
  };
}

function gather<Name>(
  columns: readonly Columns[],
  { names }: Names<Name>,
  width: number,
): Map<string, Past<Name>> {
  const places = new Map<number, { windows: number[]; starts: number[] }>();
  columns.forEach(({ numbers }, window) => {
    numbers.forEach((number, at) => {
      const own = places.get(number) ?? { windows: [], starts: [] };
      if (own.windows.length === 0) places.set(number, own);
      own.windows.push(window);
      own.starts.push(at * width);
    });
  });
  const pasts = new Map<string, Past<Name>>();
  for (const [number, { windows, starts }] of places) {
    const named = names.get(number);
    if (named === undefined) continue;
    const valuesAt = (at: number): Float32Array =>
      (columns[windows[at] as number] as Columns).values;
    pasts.set(named.id, {
      name: named.name,
      windows,
      timesIn: () => starts.map((start, at) => timeSumsAt(valuesAt(at), start)),
      secondsIn: () => starts.map((start, at) => valuesAt(at)[start + width - 1] as number),
    });
  }
  return pasts;
}

function columnsOf<Sums, Name>(
  history: TraceHistory,
  names: Names<Name>,
  sums: ReadonlyMap<string, Sums>,
  how: {
    held(): readonly Columns[];
    readonly width: number;
    nameOf(sums: Sums): Name;
    valuesOf(sums: Sums): readonly number[];
  },
): Columns {
  const numbers: number[] = [];
  const values = new Float32Array(sums.size * how.width);
  let isSwept = false;
  for (const [id, one] of sums) {
    let number = names.numbers.get(id);
    if (number === undefined && names.numbers.size >= namesMax && !isSwept) {
      forgetUnheld(names, [...how.held(), { numbers: Int32Array.from(numbers), values }]);
      isSwept = true;
    }
    if (number === undefined && names.numbers.size >= namesMax) {
      history.refused++;
      continue;
    }
    if (number === undefined) {
      number = names.next++;
      names.numbers.set(id, number);
      names.names.set(number, { id, name: how.nameOf(one) });
    }
    values.set(how.valuesOf(one), numbers.length * how.width);
    numbers.push(number);
  }
  return { numbers: Int32Array.from(numbers), values: values.slice(0, numbers.length * how.width) };
}

function forgetUnheld<Name>({ numbers, names }: Names<Name>, windows: readonly Columns[]): void {
  const held = new Set<number>();
  for (const window of windows) for (const number of window.numbers) held.add(number);
  for (const [number, { id }] of names) {
    if (held.has(number)) continue;
    names.delete(number);
    numbers.delete(id);
  }
}

function valuesOf({ count, seconds, logs, logSquares }: TimeSums): number[] {
  return [count, seconds, logs, logSquares];
}

function timeSumsAt(values: Float32Array, start: number): TimeSums {
  return {
    count: values[start] as number,
    seconds: values[start + 1] as number,
    logs: values[start + 2] as number,
    logSquares: values[start + 3] as number,
  };
}
