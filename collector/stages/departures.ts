/**
 * What departs from the usual without anybody being certainly hurt: durations of an operation that
 * are spread otherwise though few are slow, and more or fewer customers at a service. They open no
 * incident; one that is open tells of those at the places it speaks of.
 *
 * Bounds: the operations thresholds are kept for, at most `servicesMax` services.
 */
import { anomalyScore } from "../../detectors/anomaly-score.ts";
import { updateDistribution } from "../../detectors/distribution-shift.ts";
import { benjaminiHochberg } from "../../detectors/false-discovery.ts";
import { createSeriesBaseline, updateSeries } from "../../detectors/series-baseline.ts";
import { estimateHll, type Hll, isEmptyHll } from "../../sketch/hll.ts";
import type { Anomaly } from "../../wire/api-types.ts";
import { coverageMin } from "../decide.ts";
import { customersSentence, durationSentence } from "./anomaly-sentence.ts";
import { falseDiscoveryRate } from "./budget.ts";
import type { Registry } from "./registry.ts";
import type { RolledUp } from "./roll-up.ts";

export interface DepartureInput {
  readonly rolled: Pick<RolledUp, "operations" | "customersSeen">;
  readonly windowStartMs: number;
  readonly windowEndMs: number;
  readonly coverage: number;
}

const servicesMax = 10_000;
/** Fewer customers more or less are nobody's news. */
const customersMin = 10;
const customersShare = 0.3;
const departuresMax = 20;

type Found = Omit<Anomaly, "qValue" | "score">;

/** Judges and learns a window. */
export function judgeDepartures(registry: Registry, input: DepartureInput): Anomaly[] {
  const found: Found[] = [];
  let tested = 0;
  for (const operation of input.rolled.operations.values()) {
    const { id, service, operation: name, kind, peer, durationNs } = operation;
    const baseline = registry.thresholds.get(id)?.value.durations;
    if (baseline === undefined) continue;
    tested++;
    const shift = updateDistribution(baseline, durationNs);
    if (shift === undefined) continue;
    const { pValue, long, longExpected } = shift;
    const named = { service, operation: name, kind, peer, signal: "duration" } as const;
    const counted = { count: durationNs.count, bad: long, expected: longExpected, pValue };
    const sentence = durationSentence({ ...named, ...counted, distance: shift.distance });
    found.push({ windowStartMs: input.windowStartMs, ...named, ...counted, sentence });
  }
  for (const [service, customers] of input.rolled.customersSeen) {
    const one = judgeCustomers(registry, input, { service, customers });
    if (one !== undefined) found.push(one);
    tested++;
  }
  const { qValues } = benjaminiHochberg(
    found.map(({ pValue }) => pValue),
    falseDiscoveryRate,
    tested,
  );
  return found
    .map((one, at) => {
      return { ...one, qValue: qValues[at] as number, score: anomalyScore(one.pValue) };
    })
    .filter(({ qValue }) => qValue <= falseDiscoveryRate);
}

/** The strongest of each signal of a place, of windows since then at the places that are meant. */
export function departuresAt(
  windows: readonly (readonly Anomaly[])[],
  services: ReadonlySet<string>,
): Anomaly[] {
  const strongest = new Map<string, Anomaly>();
  for (const one of windows.flat()) {
    if (!services.has(one.service)) continue;
    const id = [one.signal, one.service, one.operation, one.kind, one.peer].join("\0");
    const known = strongest.get(id);
    if (known === undefined || one.pValue < known.pValue) strongest.set(id, one);
  }
  return [...strongest.values()]
    .toSorted((a, b) => a.pValue - b.pValue || (a.sentence < b.sentence ? -1 : 1))
    .slice(0, departuresMax);
}

function judgeCustomers(
  { customers: known }: Registry,
  { windowStartMs, windowEndMs, coverage }: DepartureInput,
  { service, customers }: { readonly service: string; readonly customers: Hll },
): Found | undefined {
  const stepMs = windowEndMs - windowStartMs;
  const hasRoom = known.size < servicesMax && !isEmptyHll(customers);
  const kept = known.get(service) ?? { value: createSeriesBaseline({ stepMs }), lastMs: 0 };
  if (!known.has(service) && !hasRoom) return undefined;
  known.set(service, kept);
  kept.lastMs = windowEndMs;
  // Customers of silent agents are not gone.
  const seen = coverage < coverageMin ? undefined : estimateHll(customers);
  const { expected, pValue } = updateSeries(kept.value, windowStartMs, seen);
  if (seen === undefined || pValue > falseDiscoveryRate) return undefined;
  const difference = Math.abs(seen - expected);
  if (difference < Math.max(customersMin, customersShare * expected)) return undefined;
  return {
    ...{ windowStartMs, service, operation: "", kind: "", peer: "", signal: "customers" },
    ...{ count: Math.round(seen), bad: Math.max(0, expected - seen), expected, pValue },
    sentence: customersSentence({ service, seen, expected, pValue }),
  };
}
