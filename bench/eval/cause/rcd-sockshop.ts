/**
 * Sock Shop with a busy processor or a leaking memory in one service: seconds of metrics by
 * service, no graph. Every metric of a service is one shift of its node. The start is told 60 s
 * early, right, and up to 120 s late, as detection would.
 */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { Shift, ShiftKind } from "../../../dependency-graph/shifts.ts";
import { rankSuspects } from "../../../dependency-graph/suspects.ts";
import { metricShift, splitAtOnset } from "../../../detectors/metric-shift.ts";
import type { Benchmark } from "../benchmark.ts";
import { readCsv } from "../read-data.ts";
import {
  costFigures,
  faultTypeFigures,
  type RankedCase,
  rankFigures,
  strictRank,
} from "./rank-score.ts";

export const rcdSockshop: Benchmark = {
  name: "rcd_sockshop",
  title: "Cause: a service of Sock Shop short of processor or memory, metrics only",
  folder: "rcd-sockshop",
  measure: async (data) => {
    const cases = runRcdSockshop(data);
    const exact = cases.filter(({ jitterMs }) => jitterMs === 0);
    const jittered = cases.filter(({ jitterMs }) => jitterMs !== 0);
    const goals = { top1: { goal: 0.96, rivals: { BARO: 0.96, NSigma: 0.94 } } };
    return [
      ...rankFigures(exact, { ks: [1, 3, 5], goals }),
      ...faultTypeFigures(exact),
      ...rankFigures(jittered, { prefix: "jittered_", ks: [1] }),
      ...costFigures(cases),
    ];
  },
};

interface JitteredCase extends RankedCase {
  readonly jitterMs: number;
}

const jittersMs: readonly number[] = [0, -60_000, 60_000, 120_000];
const msPerSecond = 1_000;

function runRcdSockshop(data: string): JitteredCase[] {
  return readdirSync(data)
    .sort()
    .flatMap((fault) => {
      const folder = join(data, fault);
      return readdirSync(folder)
        .sort()
        .map((repetition) => join(folder, repetition))
        .filter((path) => existsSync(join(path, "normal.csv.gz")))
        .flatMap((path) => runCase(path, fault));
    });
}

function runCase(path: string, fault: string): JitteredCase[] {
  const normal = readCsv(join(path, "normal.csv"));
  const rows = [...normal, ...readCsv(join(path, "anomalous.csv"))];
  // The two were recorded days apart; a row is a second.
  const timesMs = rows.map((_, at) => at * msPerSecond);
  const columns = Object.keys(rows[0] ?? {}).filter((name) => name !== "time");
  const values = new Map(
    columns.map((name) => [
      name,
      Float64Array.from(rows, (row) => Number(row[name] || Number.NaN)),
    ]),
  );
  const [service = "", faultType = ""] = fault.split("-");
  return jittersMs.map((jitterMs) => {
    const onsetMs = normal.length * msPerSecond + jitterMs;
    const startedMs = performance.now();
    const shifts = new Map<string, Shift[]>();
    for (const [column, ofColumn] of values) {
      const split = splitAtOnset({ timesMs, windowMs: 0, values: ofColumn }, onsetMs);
      const moved = metricShift(split.before, split.during);
      const node = column.slice(0, column.indexOf("_"));
      const name = column.slice(node.length + 1);
      const shift = moved && { ...moved, kind: kindOf(name), name, unit: unitOf(name) };
      shifts.set(node, [...(shifts.get(node) ?? []), ...(shift === undefined ? [] : [shift])]);
    }
    const nodes = [...shifts].map(([id, ofNode]) => ({ id, shifts: ofNode }));
    const suspects = rankSuspects({ nodes, edges: [] });
    const seconds = (performance.now() - startedMs) / msPerSecond;
    const first = suspects[0]?.evidence[0] ?? "none";
    const rank = strictRank(suspects, service);
    return { name: path, faultType, jitterMs, rank, first, seconds };
  });
}

function kindOf(name: string): ShiftKind {
  if (name.startsWith("lat_")) return "latency";
  return name === "lod" ? "traffic" : "resource";
}

function unitOf(name: string): string {
  if (name.startsWith("lat_")) return "s";
  if (name === "lod") return "1/s";
  return name === "mem" ? "B" : "%";
}
