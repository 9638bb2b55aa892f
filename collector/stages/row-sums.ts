/**
 * The rows of several windows summed and tested, in columns by row number. One window of a young
 * fault holds a handful of bad events; a minute of them is evidence.
 */
import { benjaminiHochberg } from "../../detectors/false-discovery.ts";
import { copyHll, mergeHll } from "../../sketch/hll.ts";
import { falseDiscoveryRate } from "./budget.ts";
import { type Detection, isAnomalous, isWorse, pValueOf } from "./detect.ts";
import type { Registry } from "./registry.ts";
import type { RowCounts } from "./roll-up.ts";
import { rowsEnd } from "./row-book.ts";

/** Columns over several windows, by row number. */
export interface RowSums extends RowCounts {
  readonly expected: Float64Array;
  readonly sinceMs: Float64Array;
  readonly onsetMs: Float64Array;
  readonly pValues: ReadonlyMap<number, number>;
  readonly qValues: ReadonlyMap<number, number>;
  readonly anomalous: ReadonlySet<number>;
}

export function sumRows(detections: readonly Detection[], registry: Registry): RowSums {
  const rows = rowsEnd(registry.rows);
  const column = (of: (held: Detection) => Float64Array): Float64Array =>
    sumColumns(detections.map(of), rows);
  const count = column(({ rolled }) => rolled.count);
  const bad = column(({ rolled }) => rolled.bad);
  const originBad = column(({ rolled }) => rolled.originBad);
  const expected = column((held) => held.expected);
  const customersBad = sumMaps(
    detections.map(({ rolled }) => rolled.customersBad),
    copyHll,
    mergeHll,
  );
  const sums = { count, bad, originBad, expected, customersBad };
  return { ...sums, ...startsOf(detections, rows), ...testSums(sums, registry, detections.length) };
}

function sumColumns(columns: readonly Float64Array[], rows: number): Float64Array {
  const sum = new Float64Array(rows);
  for (const column of columns) {
    for (let row = 0; row < column.length; row++) {
      sum[row] = (sum[row] as number) + (column[row] as number);
    }
  }
  return sum;
}

/** When each row was seen first, and when it first departed. */
function startsOf(detections: readonly Detection[], rows: number) {
  const sinceMs = new Float64Array(rows).fill(Infinity);
  const onsetMs = new Float64Array(rows).fill(Infinity);
  for (const { windowStartMs, rolled, anomalous } of detections.toReversed()) {
    for (const row of rolled.seen) sinceMs[row] = windowStartMs;
    for (const row of anomalous) onsetMs[row] = windowStartMs;
  }
  return { sinceMs, onsetMs };
}

function testSums(
  { count, bad, expected }: Pick<RowSums, "count" | "bad" | "expected">,
  registry: Registry,
  windows: number,
): Pick<RowSums, "pValues" | "qValues" | "anomalous"> {
  const pValues = new Map<number, number>();
  let tests = 0;
  for (let row = 0; row < count.length; row++) {
    const counted = { count: count[row] as number, bad: bad[row] as number, windows };
    if (counted.count === 0) continue;
    tests += 1;
    if (!isWorse(counted.bad, expected[row] as number)) continue;
    pValues.set(row, pValueOf(registry, row, counted));
  }
  const { qValues } = benjaminiHochberg([...pValues.values()], falseDiscoveryRate, tests);
  const byRow = new Map([...pValues.keys()].map((row, index) => [row, qValues[index] as number]));
  const departs = ([row, qValue]: readonly [number, number]): boolean =>
    isAnomalous({ bad: bad[row] as number, expected: expected[row] as number, qValue });
  const anomalous = new Set([...byRow].filter(departs).map(([row]) => row));
  return { pValues, qValues: byRow, anomalous };
}

/** Maps of several windows as one. */
export function sumMaps<Name, T>(
  maps: readonly ReadonlyMap<Name, T>[],
  copy: (value: T) => T,
  merge: (target: T, source: T) => void,
): Map<Name, T> {
  const sums = new Map<Name, T>();
  for (const map of maps) {
    for (const [id, value] of map) {
      const sum = sums.get(id);
      if (sum === undefined) sums.set(id, copy(value));
      else merge(sum, value);
    }
  }
  return sums;
}
