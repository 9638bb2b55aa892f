/** Incidents of a video service (RobustSpot): plays that stalled, by minute and composite key. */
import { join } from "node:path";
import { defaultIsolationOptions, isolate } from "../../../detectors/isolation.ts";
import type { IsolationLeaf } from "../../../detectors/isolation-leaf.ts";
import { readCsv, readJson } from "../read-data.ts";
import { type NamedCase, textOf } from "./name-score.ts";

interface Incident {
  readonly file: string;
  /** Epoch seconds of the minute it began. */
  readonly timestamp: number;
  readonly cause: Cause | readonly Cause[];
}

type Cause = Readonly<Record<string, string | number>>;

interface Row {
  readonly minute: number;
  readonly key: readonly string[];
  readonly count: number;
  readonly bad: number;
}

const measures = ["min", "value", "cnt"];
/** Forecasts are made of the four minutes before. */
const lookBackSeconds = 240;
/** Spans of a key with the rate of all that stand for what it has not shown yet. */
const priorCount = 20;
const msPerSecond = 1_000;

export function runRobustSpot(data: string): NamedCase[] {
  return readJson<Incident[]>(join(data, "anomaly.json")).map(({ file, timestamp, cause }) => {
    const { dimensions, rows } = readRows(join(data, "cases", file));
    const leaves = leavesAt(rows, timestamp);
    const startMs = performance.now();
    const { combinations, alternatives } = isolate(leaves, defaultIsolationOptions(dimensions));
    const seconds = (performance.now() - startMs) / msPerSecond;
    const causes = Array.isArray(cause) ? (cause as readonly Cause[]) : [cause as Cause];
    return {
      named: combinations.map(({ attributes }) => textOf(attributes)).filter((text) => text !== ""),
      alternatives: alternatives.map(({ attributes }) => textOf(attributes)),
      labelled: causes.map(labelOf),
      seconds,
    };
  });
}

function labelOf(cause: Cause): string {
  return textOf(
    Object.entries(cause).map(([dimension, value]) => ({ dimension, value: String(value) })),
  );
}

function readRows(path: string): { dimensions: string[]; rows: Row[] } {
  const records = readCsv(path);
  const dimensions = Object.keys(records[0] ?? {}).filter((name) => !measures.includes(name));
  const rows = records.map((record): Row => {
    const count = Number(record.cnt);
    return {
      minute: Number(record.min),
      key: dimensions.map((name) => record[name] ?? ""),
      count,
      bad: Math.min(count, Number(record.value)),
    };
  });
  return { dimensions, rows };
}

function leavesAt(rows: readonly Row[], minute: number): IsolationLeaf[] {
  const past = new Map<string, { count: number; bad: number }>();
  const all = { count: 0, bad: 0 };
  for (const { minute: at, key, count, bad } of rows) {
    if (at >= minute || at < minute - lookBackSeconds) continue;
    const own = past.get(key.join()) ?? { count: 0, bad: 0 };
    past.set(key.join(), own);
    for (const sum of [own, all]) {
      sum.count += count;
      sum.bad += bad;
    }
  }
  const rate = all.bad / Math.max(1, all.count);
  return rows
    .filter((row) => row.minute === minute && row.count > 0)
    .map(({ key, count, bad }) => {
      const own = past.get(key.join()) ?? { count: 0, bad: 0 };
      const expected = (count * (own.bad + priorCount * rate)) / (own.count + priorCount);
      return { key, count, bad, expected };
    });
}
