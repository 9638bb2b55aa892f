/**
 * Isolation on public incidents of a video service (RobustSpot, development half), where the data
 * is at hand: leaves per minute with stalled and all plays, expected from the four minutes before.
 */
import { existsSync, readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { defaultIsolationOptions, isolate } from "../../detectors/isolation.ts";
import type { IsolationLeaf } from "../../detectors/isolation-leaf.ts";

const folder = "../shared/data/robustspot-rs";

interface LabelledCase {
  readonly file: string;
  readonly timestamp: number;
  readonly cause: unknown;
}

interface Row {
  readonly minute: number;
  readonly key: readonly string[];
  readonly bad: number;
  readonly count: number;
}

function readRows(file: string): { dimensions: string[]; rows: Row[] } {
  const text = gunzipSync(readFileSync(`${folder}/cases/${file}`)).toString("utf8");
  const [header = "", ...lines] = text.trim().split(/\r?\n/);
  const names = header.split(",");
  const dimensions = names.filter((name) => !["min", "value", "cnt"].includes(name));
  const at = (cells: string[], name: string): string => cells[names.indexOf(name)] ?? "";
  const rows = lines.map((line): Row => {
    const cells = line.split(",");
    return {
      minute: Number(at(cells, "min")),
      key: dimensions.map((name) => at(cells, name)),
      bad: Number(at(cells, "value")),
      count: Number(at(cells, "cnt")),
    };
  });
  return { dimensions, rows };
}

function leavesAt(rows: readonly Row[], minute: number): IsolationLeaf[] {
  const before = new Map<string, { bad: number; count: number }>();
  const whole = { bad: 0, count: 0 };
  for (const row of rows) {
    if (row.minute >= minute || row.minute < minute - 240) continue;
    const sum = before.get(row.key.join()) ?? { bad: 0, count: 0 };
    before.set(row.key.join(), sum);
    for (const target of [sum, whole]) {
      target.bad += row.bad;
      target.count += row.count;
    }
  }
  const rate = whole.bad / Math.max(1, whole.count);
  return rows
    .filter((row) => row.minute === minute && row.count > 0)
    .map(({ key, bad, count }) => {
      const past = before.get(key.join()) ?? { bad: 0, count: 0 };
      const expected = (count * (past.bad + 20 * rate)) / (past.count + 20);
      return { key, count, bad: Math.min(bad, count), expected };
    });
}

function causeTexts(cause: unknown): string[] {
  const causes = Array.isArray(cause) ? cause : [cause];
  return causes.map((one) =>
    Object.entries(one as Record<string, unknown>)
      .map(([dimension, value]) => `${dimension}=${value}`)
      .sort()
      .join("&"),
  );
}

describe.skipIf(!existsSync(folder))("RobustSpot incidents", () => {
  test("the first combination named is a labelled cause in four of five cases", () => {
    const cases = JSON.parse(readFileSync(`${folder}/anomaly.json`, "utf8")) as LabelledCase[];
    let hits = 0;
    let right = 0;
    let named = 0;
    let labelled = 0;
    for (const one of cases) {
      const { dimensions, rows } = readRows(one.file);
      const wanted = causeTexts(one.cause);
      const { combinations } = isolate(
        leavesAt(rows, one.timestamp),
        defaultIsolationOptions(dimensions),
      );
      const texts = combinations.map(({ attributes }) =>
        attributes
          .map(({ dimension, value }) => `${dimension}=${value}`)
          .sort()
          .join("&"),
      );
      hits += wanted.includes(texts[0] ?? "") ? 1 : 0;
      right += texts.filter((text) => wanted.includes(text)).length;
      named += texts.filter((text) => text !== "").length;
      labelled += wanted.length;
    }
    const f1 = (2 * right) / (named + labelled);
    console.info(
      `RobustSpot: first combination right in ${hits} of ${cases.length}, F1 ${f1.toFixed(3)}`,
    );
    expect(hits / cases.length).toBeGreaterThan(0.78);
    expect(f1).toBeGreaterThan(0.72);
  });
});
