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
  makeRoom(history.operations, () => windows.map((window) => window.operations));
  makeRoom(history.edges, () => windows.map((window) => window.edges));
  const operations = columnsOf(history, history.operations, sums.operations, {
    width: operationWidth,
    nameOf: ({ service, operation, kind, callee }) => ({ service, operation, kind, callee }),
    valuesOf: ({ self, seconds }) => [...valuesOf(self), seconds],
  });
  const edges = columnsOf(history, history.edges, sums.edges, {
    width: edgeWidth,
    nameOf: ({ caller, callee }) => ({ caller, callee }),
    valuesOf: ({ gap }) => valuesOf(gap),
  });
  windows.push({ startMs: sums.startMs, operations, edges });
  if (windows.length > windowsMax) windows.shift();
}

/** As it was learnt, to single precision. */
export function readHistory({ windows, operations, edges }: TraceHistory): TraceSums[] {
  return windows.map((window) => ({
    startMs: window.startMs,
    operations: read(window.operations, operations, operationWidth, (name, values) => ({
      ...name,
      self: timeSumsOf(values),
      seconds: values[operationWidth - 1] as number,
    })),
    edges: read(window.edges, edges, edgeWidth, (name, values) => ({
      ...name,
      gap: timeSumsOf(values),
    })),
  }));
}

function columnsOf<Sums, Name>(
  history: TraceHistory,
  names: Names<Name>,
  sums: ReadonlyMap<string, Sums>,
  how: {
    readonly width: number;
    nameOf(sums: Sums): Name;
    valuesOf(sums: Sums): readonly number[];
  },
): Columns {
  const numbers: number[] = [];
  const values = new Float32Array(sums.size * how.width);
  for (const [id, one] of sums) {
    let number = names.numbers.get(id);
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

function read<Name, Sums>(
  { numbers, values }: Columns,
  { names }: Names<Name>,
  width: number,
  sumsOf: (name: Name, values: Float32Array) => Sums,
): Map<string, Sums> {
  const sums = new Map<string, Sums>();
  numbers.forEach((number, at) => {
    const named = names.get(number);
    if (named === undefined) return;
    sums.set(named.id, sumsOf(named.name, values.subarray(at * width, (at + 1) * width)));
  });
  return sums;
}

function makeRoom<Name>({ numbers, names }: Names<Name>, windows: () => readonly Columns[]): void {
  if (numbers.size < namesMax) return;
  const held = new Set(windows().flatMap((window) => [...window.numbers]));
  for (const [number, { id }] of names) {
    if (held.has(number)) continue;
    names.delete(number);
    numbers.delete(id);
  }
}

function valuesOf({ count, seconds, logs, logSquares }: TimeSums): number[] {
  return [count, seconds, logs, logSquares];
}

function timeSumsOf(values: Float32Array): TimeSums {
  const [count = 0, seconds = 0, logs = 0, logSquares = 0] = values;
  return { count, seconds, logs, logSquares };
}
