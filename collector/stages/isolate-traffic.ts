/**
 * Whose requests went missing: every key's count since traffic fell against what it usually brings,
 * and the combinations of attributes that hold what is missing.
 *
 * A key's baseline learns from the windows in which it is seen; what it brings on average when it is
 * seen is the mean of a zero-truncated Poisson law, from which the mean over all windows follows.
 * A key not seen for some time before is no longer expected: its version may be gone for good.
 */
import { defaultDeviationOptions, isolateDeviation } from "../../detectors/isolate-deviation.ts";
import type { Combination } from "../../wire/api-types.ts";
import type { Detection } from "./detect.ts";
import { isNameable } from "./isolate.ts";
import type { Registry } from "./registry.ts";
import { type Places, type RowName, readPlaces, rowOf } from "./row-book.ts";

export interface MissingInput {
  readonly detections: readonly Detection[];
  readonly dimensions: readonly string[];
  /** What gets less, all of it since then. */
  readonly low: readonly Pick<RowName, "scope" | "service" | "operation" | "kind" | "peer">[];
  readonly sinceMs: number;
}

const errorsSignal = 0;
const recentMs = 120_000;
/** All combinations together, of what is missing; with less it is spread. */
const explainedMin = 0.5;
const newtonSteps = 8;

/** Strongest first; none when all keys lost alike. Spans that should have come count. */
export function isolateMissing(registry: Registry, input: MissingInput): Combination[] {
  const held = input.detections.filter(({ windowStartMs }) => windowStartMs >= input.sinceMs);
  const nameable = input.dimensions.map((name, index) => ({ name, index })).filter(isNameable);
  const leaves = keysOf(registry, input).map((subject) => {
    const key = registry.rows.names[subject]?.parts ?? [];
    const row = rowOf(subject, errorsSignal);
    return {
      key: nameable.map(({ index }) => key[index] ?? ""),
      actual: held.reduce((sum, { rolled }) => sum + (rolled.count[row] ?? 0), 0),
      forecast: usualCount(registry, row) * held.length,
    };
  });
  const names = nameable.map(({ name }) => name);
  const { combinations } = isolateDeviation(leaves, defaultDeviationOptions(names, "counts"));
  const missing = combinations.filter(({ actual, forecast }) => actual < forecast);
  const explained = missing.reduce((sum, one) => sum + one.explained, 0);
  if (explained < explainedMin) return [];
  return missing.map(({ attributes, actual, forecast, explained, pValue }) => ({
    ...{ attributes, count: forecast, bad: forecast - actual, expected: 0 },
    ...{ explained, pValue, customers: null },
  }));
}

/** Subjects of the keys that count for what gets less, and were seen not long before. */
function keysOf({ rows }: Registry, { low, sinceMs }: MissingInput): number[] {
  const wanted = new Set(
    low.map(({ scope, service, operation, kind, peer }) =>
      rows.numbers.get([scope, service, operation, kind, peer].join("\0")),
    ),
  );
  const places: Places = { operation: -1, service: -1, blame: -1 };
  const found: number[] = [];
  for (let subject = 0; subject < rows.names.length; subject++) {
    if (rows.names[subject]?.scope !== "key") continue;
    if ((rows.lastMs[subject] ?? 0) < sinceMs - recentMs) continue;
    readPlaces(rows, subject, places);
    const kind = rows.names[places.operation]?.parts[2];
    const isEntry = kind === "server" || kind === "consumer";
    const counts = isEntry
      ? wanted.has(places.operation) || wanted.has(places.service)
      : wanted.has(places.blame);
    if (counts) found.push(subject);
  }
  return found;
}

/** Spans a window brings, on average over all of them. */
function usualCount({ baselines }: Registry, row: number): number {
  const windows = baselines.windows[row] ?? 0;
  if (windows < 1) return 0;
  const whenSeen = (baselines.count[row] ?? 0) / windows;
  let mean = whenSeen;
  for (let step = 0; step < newtonSteps; step++) {
    const slope = 1 - whenSeen * Math.exp(-mean);
    if (slope <= 0) return 0;
    mean -= (mean - whenSeen * (1 - Math.exp(-mean))) / slope;
  }
  return Math.max(0, mean);
}
