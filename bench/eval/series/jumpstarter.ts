/**
 * Services with 19 metrics each, aligned in time: what is believed when very many streams are
 * judged in every window, and how much of it lies where nothing is labelled.
 *
 * Labels are of a service, not of its metrics, so a discovery is taken as right when its service
 * has a label then; what nobody labelled counts against the detector.
 */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { benjaminiHochberg } from "../../../detectors/false-discovery.ts";
import { createSeriesBaseline, updateSeries } from "../../../detectors/series-baseline.ts";
import type { Figure } from "../../table.ts";
import { wilsonInterval } from "../interval.ts";
import { readText } from "../read-data.ts";

const stepMs = 300_000;
const q = 0.05;
const small = 0.01;

interface Service {
  /** By stream, then by row of the test part. */
  readonly pValues: readonly Float64Array[];
  readonly labels: Uint8Array;
}

export function fdrFigures(data: string): Figure[] {
  const services = readdirSync(join(data, "test"))
    .sort()
    .map((file) => judgeService(data, file.replace(/\.gz$/, "")));
  const quiet = countQuiet(services);
  const windows = countWindows(services);
  return [
    {
      metric: "small_share",
      label: `share of p-values at most ${small} where no label is`,
      value: quiet.small / quiet.rows,
      interval: wilsonInterval(quiet.small, quiet.rows),
      unit: "",
      goal: { max: 2 * small },
    },
    {
      metric: "quiet_windows",
      label: `windows without any label in which something is believed at q = ${q}`,
      value: windows.quietAlarms / Math.max(1, windows.quiet),
      interval: wilsonInterval(windows.quietAlarms, windows.quiet),
      unit: "",
      goal: { max: q },
    },
    {
      metric: "segments_hit",
      label: "labelled segments in which something is believed",
      value: windows.hits / Math.max(1, windows.segments),
      interval: wilsonInterval(windows.hits, windows.segments),
      unit: "",
    },
    {
      metric: "streams",
      label: "streams",
      value: services.reduce((sum, { pValues }) => sum + pValues.length, 0),
      unit: "",
    },
  ];
}

function judgeService(data: string, file: string): Service {
  const train = existsTrain(data, file) ? readRows(join(data, "train", file)) : [];
  const rows = readRows(join(data, "test", file));
  const labels = Uint8Array.from(readRows(join(data, "test_label", file)), ([label]) => label ?? 0);
  const pValues = (rows[0] ?? []).map((_, stream) => {
    const baseline = createSeriesBaseline({ stepMs });
    const judge = (row: readonly number[], at: number): number =>
      updateSeries(baseline, at * stepMs, row[stream]).pValue;
    for (const [at, row] of train.entries()) judge(row, at);
    return Float64Array.from(rows, (row, at) => judge(row, train.length + at));
  });
  return { pValues, labels };
}

function existsTrain(data: string, file: string): boolean {
  return existsSync(join(data, "train", file)) || existsSync(join(data, "train", `${file}.gz`));
}

function readRows(path: string): number[][] {
  const lines = readText(path).trim().split(/\r?\n/);
  return lines.map((line) => line.split(",").map(Number));
}

function countQuiet(services: readonly Service[]): { small: number; rows: number } {
  const count = { small: 0, rows: 0 };
  for (const { pValues, labels } of services)
    for (const stream of pValues)
      for (const [row, pValue] of stream.entries()) {
        if (labels[row] === 1) continue;
        count.rows++;
        if (pValue <= small) count.small++;
      }
  return count;
}

function countWindows(services: readonly Service[]) {
  const count = { quiet: 0, quietAlarms: 0, segments: 0, hits: 0 };
  const hit = services.map(() => false);
  const rows = Math.max(...services.map(({ labels }) => labels.length));
  for (let row = 0; row < rows; row++) {
    const believed = believedServices(services, row);
    const isQuiet = services.every(({ labels }) => labels[row] !== 1);
    if (isQuiet) count.quiet++;
    if (isQuiet && believed.size > 0) count.quietAlarms++;
    for (const [index, { labels }] of services.entries()) {
      if (labels[row] !== 1) continue;
      if (labels[row - 1] !== 1) {
        count.segments++;
        hit[index] = false;
      }
      if (hit[index] === true || !believed.has(index)) continue;
      hit[index] = true;
      count.hits++;
    }
  }
  return count;
}

function believedServices(services: readonly Service[], row: number): Set<number> {
  const pValues = services.flatMap((service) => service.pValues.map((one) => one[row] ?? 1));
  const owners = services.flatMap((service, index) => service.pValues.map(() => index));
  const { rejected } = benjaminiHochberg(pValues, q);
  return new Set(owners.filter((_, stream) => rejected[stream]));
}
