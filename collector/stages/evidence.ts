/**
 * What several windows say together. One window of a young fault holds a handful of bad events;
 * blame and isolation read the sum of the newest windows since the trouble began.
 */
import { benjaminiHochberg } from "../../detectors/false-discovery.ts";
import { copyHistogram, mergeHistogram } from "../../sketch/histogram.ts";
import { copyHll, type Hll, mergeHll } from "../../sketch/hll.ts";
import type { Gaps } from "./connect.ts";
import { type Detection, falseDiscoveryRate, judged, pValueOf, type TestedRow } from "./detect.ts";
import { farSideOf, type Registry } from "./registry.ts";
import type { OperationDurations, RolledUp } from "./roll-up.ts";

/** A minute: long enough to be sure, short enough to see a fault change. */
export const windowsMax = 6;

export interface EvidenceRow extends TestedRow {
  /** Start of the first window in which this row was anomalous by itself; Infinity if in none. */
  readonly onsetMs: number;
  /** Start of the first window summed. */
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

/** Takes a window in; a revised one replaces what it was before. */
export function addDetection(ring: EvidenceRing, detection: Detection): void {
  const { detections } = ring;
  const at = detections.findIndex((held) => held.windowStartMs >= detection.windowStartMs);
  const replaced = detections[at]?.windowStartMs === detection.windowStartMs ? 1 : 0;
  detections.splice(at < 0 ? detections.length : at, replaced, detection);
  if (detections.length > windowsMax) detections.shift();
}

/**
 * Start of the oldest window of the newest unbroken run with an anomaly; one quiet window may lie
 * between.
 */
export function troubleSince(ring: EvidenceRing): number | undefined {
  let since: number | undefined;
  let quiet = 0;
  for (const detection of ring.detections.toReversed()) {
    const isBad = [...detection.rows.values()].some((row) => row.anomalous);
    quiet = isBad ? 0 : quiet + 1;
    if (quiet > 1) break;
    if (isBad) since = detection.windowStartMs;
  }
  return since;
}

export function sumEvidence(ring: EvidenceRing, registry: Registry, sinceMs: number): Evidence {
  const detections = ring.detections.filter((held) => held.windowStartMs >= sinceMs);
  const sums = new Map<string, EvidenceRow>();
  for (const { windowStartMs, rows } of detections) {
    for (const row of rows.values()) {
      sums.set(row.id, addRow(sums.get(row.id), row, windowStartMs));
    }
  }
  const rolled = detections.map((held) => held.rolled);
  return {
    sinceMs,
    windows: detections.length,
    rows: testSums(sums, registry, detections.length),
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

function sumMaps<T>(
  maps: readonly ReadonlyMap<string, T>[],
  copy: (value: T) => T,
  merge: (target: T, source: T) => void,
): Map<string, T> {
  const sums = new Map<string, T>();
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

function silentIn({ rolled, rows }: Detection, registry: Registry): string[] {
  const operations = [...rolled.operations.values()];
  const answered = operations.filter(({ kind }) => kind === "server" || kind === "consumer");
  const answering = new Set(answered.map(({ service }) => service));
  const failing = [...rows.values()].filter(({ scope, signal, bad }) => {
    return scope === "call" && signal === "errors" && bad > 0;
  });
  return failing
    .map((row) => farSideOf(registry, row))
    .filter((callee) => registry.graph.services.has(callee) && !answering.has(callee));
}

function addRow(sum: EvidenceRow | undefined, row: TestedRow, windowStartMs: number): EvidenceRow {
  const onsetMs = row.anomalous ? windowStartMs : Infinity;
  if (sum === undefined) {
    return { ...row, customersBad: copyOf(row.customersBad), onsetMs, sinceMs: windowStartMs };
  }
  sum.count += row.count;
  sum.bad += row.bad;
  sum.originBad += row.originBad;
  if (sum.customersBad === undefined) sum.customersBad = copyOf(row.customersBad);
  else if (row.customersBad !== undefined) mergeHll(sum.customersBad, row.customersBad);
  const { customersBad, count, bad, originBad } = sum;
  return {
    ...row,
    customersBad,
    count,
    bad,
    originBad,
    expected: sum.expected + row.expected,
    onsetMs: Math.min(sum.onsetMs, onsetMs),
    sinceMs: sum.sinceMs,
  };
}

function copyOf(hll: TestedRow["customersBad"]): TestedRow["customersBad"] {
  return hll === undefined ? undefined : copyHll(hll);
}

function testSums(
  sums: ReadonlyMap<string, EvidenceRow>,
  registry: Registry,
  windows: number,
): ReadonlyMap<string, EvidenceRow> {
  const rows = [...sums.values()];
  const pValues = Float64Array.from(rows, (row) => {
    const { count, bad } = row;
    return pValueOf(registry, row, { count, bad, windows });
  });
  const { qValues } = benjaminiHochberg(pValues, falseDiscoveryRate);
  return new Map(
    rows.map((row, index) => {
      const pValue = pValues[index] as number;
      const qValue = qValues[index] as number;
      const { bad, expected } = row;
      return [row.id, { ...row, ...judged({ bad, expected, pValue, qValue }) }];
    }),
  );
}
