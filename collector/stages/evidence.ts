/**
 * What several windows say together. One window of a young fault holds a handful of bad events;
 * blame and isolation read the sum of the newest windows since the trouble began.
 */
import { benjaminiHochberg } from "../../detectors/false-discovery.ts";
import { copyHistogram, mergeHistogram } from "../../sketch/histogram.ts";
import { copyHll, type Hll, mergeHll } from "../../sketch/hll.ts";
import type { Gaps } from "./connect.ts";
import {
  type Detection,
  falseDiscoveryRate,
  isAnomalous,
  isWorse,
  pValueOf,
  type WindowRow,
} from "./detect.ts";
import { farSideOf, type Registry } from "./registry.ts";
import type { OperationDurations, RolledUp, RowCounts } from "./roll-up.ts";
import { findRow, rowName, rowsEnd } from "./row-book.ts";

/** A minute: long enough to be sure, short enough to see a fault change. */
export const windowsMax = 6;

export interface EvidenceRow extends WindowRow {
  readonly pValue: number;
  readonly qValue: number;
  /** Start of the first window in which this row was anomalous by itself; Infinity if in none. */
  readonly onsetMs: number;
  /** Start of the first window with the row. */
  readonly sinceMs: number;
}

export interface Evidence {
  readonly sinceMs: number;
  readonly windows: number;
  readonly rows: ReadonlyMap<string, EvidenceRow>;
  /** Durations by operation, gaps by edge and customers by service, over the same windows. */
  readonly operations: ReadonlyMap<string, OperationDurations>;
  readonly gaps: Gaps;
  readonly customersSeen: ReadonlyMap<string, Hll>;
  /** Services that were called in some window, in vain, and reported nothing in it. */
  readonly silent: ReadonlySet<string>;
}

/** The newest windows, oldest first. */
export interface EvidenceRing {
  readonly detections: Detection[];
}

export function createEvidenceRing(): EvidenceRing {
  return { detections: [] };
}

/** What is older says nothing of now, and its rows may have been forgotten. */
const ageMsMax = 3_600_000;

/** Takes a window in; a revised one replaces what it was before. */
export function addDetection(ring: EvidenceRing, detection: Detection): void {
  const { detections } = ring;
  const at = detections.findIndex((held) => held.windowStartMs >= detection.windowStartMs);
  const replaced = detections[at]?.windowStartMs === detection.windowStartMs ? 1 : 0;
  detections.splice(at < 0 ? detections.length : at, replaced, detection);
  const newestMs = detections.at(-1)?.windowStartMs ?? 0;
  const isOld = (held: Detection): boolean => newestMs - held.windowStartMs > ageMsMax;
  while (detections.length > windowsMax || detections.some(isOld)) detections.shift();
}

/**
 * Start of the oldest window of the newest unbroken run with an anomaly; one quiet window may lie
 * between.
 */
export function troubleSince(ring: EvidenceRing): number | undefined {
  let since: number | undefined;
  let quiet = 0;
  for (const detection of ring.detections.toReversed()) {
    const isBad = detection.anomalous.size > 0;
    quiet = isBad ? 0 : quiet + 1;
    if (quiet > 1) break;
    if (isBad) since = detection.windowStartMs;
  }
  return since;
}

export function sumEvidence(ring: EvidenceRing, registry: Registry, sinceMs: number): Evidence {
  const detections = ring.detections.filter((held) => held.windowStartMs >= sinceMs);
  const rolled = detections.map((held) => held.rolled);
  return {
    sinceMs,
    windows: detections.length,
    rows: spellOut(sumRows(detections, registry), registry),
    operations: sumOperations(rolled),
    gaps: sumMaps(
      detections.map((held) => held.gaps),
      copyHistogram,
      mergeHistogram,
    ),
    customersSeen: sumMaps(
      rolled.map((held) => held.customersSeen),
      copyHll,
      mergeHll,
    ),
    silent: new Set(detections.flatMap((held) => silentIn(held, registry))),
  };
}

/** Which of these rows depart, over the windows since. */
export function departing(
  ring: EvidenceRing,
  registry: Registry,
  sinceMs: number,
): (id: string) => boolean {
  const detections = ring.detections.filter((held) => held.windowStartMs >= sinceMs);
  const { anomalous } = sumRows(detections, registry);
  return (id) => anomalous.has(findRow(registry.rows, id));
}

function sumMaps<Name, T>(
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

function sumOperations(rolled: readonly RolledUp[]): Map<string, OperationDurations> {
  const copy = (entry: OperationDurations): OperationDurations => ({
    ...entry,
    durationNs: copyHistogram(entry.durationNs),
  });
  const merge = (target: OperationDurations, source: OperationDurations): void =>
    mergeHistogram(target.durationNs, source.durationNs);
  return sumMaps(
    rolled.map((held) => held.operations),
    copy,
    merge,
  );
}

function silentIn({ rolled }: Detection, registry: Registry): string[] {
  const operations = [...rolled.operations.values()];
  const answered = operations.filter(({ kind }) => kind === "server" || kind === "consumer");
  const answering = new Set(answered.map(({ service }) => service));
  const failing = [...rolled.customersBad.keys()]
    .flatMap((row) => rowName(registry.rows, row) ?? [])
    .filter(({ scope, signal }) => scope === "call" && signal === "errors");
  return failing
    .map((name) => farSideOf(registry, name))
    .filter((callee) => registry.graph.services.has(callee) && !answering.has(callee));
}

/** Columns over several windows, by row number. */
interface RowSums extends RowCounts {
  readonly expected: Float64Array;
  readonly sinceMs: Float64Array;
  readonly onsetMs: Float64Array;
  readonly pValues: ReadonlyMap<number, number>;
  readonly qValues: ReadonlyMap<number, number>;
  readonly anomalous: ReadonlySet<number>;
}

function sumRows(detections: readonly Detection[], registry: Registry): RowSums {
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

function spellOut(sums: RowSums, registry: Registry): Map<string, EvidenceRow> {
  const rows = new Map<string, EvidenceRow>();
  for (let row = 0; row < sums.count.length; row++) {
    const count = sums.count[row] as number;
    const name = count === 0 ? undefined : rowName(registry.rows, row);
    if (name === undefined) continue;
    const { id, scope, signal, service, operation, kind, peer, key } = name;
    rows.set(id, {
      ...{ id, scope, signal, service, operation, kind, peer, key, count },
      bad: sums.bad[row] as number,
      originBad: sums.originBad[row] as number,
      customersBad: sums.customersBad.get(row),
      expected: sums.expected[row] as number,
      pValue: sums.pValues.get(row) ?? 1,
      qValue: sums.qValues.get(row) ?? 1,
      anomalous: sums.anomalous.has(row),
      onsetMs: sums.onsetMs[row] as number,
      sinceMs: sums.sinceMs[row] as number,
    });
  }
  return rows;
}
