/**
 * Which rows of a window depart from their baselines: an exact tail test each, then one control of
 * false discoveries over all rows of the window.
 */
import {
  type CountObservation,
  defaultCountPrior,
  expectedBad,
  learnCount,
  tailPValue,
} from "../../detectors/count-baseline.ts";
import { benjaminiHochberg } from "../../detectors/false-discovery.ts";
import { learnSlowThreshold } from "../../detectors/slow-threshold.ts";
import type { Hll } from "../../sketch/hll.ts";
import type { Anomaly, Signal } from "../../wire/api-types.ts";
import {
  type BaselineView,
  createBaselineView,
  readBaseline,
  reserveBaselines,
  startBaseline,
  windowsOf,
  writeBaseline,
} from "./baseline-columns.ts";
import { falseDiscoveryRate } from "./budget.ts";
import type { Gaps } from "./connect.ts";
import { publishThreshold, type Registry, thresholdOf } from "./registry.ts";
import type { RolledUp } from "./roll-up.ts";
import {
  type BadSignal,
  badSignals,
  findRow,
  type Places,
  type RowName,
  readPlaces,
  rowName,
  rowOf,
  rowsEnd,
  serviceOf,
  subjectOf,
} from "./row-book.ts";
import type { Traffic, TrafficRow } from "./traffic.ts";

/** Statistical certainty is not importance: less than this is nobody's incident. */
const excessMin = 3;
const ratioMin = 2;

/** Windows a row is watched before it is judged; decay takes a little off three. */
const windowsMin = 2.9;

/** A window's counts, and what was expected of each row when it was judged, by row number. */
export interface Detection {
  readonly windowStartMs: number;
  readonly rolled: RolledUp;
  readonly expected: Float64Array;
  readonly anomalous: ReadonlySet<number>;
  /** Rows whose traffic departs, by id. */
  readonly traffic: Traffic;
  /** What departs beside what is bad or missing. */
  readonly departures: readonly Anomaly[];
  readonly gaps: Gaps;
}

export type DetectInput = Omit<Detection, "expected" | "anomalous">;

/** One row of a window, spelt out. */
export interface WindowRow extends Omit<RowName, "signal"> {
  readonly signal: Signal;
  readonly count: number;
  readonly bad: number;
  readonly originBad: number;
  readonly expected: number;
  readonly anomalous: boolean;
  /** Customers with a bad span; undefined while there is none. */
  readonly customersBad: Hll | undefined;
}

const view = createBaselineView();
const parentView = createBaselineView();
const placesView: Places = { operation: -1, service: -1, blame: -1 };

export function detect(registry: Registry, input: DetectInput): Detection {
  const { seen, count, bad } = input.rolled;
  const expected = new Float64Array(count.length);
  const rows: number[] = [];
  const pValues: number[] = [];
  for (const row of seen) {
    const counted = { count: count[row] as number, bad: bad[row] as number };
    expected[row] = readOrStart(registry, row) ? expectedBad(view, counted.count) : counted.bad;
    if (!isWorse(counted.bad, expected[row])) continue;
    rows.push(row);
    pValues.push(pValueIn(registry, row, view, counted));
  }
  const { qValues } = benjaminiHochberg(pValues, falseDiscoveryRate, seen.length);
  const anomalous = new Set<number>();
  rows.forEach((row, index) => {
    const figures = { bad: bad[row] as number, expected: expected[row] as number };
    if (isAnomalous({ ...figures, qValue: qValues[index] as number })) anomalous.add(row);
  });
  return { ...input, expected, anomalous };
}

/** The upper tail of what is no worse than expected is no evidence, and is not worked out. */
export function isWorse(bad: number, expected: number): boolean {
  return bad > 0 && bad > expected;
}

/**
 * How surprising these counts of a row are, in (0, 1]. A row that has only just appeared is judged
 * by its history once it has one; a key from the start, as it has its operation's.
 */
export function pValueOf(registry: Registry, row: number, observation: CountObservation): number {
  if (!readBaseline(registry.baselines, row, view)) return 1;
  return pValueIn(registry, row, view, observation);
}

function pValueIn(
  registry: Registry,
  row: number,
  baseline: BaselineView,
  observation: CountObservation,
): number {
  const parent = parentOf(registry, row);
  const isKnown = windowsOf(registry.baselines, parent < 0 ? row : parent) >= windowsMin;
  return isKnown ? tailPValue(baseline, observation) : 1;
}

/** The verdict on one row: certain enough, and large enough to matter. */
export function isAnomalous(figures: {
  readonly bad: number;
  readonly expected: number;
  readonly qValue: number;
}): boolean {
  return matters(figures) && figures.qValue <= falseDiscoveryRate;
}

/** So many more bad events than usual that it is worth a word, were it certain. */
export function matters(figures: { readonly bad: number; readonly expected: number }): boolean {
  const { bad, expected } = figures;
  return bad - expected >= excessMin && bad >= ratioMin * expected;
}

/** Baselines and thresholds learn the window; what is under an incident teaches no new normal. */
export function learn(
  registry: Registry,
  detection: Detection,
  isUnderIncident: (signal: BadSignal, service: string) => boolean,
  nowMs: number,
): void {
  const { seen, count, bad } = detection.rolled;
  const isHeld = heldServices(isUnderIncident);
  const slowServices = new Set<string>();
  for (const row of seen) {
    const service = serviceOf(registry.rows, subjectOf(row));
    const signal = badSignals[row % badSignals.length] as BadSignal;
    const anomalous = detection.anomalous.has(row) || isHeld(signal, service);
    if (anomalous && signal === "slow") slowServices.add(service);
    if (!readBaseline(registry.baselines, row, view)) continue;
    const observation = { count: count[row] as number, bad: bad[row] as number };
    learnCount(view, observation, { anomalous });
    writeBaseline(registry.baselines, row, view);
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

/** Asked once a service and signal, not once a row. */
function heldServices(
  isUnderIncident: (signal: BadSignal, service: string) => boolean,
): (signal: BadSignal, service: string) => boolean {
  const held = { errors: new Map<string, boolean>(), slow: new Map<string, boolean>() };
  return (signal, service) => {
    const known = held[signal].get(service);
    if (known !== undefined) return known;
    const isHeld = isUnderIncident(signal, service);
    held[signal].set(service, isHeld);
    return isHeld;
  };
}

/**
 * Reads the baseline of a row, made when it is first seen. A key seen for the first time, as after
 * a deploy, is believed to be like its operation until it has a history of its own.
 */
function readOrStart({ rows, baselines }: Registry, row: number): boolean {
  reserveBaselines(baselines, rowsEnd(rows));
  if (readBaseline(baselines, row, view)) return true;
  const parent = parentOf({ rows }, row);
  const isLike = parent >= 0 && readBaseline(baselines, parent, parentView);
  const rate = isLike ? expectedBad(parentView, 1) : defaultCountPrior.rate;
  startBaseline(baselines, row, rate);
  return readBaseline(baselines, row, view);
}

/** The coarser row a new key is believed to be like; -1 for what is no key. */
function parentOf({ rows }: Pick<Registry, "rows">, row: number): number {
  readPlaces(rows, subjectOf(row), placesView);
  const { operation, blame } = placesView;
  if (operation < 0) return -1;
  const kind = rows.names[operation]?.parts[2] ?? "";
  const subject = kind === "server" || kind === "consumer" ? operation : blame;
  return subject < 0 ? -1 : rowOf(subject, row % badSignals.length);
}

/** A row of the window by its id, spelt out. */
export function windowRow(
  { rows }: Registry,
  detection: Detection,
  id: string,
): WindowRow | undefined {
  const { rolled, expected, anomalous, traffic } = detection;
  const low = traffic.get(id);
  if (low !== undefined) return missingRow(low);
  const row = findRow(rows, id);
  const count = rolled.count[row] ?? 0;
  const name = count > 0 ? rowName(rows, row) : undefined;
  if (name === undefined) return undefined;
  return {
    ...name,
    count,
    bad: rolled.bad[row] as number,
    originBad: rolled.originBad[row] as number,
    expected: expected[row] as number,
    anomalous: anomalous.has(row),
    customersBad: rolled.customersBad.get(row),
  };
}

/** What usually comes counts, and what is missing of it is bad. */
function missingRow(low: TrafficRow): WindowRow {
  const { id, scope, signal, service, operation, kind, peer, count, expected } = low;
  const missing = Math.max(0, Math.round(expected) - count);
  return {
    ...{ id, scope, signal, service, operation, kind, peer, key: undefined },
    ...{ count: count + missing, bad: missing, originBad: 0, expected: 0 },
    ...{ anomalous: low.low !== undefined, customersBad: undefined },
  };
}

/** Whether a row of that id departs in the window. */
export function isDeparting({ rows }: Registry, detection: Detection, id: string): boolean {
  if (detection.traffic.get(id)?.low !== undefined) return true;
  return detection.anomalous.has(findRow(rows, id));
}
