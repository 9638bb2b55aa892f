/**
 * Which metrics of a suspect moved when the trouble began: said with the last step of the walk, as
 * what else is known of the place it leads to. Never a reason to blame: whoever is blamed was
 * reached by calls.
 *
 * A metric is named when chance alone would name one of all the service's in a trouble of twenty:
 * Bonferroni over its series, with the tail of Student's t of 3 degrees that `metricShift` holds
 * against, of which 1.1 / d^3 lies beyond d on either side. At least twice it must also lie outside
 * of everything that was seen before: a metric that mostly stands still and leaps now and then has
 * no spread to be measured by, and one leap is no shift. Nor is what it does every night:
 * a metric known for longer than a day has to do what its baseline holds for rarer than daily.
 */
import { type MetricShift, metricShift, splitAtOnset } from "../../detectors/metric-shift.ts";
import type { Finding } from "./explain.ts";
import type { MetricBook, MetricSeries } from "./metric-book.ts";

/** A metric of a service, and how far it moved; the strongest come first. */
export interface NamedShift extends MetricShift {
  readonly metric: string;
  readonly host: string;
  /** Whether the middle of its values moved, or the highest of them. */
  readonly of: "median" | "highest";
  /** How many of its ordinary spreads. */
  readonly spreads: number;
}

/** One in twenty. */
const level = 0.05;
const tail = 2.2;
const freedom = 3;
const shiftsMax = 3;
const newMin = 2;
const dayMs = 86_400_000;
const spreadsShownMax = 1_000;

/** When the trouble began, as windows of this length tell it. */
export interface Onset {
  readonly sinceMs: number;
  readonly windowMs: number;
}

export function metricShiftsOf(book: MetricBook, service: string, onset: Onset): NamedShift[] {
  const series = [...(book.services.get(service)?.values() ?? [])];
  // Two tests a series: of the median, and of the highest value.
  const tests = 2 * series.length;
  return series
    .filter((one) => !isRoutine(one, onset))
    .map((one) => shiftOf(one, onset))
    .filter((shift) => shift !== undefined)
    .filter(({ spreads }) => spreads > 0 && (tail / spreads ** 3) * tests <= level)
    .sort((a, b) => Math.abs(b.score) - Math.abs(a.score) || (a.metric < b.metric ? -1 : 1));
}

/** The stronger of the two. */
function shiftOf(series: MetricSeries, { sinceMs, windowMs }: Onset): NamedShift | undefined {
  let found: NamedShift | undefined;
  for (const of of ["median", "highest"] as const) {
    const { size, metric, host } = series;
    const values = of === "median" ? series.medians : series.highest;
    const timed = { timesMs: series.timesMs.subarray(0, size), windowMs, values };
    const { before, during } = splitAtOnset(timed, sinceMs);
    const shift = metricShift(before, during);
    if (shift === undefined || !isNew(before, during, shift.score)) continue;
    const strength = Math.abs(shift.score);
    if (found !== undefined && strength <= Math.abs(found.score)) continue;
    const spreads = Math.sqrt(freedom * Math.expm1(strength ** 2 / (freedom + 1)));
    found = { ...shift, metric, host, of, spreads };
  }
  return found;
}

/** Whether a metric does nothing that it would not do, by its baseline, about once a day. */
function isRoutine(series: MetricSeries, { sinceMs, windowMs }: Onset): boolean {
  if (sinceMs - series.sinceMs <= dayMs) return false;
  const { timesMs, pValues, size } = series;
  for (let at = 0; at < size; at++) {
    const isNow = (timesMs[at] as number) >= sinceMs;
    if (isNow && (pValues[at] as number) <= windowMs / dayMs) return false;
  }
  return true;
}

/** Whether enough of what is seen now was never seen before, on the side it moved to. */
function isNew(before: readonly number[], during: readonly number[], score: number): boolean {
  const sign = Math.sign(score);
  const farthest = Math.max(...before.map((value) => sign * value));
  return during.filter((value) => sign * value > farthest).length >= newMin;
}

/** The finding with what the metrics of its cause say; the same where they say nothing. */
export function withMetricEvidence(book: MetricBook, finding: Finding, onset: Onset): Finding {
  const { cause, hops } = finding;
  const last = hops.at(-1);
  if (cause.kind !== "node" || last?.to !== cause.name) return finding;
  const shifts = metricShiftsOf(book, cause.name, onset).slice(0, shiftsMax);
  if (shifts.length === 0) return finding;
  const said = shifts.map((shift) => sentenceOf(cause.name, shift));
  return {
    ...finding,
    hops: [...hops.slice(0, -1), { ...last, evidence: [...last.evidence, ...said] }],
  };
}

function sentenceOf(service: string, shift: NamedShift): string {
  const { metric, host, before, during, score, of, spreads } = shift;
  const what = of === "median" ? metric : `the highest ${metric}`;
  const where = host === "" ? service : `${service} on ${host}`;
  const moved = score > 0 ? "rose" : "fell";
  const far =
    spreads > spreadsShownMax
      ? "it hardly moved before"
      : `${shown(spreads)} times its usual spread`;
  return `${what} of ${where} ${moved} from ${shown(before)} to ${shown(during)} (${far})`;
}

function shown(value: number): string {
  return Math.abs(value) >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(2)));
}
