/**
 * A window's cells rolled up to the rows that are tested: what fails or is slow, at every grain at
 * which a fault can be plain while it is faint at the others.
 *
 *   service    all calls into a service               is it bad for those who call it?
 *   operation  one operation of a service             where customers enter, who is hurt there
 *   origin     bad spans that began in the service    is it to blame?
 *   call       all calls of a service to one far side are they to blame?
 *   key        one composite key                      which attributes are to blame?
 *
 * Counts are columns by row number, see row-book.ts; a row that was not seen counts 0.
 */
import { countsWidth } from "../../sketch/cell-table.ts";
import type { Cube } from "../../sketch/cube.ts";
import { createHistogram, type Histogram } from "../../sketch/histogram.ts";
import { createHll, type Hll } from "../../sketch/hll.ts";
import { type CompositeKey, isMetricKey, keyOf } from "../../sketch/key.ts";
import {
  badSignals,
  endWalk,
  isPlaced,
  type KeyWalk,
  nextKey,
  numberOf,
  type Places,
  type RowBook,
  readPlaces,
  rowOf,
  rowsEnd,
  setPlaces,
  walkKeys,
} from "./row-book.ts";

/** One operation's durations: from these its threshold for slow is learnt. */
export interface OperationDurations {
  readonly id: string;
  readonly service: string;
  readonly operation: string;
  readonly kind: string;
  readonly peer: string;
  readonly durationNs: Histogram;
}

/** What rows counted, by row number. */
export interface RowCounts {
  readonly count: Float64Array;
  readonly bad: Float64Array;
  /** Bad spans none of whose local children was bad. */
  readonly originBad: Float64Array;
  /** Customers with a bad span; none while there is none. */
  readonly customersBad: ReadonlyMap<number, Hll>;
}

export interface RolledUp extends RowCounts {
  /** Rows with a span, each once. */
  readonly seen: Int32Array;
  /** Everyone seen at a service, hurt or not. */
  readonly customersSeen: ReadonlyMap<string, Hll>;
  readonly operations: ReadonlyMap<string, OperationDurations>;
}

/** Whether spans of an operation could be slow in this window: its threshold was in force. */
export type IsSlowKnown = (operationId: string) => boolean;

/** Columns of a cell's counts, bad and begun here, by signal. */
const badColumns = [2, 4];
const originColumns = [3, 5];
const whose = ["failed", "slow"] as const;

interface Sums {
  readonly book: RowBook;
  readonly nowMs: number;
  count: Float64Array;
  bad: Float64Array;
  originBad: Float64Array;
  readonly customersBad: Map<number, Hll>;
  readonly customersSeen: Map<string, Hll>;
  readonly operations: Map<string, OperationDurations>;
  /** By the subject of the operation. */
  readonly durations: (Operation | undefined)[];
  readonly isSlowKnown: IsSlowKnown;
}

interface Operation {
  readonly durationNs: Histogram;
  readonly seen: Hll;
  readonly slowKnown: boolean;
  readonly isEntry: boolean;
  /** Calls going out begin nothing here. */
  readonly isOutgoing: boolean;
}

/** Calls going out: they tell of the far side, and never begin anything here. */
export function isOutgoing(kind: string): boolean {
  return kind === "client" || kind === "producer";
}

export function rollUp(
  book: RowBook,
  cube: Cube,
  isSlowKnown: IsSlowKnown,
  nowMs: number,
): RolledUp {
  const rows = rowsEnd(book);
  const sums: Sums = {
    ...{ book, nowMs, isSlowKnown },
    count: new Float64Array(rows),
    bad: new Float64Array(rows),
    originBad: new Float64Array(rows),
    customersBad: new Map(),
    customersSeen: new Map(),
    operations: new Map(),
    durations: [],
  };
  const places: Places = { operation: -1, service: -1, blame: -1 };
  const walk = walkKeys(book, cube.cells.size);
  for (let row = 0; row < cube.cells.size; row++) {
    const key = keyOf(cube.keys, cube.cells.keyOf(row));
    if (isMetricKey(key)) continue;
    const subject = placeKey(walk, key, places, nowMs);
    addCell(sums, { cube, row, key, subject, places });
  }
  endWalk(walk);
  const { count, bad, originBad, customersBad, customersSeen, operations } = sums;
  const seen = Int32Array.from(rowsSeen(count));
  return { count, bad, originBad, customersBad, customersSeen, operations, seen };
}

function rowsSeen(count: Float64Array): number[] {
  const seen: number[] = [];
  for (let row = 0; row < count.length; row++) if (count[row] !== 0) seen.push(row);
  return seen;
}

/** The subject of a key, and where else it counts; spans inside a service count for blame only. */
function placeKey(walk: KeyWalk, key: CompositeKey, places: Places, nowMs: number): number {
  const { book } = walk;
  const subject = nextKey(walk, key, nowMs);
  if (subject >= 0 && isPlaced(book, subject)) {
    readPlaces(book, subject, places);
    touch(book, places, nowMs);
    return subject;
  }
  const [service = "", operation = "", kind = "", peer = ""] = key;
  places.operation = numberOf(book, "operation", [service, operation, kind, peer], nowMs);
  places.service = numberOf(book, "service", [service, "", "", ""], nowMs);
  places.blame = isOutgoing(kind)
    ? numberOf(book, "call", [service, "", kind, peer], nowMs)
    : numberOf(book, "origin", [service, "", "", ""], nowMs);
  if (subject >= 0 && places.operation >= 0) setPlaces(book, subject, places);
  return subject;
}

function touch({ lastMs }: RowBook, { operation, service, blame }: Places, nowMs: number): void {
  lastMs[operation] = nowMs;
  if (service >= 0) lastMs[service] = nowMs;
  if (blame >= 0) lastMs[blame] = nowMs;
}

interface PlacedCell {
  readonly cube: Cube;
  readonly row: number;
  readonly key: CompositeKey;
  readonly subject: number;
  readonly places: Places;
}

function addCell(sums: Sums, cell: PlacedCell): void {
  const { cube, row, subject, places } = cell;
  const operation = operationOf(sums, cell);
  cube.cells.durations.mergeInto(operation.durationNs, row);
  cube.cells.customers.mergeInto(operation.seen, row, "all");
  for (let signal = 0; signal < badSignals.length; signal++) {
    if (badSignals[signal] === "slow" && !operation.slowKnown) continue;
    addTo(sums, cell, subject, signal, false);
    addTo(sums, cell, places.blame, signal, !operation.isOutgoing);
    if (!operation.isEntry) continue;
    addTo(sums, cell, places.service, signal, false);
    addTo(sums, cell, places.operation, signal, false);
  }
}

function operationOf(sums: Sums, { key, places }: PlacedCell): Operation {
  const known = sums.durations[places.operation];
  if (known !== undefined) return known;
  const [service = "", operation = "", kind = "", peer = ""] = key;
  const id = [service, operation, kind, peer].join("\0");
  const entry = sums.operations.get(id) ?? {
    ...{ id, service, operation, kind, peer },
    durationNs: createHistogram(),
  };
  sums.operations.set(id, entry);
  const seen = sums.customersSeen.get(service) ?? createHll();
  sums.customersSeen.set(service, seen);
  const made: Operation = {
    ...{ durationNs: entry.durationNs, seen },
    slowKnown: sums.isSlowKnown(id),
    isEntry: !isOutgoing(kind) && kind !== "internal",
    isOutgoing: isOutgoing(kind),
  };
  if (places.operation >= 0) sums.durations[places.operation] = made;
  return made;
}

function addTo(
  sums: Sums,
  { cube, row }: PlacedCell,
  subject: number,
  signal: number,
  isOrigin: boolean,
): void {
  if (subject < 0) return;
  const into = rowOf(subject, signal);
  if (into >= sums.count.length) grow(sums);
  const { counts } = cube.cells;
  const at = row * countsWidth;
  const originBad = counts[at + (originColumns[signal] as number)] as number;
  const bad = isOrigin ? originBad : (counts[at + (badColumns[signal] as number)] as number);
  sums.count[into] = (sums.count[into] as number) + (counts[at] as number);
  if (originBad > 0) sums.originBad[into] = (sums.originBad[into] as number) + originBad;
  if (bad === 0) return;
  sums.bad[into] = (sums.bad[into] as number) + bad;
  let customers = sums.customersBad.get(into);
  if (customers === undefined) {
    customers = createHll();
    sums.customersBad.set(into, customers);
  }
  cube.cells.customers.mergeInto(customers, row, whose[signal] as "failed" | "slow");
}

/** New subjects came with the window. */
function grow(sums: Sums): void {
  const rows = Math.max(rowsEnd(sums.book), Math.ceil(sums.count.length * 1.5), 256);
  for (const name of ["count", "bad", "originBad"] as const) {
    const grown = new Float64Array(rows);
    grown.set(sums[name]);
    sums[name] = grown;
  }
}
