/**
 * Who is hurting since an incident began: a union over its entries and windows, nobody counted
 * twice, and a revised window counted once.
 *
 * Bound: counts of the newest `windowsMax` windows can still be revised, older ones are summed.
 */
import {
  boundsHll,
  createHll,
  type Hll,
  isEmptyHll,
  mergeHll,
  overlapHll,
} from "../../sketch/hll.ts";
import type { AffectedEntry, Estimate, Impact } from "../../wire/api-types.ts";
import type { WindowRow } from "../stages/detect.ts";

const windowsMax = 66;

/** An overlap with wider relative bounds says less than the entries alone. */
const overlapWidthMax = 0.1;

interface EntryCounts {
  readonly service: string;
  readonly operation: string;
  count: number;
  bad: number;
  expected: number;
}

export interface ImpactSums {
  /** Window start -> row id, of entries and of the blamed -> counts. */
  readonly windows: Map<number, ReadonlyMap<string, EntryCounts>>;
  readonly older: Map<string, EntryCounts>;
  /** Customers with a bad event at an entry, and with one that began at the cause. */
  readonly atEntries: Hll;
  readonly atCause: Hll;
}

export interface ImpactRows {
  readonly windowStartMs: number;
  /** Rows of the affected entries' operations in this window. */
  readonly entries: readonly WindowRow[];
  /** Rows of the spans to blame in this window. */
  readonly blamed: readonly WindowRow[];
}

export function createImpactSums(): ImpactSums {
  return { windows: new Map(), older: new Map(), atEntries: createHll(), atCause: createHll() };
}

/** Adds a window, or puts its revised counts in place of the earlier ones. */
export function addImpact(sums: ImpactSums, rows: ImpactRows): void {
  const counts = new Map<string, EntryCounts>();
  for (const { id, service, operation, count, bad, expected } of [
    ...rows.entries,
    ...rows.blamed,
  ]) {
    counts.set(id, { service, operation, count, bad, expected });
  }
  sums.windows.set(rows.windowStartMs, counts);
  mergeCustomers(sums.atEntries, rows.entries);
  mergeCustomers(sums.atCause, rows.blamed);
  if (sums.windows.size > windowsMax) foldOldest(sums);
}

/** The cause was named anew: who met the earlier one does not count towards it. */
export function forgetBlame(sums: ImpactSums): ImpactSums {
  return { ...sums, atCause: createHll() };
}

/** Customers turned out not to meet it where it seemed; who is hurt is counted anew. */
export function forgetEntries(sums: ImpactSums): ImpactSums {
  return { ...sums, atEntries: createHll() };
}

/** Rows as the newest evidence names them. */
export interface ImpactNames {
  readonly entryIds: ReadonlySet<string>;
  readonly blamedIds: ReadonlySet<string>;
}

export function impactOf(sums: ImpactSums, { entryIds, blamedIds }: ImpactNames): Impact {
  const all = new Map<string, EntryCounts>();
  for (const counts of [sums.older, ...sums.windows.values()]) addCounts(all, counts);
  const only = (ids: ReadonlySet<string>): EntryCounts[] =>
    [...all].filter(([id]) => ids.has(id)).map(([, counts]) => counts);
  const entries = only(entryIds);
  const affected: AffectedEntry[] = entries
    .map(({ service, operation, count, bad }) => ({ service, operation, count, bad }))
    .sort((a, b) => b.bad - a.bad);
  return {
    customers: customersOf(sums, { entries: usual(entries), cause: usual(only(blamedIds)) }),
    entries: affected,
    count: affected.reduce((sum, entry) => sum + entry.count, 0),
    bad: affected.reduce((sum, entry) => sum + entry.bad, 0),
  };
}

/**
 * Those hurt at an entry who met the cause; all hurt at the entries where the cause names nobody.
 * So many as fail on an ordinary day may be among them by chance: the lower bound leaves them out.
 */
function customersOf(
  { atEntries, atCause }: ImpactSums,
  usually: { readonly entries: number; readonly cause: number },
): Estimate | null {
  if (isEmptyHll(atEntries) && isEmptyHll(atCause)) return null;
  if (isEmptyHll(atEntries)) return lowered(boundsHll(atCause), usually.cause);
  const all = lowered(boundsHll(atEntries), usually.entries);
  if (isEmptyHll(atCause)) return all;
  const both = overlapHll(atEntries, atCause);
  const isSharp = both.value > 0 && both.high - both.low <= overlapWidthMax * both.value;
  return isSharp ? lowered(both, Math.min(usually.entries, usually.cause)) : all;
}

function lowered({ value, low, high }: Estimate, by: number): Estimate {
  return { value, low: Math.max(0, low - by), high };
}

/** At most so many customers have a bad event without any incident. */
function usual(rows: readonly EntryCounts[]): number {
  return rows.reduce((sum, { expected }) => sum + expected, 0);
}

function mergeCustomers(target: Hll, rows: readonly WindowRow[]): void {
  for (const { customersBad } of rows) {
    if (customersBad !== undefined) mergeHll(target, customersBad);
  }
}

function foldOldest(sums: ImpactSums): void {
  const oldest = Math.min(...sums.windows.keys());
  addCounts(sums.older, sums.windows.get(oldest) ?? new Map());
  sums.windows.delete(oldest);
}

function addCounts(
  target: Map<string, EntryCounts>,
  source: ReadonlyMap<string, EntryCounts>,
): void {
  for (const [id, counts] of source) {
    const sum = target.get(id);
    if (sum === undefined) target.set(id, { ...counts });
    else {
      sum.count += counts.count;
      sum.bad += counts.bad;
      sum.expected += counts.expected;
    }
  }
}
