/** The series of the Numenta Anomaly Benchmark with their labelled windows. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { readCsv, readJson } from "../read-data.ts";
import type { LabelledWindow } from "./nab-score.ts";

export interface NabSeries {
  /** `category/file.csv`. */
  readonly name: string;
  readonly category: string;
  /** Median distance of its rows. */
  readonly stepMs: number;
  /** Epoch milliseconds. */
  readonly times: Float64Array;
  readonly values: Float64Array;
  readonly windows: readonly LabelledWindow[];
}

type Labels = Readonly<Record<string, readonly (readonly [string, string])[]>>;

export function readNab(data: string): NabSeries[] {
  const labels = readJson<Labels>(join(data, "labels", "combined_windows.json"));
  return readdirSync(join(data, "data"))
    .sort()
    .flatMap((category) =>
      readdirSync(join(data, "data", category))
        .sort()
        .map((file) => readSeries(data, category, file.replace(/\.gz$/, ""), labels)),
    );
}

function readSeries(data: string, category: string, file: string, labels: Labels): NabSeries {
  const name = `${category}/${file}`;
  const rows = readCsv(join(data, "data", category, file));
  const times = Float64Array.from(rows, ({ timestamp }) => timeOf(timestamp ?? ""));
  const windows = (labels[name] ?? []).map(([from, to]): LabelledWindow => {
    const [first, last] = [timeOf(from), timeOf(to)];
    return [times.findIndex((ms) => ms >= first), times.findLastIndex((ms) => ms <= last)];
  });
  const values = Float64Array.from(rows, ({ value }) => Number(value));
  return { name, category, stepMs: medianStep(times), times, values, windows };
}

function medianStep(times: Float64Array): number {
  const steps = times.map((ms, row) => ms - (times[row - 1] ?? ms)).subarray(1);
  return steps.sort()[steps.length >>> 1] ?? 0;
}

function timeOf(text: string): number {
  return Date.parse(`${text.slice(0, 19).replace(" ", "T")}Z`);
}
