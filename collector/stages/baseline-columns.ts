/**
 * The baselines of all rows, by row number, a number a column: 56 bytes a row. Each is read into a
 * `CountBaseline` when it is asked for, and written back when it has learnt.
 *
 *   rate   bad events a span believed in before anything was seen; -1 where there is no baseline
 */
import {
  type CountBaseline,
  createCountBaseline,
  defaultCountPrior,
} from "../../detectors/count-baseline.ts";

export interface BaselineColumns {
  rate: Float64Array;
  count: Float64Array;
  bad: Float64Array;
  scatter: Float64Array;
  scale: Float64Array;
  windows: Float64Array;
  anomalousStreak: Float64Array;
}

const columnNames = [
  ...(["rate", "count", "bad", "scatter", "scale", "windows", "anomalousStreak"] as const),
];
const none = -1;

export function createBaselineColumns(): BaselineColumns {
  const columns = Object.fromEntries(columnNames.map((name) => [name, new Float64Array(0)]));
  return columns as unknown as BaselineColumns;
}

/** Makes room for so many rows. */
export function reserveBaselines(columns: BaselineColumns, rows: number): void {
  const before = columns.rate.length;
  if (rows <= before) return;
  const after = Math.ceil(Math.max(rows, before * 1.5));
  for (const name of columnNames) {
    const grown = new Float64Array(after);
    grown.set(columns[name]);
    columns[name] = grown;
  }
  columns.rate.fill(none, before);
}

/** A baseline to be read into, again and again. */
export type BaselineView = CountBaseline & { readonly prior: { rate: number } };

export function createBaselineView(): BaselineView {
  return createCountBaseline({ ...defaultCountPrior }) as BaselineView;
}

/** Reads a row's baseline into `view`; false when it has none. */
export function readBaseline(columns: BaselineColumns, row: number, view: BaselineView): boolean {
  const rate = columns.rate[row];
  if (rate === undefined || rate === none) return false;
  view.prior.rate = rate;
  view.count = columns.count[row] as number;
  view.bad = columns.bad[row] as number;
  view.scatter = columns.scatter[row] as number;
  view.scale = columns.scale[row] as number;
  view.windows = columns.windows[row] as number;
  view.anomalousStreak = columns.anomalousStreak[row] as number;
  return true;
}

export function writeBaseline(columns: BaselineColumns, row: number, view: BaselineView): void {
  columns.rate[row] = view.prior.rate;
  columns.count[row] = view.count;
  columns.bad[row] = view.bad;
  columns.scatter[row] = view.scatter;
  columns.scale[row] = view.scale;
  columns.windows[row] = view.windows;
  columns.anomalousStreak[row] = view.anomalousStreak;
}

/** A row without history, believed to fail at that rate. */
export function startBaseline(columns: BaselineColumns, row: number, rate: number): void {
  for (const name of columnNames) columns[name][row] = 0;
  columns.rate[row] = rate;
}

export function dropBaseline(columns: BaselineColumns, row: number): void {
  columns.rate[row] = none;
}

/** Windows the row has learnt from, 0 without a baseline. */
export function windowsOf(columns: BaselineColumns, row: number): number {
  return columns.rate[row] === none ? 0 : (columns.windows[row] ?? 0);
}
