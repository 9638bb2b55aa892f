/**
 * Which rows of a window depart from their baselines: an exact tail test each, then one control of
 * false discoveries over all rows of the window.
 */
import {
  type CountBaseline,
  type CountObservation,
  expectedBad,
  learnCount,
  tailPValue,
} from "../../detectors/count-baseline.ts";
import { benjaminiHochberg } from "../../detectors/false-discovery.ts";
import { learnSlowThreshold } from "../../detectors/slow-threshold.ts";
import type { Gaps } from "./connect.ts";
import { baselineOf, publishThreshold, type Registry, thresholdOf } from "./registry.ts";
import { isOutgoing, type RolledUp, type RowName, type SignalRow } from "./roll-up.ts";

/** Share of false ones among the rows called anomalous in a window. */
export const falseDiscoveryRate = 0.001;

/** Statistical certainty is not importance: less than this is nobody's incident. */
const excessMin = 3;
const ratioMin = 2;

/** Windows a row is watched before it is judged; decay takes a little off three. */
const windowsMin = 2.9;

export interface TestedRow extends SignalRow {
  readonly expected: number;
  readonly pValue: number;
  readonly qValue: number;
  readonly anomalous: boolean;
}

export interface Detection {
  readonly windowStartMs: number;
  readonly rows: ReadonlyMap<string, TestedRow>;
  readonly rolled: RolledUp;
  readonly gaps: Gaps;
}

export type DetectInput = Omit<Detection, "rows">;

export function detect(registry: Registry, input: DetectInput, nowMs: number): Detection {
  const rows = [...input.rolled.rows.values()];
  const baselines = rows.map((row) => baselineOfRow(registry, row, nowMs));
  const pValues = Float64Array.from(rows, (row) => pValueOf(registry, row, row));
  const { qValues } = benjaminiHochberg(pValues, falseDiscoveryRate);
  const tested = new Map<string, TestedRow>();
  rows.forEach((row, index) => {
    const baseline = baselines[index];
    const expected = baseline === undefined ? row.bad : expectedBad(baseline, row.count);
    const pValue = pValues[index] as number;
    const qValue = qValues[index] as number;
    tested.set(row.id, { ...row, ...judged({ bad: row.bad, expected, pValue, qValue }) });
  });
  return { ...input, rows: tested };
}

/**
 * How surprising these counts of a row are, in (0, 1]. A row that has only just appeared is judged
 * by its history once it has one; a key from the start, as it has its operation's.
 */
export function pValueOf(registry: Registry, name: RowName, observation: CountObservation): number {
  const baseline = registry.baselines.get(name.id)?.value;
  if (baseline === undefined) return 1;
  const elder = name.scope === "key" ? registry.baselines.get(parentId(name))?.value : baseline;
  const isKnown = (elder?.windows ?? 0) >= windowsMin;
  return isKnown ? tailPValue(baseline, observation) : 1;
}

/** The verdict on one row: certain enough, and large enough to matter. */
export function judged(figures: {
  readonly bad: number;
  readonly expected: number;
  readonly pValue: number;
  readonly qValue: number;
}): Pick<TestedRow, "expected" | "pValue" | "qValue" | "anomalous"> {
  const { bad, expected, pValue, qValue } = figures;
  const matters = bad - expected >= excessMin && bad >= ratioMin * expected;
  return { expected, pValue, qValue, anomalous: matters && qValue <= falseDiscoveryRate };
}

/** Baselines and thresholds learn the window; what is under an incident teaches no new normal. */
export function learn(
  registry: Registry,
  detection: Detection,
  isUnderIncident: (name: RowName) => boolean,
  nowMs: number,
): void {
  const slowServices = new Set<string>();
  for (const row of detection.rows.values()) {
    const anomalous = row.anomalous || isUnderIncident(row);
    if (anomalous && row.signal === "slow") slowServices.add(row.service);
    const baseline = baselineOfRow(registry, row, nowMs);
    if (baseline !== undefined) learnCount(baseline, row, { anomalous });
  }
  for (const operation of detection.rolled.operations.values()) {
    const threshold = thresholdOf(registry, operation, nowMs);
    if (threshold === undefined) continue;
    const anomalous = slowServices.has(operation.service);
    if (learnSlowThreshold(threshold.slow, operation.durationNs, { anomalous })) {
      publishThreshold(registry, threshold, nowMs);
    }
  }
}

function baselineOfRow(registry: Registry, row: RowName, nowMs: number): CountBaseline | undefined {
  const parent = row.scope === "key" ? registry.baselines.get(parentId(row))?.value : undefined;
  return baselineOf(registry, row, parent, nowMs);
}

/** The coarser row a new key is believed to be like. */
function parentId(row: RowName): string {
  const { signal, service, operation, kind, peer } = row;
  if (isOutgoing(kind)) return ["call", signal, service, "", kind, peer].join("\0");
  if (kind === "internal") return ["origin", signal, service, "", "", ""].join("\0");
  return ["operation", signal, service, operation, kind, peer].join("\0");
}
