/**
 * How much arrives: requests into a service and into each of its operations, and its calls to each
 * far side, every window against what it usually brings. What the window does not name counts 0,
 * for as long as the row book knows it.
 *
 * A window's departure is an anomaly. Something is amiss only when so little has come over several
 * windows that chance would not do it in as many weeks as the budget of false pages gives.
 */
import { benjaminiHochberg } from "../../detectors/false-discovery.ts";
import {
  createTrafficBaseline,
  expectedTraffic,
  type LowRun,
  type TrafficJudgement,
  updateTraffic,
} from "../../detectors/traffic-baseline.ts";
import { type ClosedWindow, coverageMin } from "../decide.ts";
import { falseDiscoveryRate } from "./budget.ts";
import type { Registry } from "./registry.ts";
import type { RolledUp } from "./roll-up.ts";
import { type RowName, rowOf, type Scope, subjectName } from "./row-book.ts";

/** A row whose traffic departs, or is low for some windows already. */
export interface TrafficRow extends Omit<RowName, "signal" | "key"> {
  readonly signal: "traffic";
  readonly count: number;
  readonly expected: number;
  readonly pValue: number;
  readonly qValue: number;
  readonly direction: "up" | "down" | "none";
  readonly low: LowRun | undefined;
  readonly anomalous: boolean;
  /** The run of low windows is no chance, and long enough to be no restart. */
  readonly lasting: boolean;
}

export type Traffic = ReadonlyMap<string, TrafficRow>;

/** Statistical certainty is not importance: fewer than this, or less than a factor 2, is none. */
export const differenceMin = 30;
export const ratioMin = 2;
/** A process starts again within two windows. */
const lastingWindows = 3;

const watchedScopes: ReadonlySet<Scope> = new Set<Scope>(["service", "operation", "call"]);
const errorsSignal = 0;

export interface TrafficInput {
  readonly window: Pick<ClosedWindow, "coverage" | "windowStartMs">;
  readonly rolled: RolledUp;
  /** At which the rows of a window are controlled together before one is told of. */
  readonly level: number;
}

/** Judges and learns the window's traffic. */
export function judgeTraffic(registry: Registry, input: TrafficInput): Traffic {
  const { window, rolled } = input;
  const { traffic } = registry;
  watch(registry, rolled);
  const unseen = unseenIn(rolled, window.coverage);
  const subjects: number[] = [];
  const judgements: TrafficJudgement[] = [];
  const { windowStartMs } = window;
  for (const [subject, baseline] of traffic) {
    const count = rolled.count[rowOf(subject, errorsSignal)] ?? 0;
    const judgement = updateTraffic(baseline, { windowStartMs, count, unseen });
    if (judgement.direction === "none" && judgement.low === undefined) continue;
    subjects.push(subject);
    judgements.push(judgement);
  }
  const pValues = judgements.map(({ pValue }) => pValue);
  const { qValues } = benjaminiHochberg(pValues, falseDiscoveryRate, traffic.size);
  const level = input.level / Math.max(1, traffic.size);
  const rows = new Map<string, TrafficRow>();
  subjects.forEach((subject, index) => {
    const count = rolled.count[rowOf(subject, errorsSignal)] ?? 0;
    const judged = { ...(judgements[index] as TrafficJudgement), qValue: qValues[index] as number };
    const row = trafficRow(registry, subject, { ...judged, count, level });
    if (row !== undefined) rows.set(row.id, row);
  });
  return rows;
}

function watch({ rows, traffic }: Registry, { seen }: RolledUp): void {
  for (const row of seen) {
    const subject = row >> 1;
    if (rowOf(subject, errorsSignal) !== row || traffic.has(subject)) continue;
    const scope = rows.names[subject]?.scope;
    if (scope !== undefined && watchedScopes.has(scope)) {
      traffic.set(subject, createTrafficBaseline());
    }
  }
}

/** As many spans as there are in what was not reported, if it was like the rest. */
function unseenIn({ operations }: RolledUp, coverage: number): number {
  if (coverage >= 1) return 0;
  if (coverage < coverageMin) return Infinity;
  let spans = 0;
  for (const { durationNs } of operations.values()) spans += durationNs.count;
  return (spans * (1 - coverage)) / coverage;
}

function trafficRow(
  { rows }: Registry,
  subject: number,
  judged: TrafficJudgement & {
    readonly qValue: number;
    readonly count: number;
    readonly level: number;
  },
): TrafficRow | undefined {
  const { count, expected, pValue, qValue, direction, low, level } = judged;
  const [more, less] = direction === "up" ? [count, expected] : [expected, count];
  const matters = more - less >= differenceMin && more >= ratioMin * less;
  const anomalous = matters && qValue <= falseDiscoveryRate;
  const name = anomalous || low !== undefined ? subjectName(rows, subject) : undefined;
  if (name === undefined) return undefined;
  return {
    ...{ ...name, id: trafficId(name), signal: "traffic" },
    ...{ count, expected, pValue, qValue, direction, low, anomalous },
    lasting:
      low !== undefined &&
      low.windows >= lastingWindows &&
      low.pValue <= level &&
      low.expected - low.count >= differenceMin,
  };
}

type Subject = Pick<RowName, "scope" | "service" | "operation" | "kind" | "peer">;

export function trafficId({ scope, service, operation, kind, peer }: Subject): string {
  return [scope, "traffic", service, operation, kind, peer].join("\0");
}

/** What usually comes to a subject in a window; 0 for one that is not watched. */
export function usualTraffic({ rows, traffic }: Registry, subject: Subject): number {
  const { scope, service, operation, kind, peer } = subject;
  const number = rows.numbers.get([scope, service, operation, kind, peer].join("\0"));
  const baseline = number === undefined ? undefined : traffic.get(number);
  return baseline === undefined ? 0 : expectedTraffic(baseline);
}
