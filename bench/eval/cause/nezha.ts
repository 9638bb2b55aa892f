/**
 * Nezha: faults in two systems with known graphs, from minutes of traces and metrics of pods; their
 * logs are left alone. A case is what was recorded from the trouble's start for three minutes. Usual
 * is what was recorded before that on the same day, and the fault-free minute; faults told of are
 * not left out of it, as nobody would know them. Seconds are those of the reduction of its minutes
 * and of the ranking.
 *
 * Cases without a minute of traces are counted apart: the figures of others leave them out.
 */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { connect } from "../../../collector/stages/connect.ts";
import { createRegistry } from "../../../collector/stages/registry.ts";
import { sumTraces } from "../../../collector/stages/sum-traces.ts";
import type { Shift, SuspectGraph } from "../../../dependency-graph/shifts.ts";
import { rankSuspects, type Suspect } from "../../../dependency-graph/suspects.ts";
import { createTraceHistory, learnTraces } from "../../../dependency-graph/trace-history.ts";
import { traceShifts } from "../../../dependency-graph/trace-shifts.ts";
import type { TraceSums } from "../../../dependency-graph/trace-sums.ts";
import { metricShift, splitAtOnset } from "../../../detectors/metric-shift.ts";
import type { Figure } from "../../table.ts";
import type { Benchmark } from "../benchmark.ts";
import { readCsv, readJson } from "../read-data.ts";
import { type Callers, callersIn, readTraces, requestsOf, serviceOfPod } from "./nezha-traces.ts";
import {
  costFigures,
  faultTypeFigures,
  type RankedCase,
  type RankGoals,
  rankFigures,
  shareFigure,
  strictRank,
} from "./rank-score.ts";
import { reduceTraces } from "./reduce-traces.ts";

const goals: RankGoals = {
  onlineboutique_top1: {
    goal: 0.88,
    rivals: { "Nezha, no logs": 0.643, "self, gap, calls": 0.776, MicroRank: 0.411 },
  },
  trainticket_top1: {
    goal: 0.6,
    rivals: { "Nezha, no logs": 0.422, "self, gap, calls": 0.333, MicroRank: 0.156 },
  },
};

const minuteMs = 60_000;
const troubleMs = 3 * minuteMs;
const windowMs = 10_000;
const msPerSecond = 1_000;
/** What a pod uses up; the other columns are work it does. */
const resources = ["CpuUsageRate(%)", "MemoryUsageRate(%)"];

export const nezha: Benchmark = {
  name: "nezha",
  title: "Cause: faults of Online Boutique and Train Ticket, traces and metrics of pods, no logs",
  folder: "nezha",
  measure: async (data) =>
    readdirSync(data)
      .sort()
      .filter((name) => existsSync(join(data, name, "trace")))
      .flatMap((name) => systemFigures(name, join(data, name))),
};

interface Fault {
  readonly day: string;
  readonly onsetMs: number;
  readonly type: string;
  readonly service: string;
}

interface Minute {
  readonly path: string;
  readonly day: string;
  readonly isFaultFree: boolean;
  /** About when it was recorded. */
  readonly atMs: number;
}

interface System {
  readonly folder: string;
  readonly minutes: readonly Minute[];
  readonly callers: Callers;
  readonly windows: Map<string, readonly TraceSums[]>;
  /** That it took to reduce a minute, by path. */
  readonly seconds: Map<string, number>;
  readonly metrics: Map<string, readonly PodMetric[]>;
}

interface PodMetric {
  readonly service: string;
  readonly name: string;
  readonly timesMs: Float64Array;
  readonly values: Float64Array;
}

function systemFigures(name: string, folder: string): Figure[] {
  const system = openSystem(folder);
  const faults = readFaults(folder);
  const cases = faults.map((fault) => runCase(system, fault));
  const traced = cases.flatMap((one) => (one === undefined ? [] : [one]));
  const silences = runFaultFree(system);
  const prefix = `${name}_`;
  const quiet = silences.filter((silent) => silent).length;
  return [
    ...rankFigures(traced, { prefix, ks: [1, 3, 5], goals }),
    ...faultTypeFigures(traced, prefix),
    shareFigure(
      { metric: `${prefix}specificity`, label: `${name} halves of fault-free minutes, silent` },
      { right: quiet, of: silences.length },
    ),
    {
      metric: `${prefix}untraced`,
      label: `${name} cases without traces, left out`,
      value: cases.length - traced.length,
      unit: "",
    },
    ...costFigures(traced).map((figure) => ({ ...figure, metric: prefix + figure.metric })),
  ];
}

function openSystem(folder: string): System {
  const minutes = readdirSync(join(folder, "trace"))
    .sort()
    .map((file): Minute => {
      const [, day = "", hour = "", minute = ""] =
        /(\d{4}-\d\d-\d\d)_(\d\d)_(\d\d)/.exec(file) ?? [];
      return {
        path: join(folder, "trace", file),
        day,
        isFaultFree: file.startsWith("normal"),
        atMs: Date.parse(`${day}T${hour}:${minute}:00Z`),
      };
    });
  const known = minutes.filter(({ isFaultFree }) => isFaultFree);
  const callers = callersIn(known.flatMap(({ path }) => readTraces(path)));
  return { folder, minutes, callers, windows: new Map(), seconds: new Map(), metrics: new Map() };
}

function readFaults(folder: string): Fault[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith("-fault_list.json"))
    .sort()
    .flatMap((file) => {
      const hours = readJson<Record<string, readonly Record<string, string>[]>>(join(folder, file));
      return Object.values(hours).flat();
    })
    .map((fault) => ({
      day: fault.inject_time?.slice(0, 10) ?? "",
      onsetMs: Date.parse(`${fault.inject_time?.replace(" ", "T")}Z`),
      type: fault.inject_type ?? "",
      service: serviceOfPod(fault.inject_pod ?? ""),
    }));
}

/** Undefined where no traces were kept. */
function runCase(system: System, { day, onsetMs, type, service }: Fault): RankedCase | undefined {
  const ofDay = system.minutes.filter((minute) => minute.day === day && !minute.isFaultFree);
  const endMs = onsetMs + troubleMs;
  const near = ofDay.filter(({ atMs }) => atMs > onsetMs - minuteMs && atMs < endMs);
  const during = near
    .flatMap((minute) => windowsOf(system, minute))
    .filter(({ startMs }) => startMs >= onsetMs && startMs < endMs);
  if (during.length === 0) return undefined;
  const past = ofDay
    .filter(({ atMs }) => atMs < onsetMs + 2 * minuteMs)
    .flatMap((minute) => windowsOf(system, minute))
    .filter(({ startMs }) => startMs + windowMs <= onsetMs);
  const before = [...past, ...faultFree(system, day)];
  const startedMs = performance.now();
  const graph = graphOf(before, during);
  const suspects = rankSuspects(withResources(graph, metricsOf(system, day), { onsetMs, endMs }));
  const reduced = near.reduce((total, { path }) => total + (system.seconds.get(path) ?? 0), 0);
  const seconds = reduced + (performance.now() - startedMs) / msPerSecond;
  const rank = strictRank(servicesOf(suspects), service);
  const first = suspects[0]?.evidence[0] ?? "none";
  return {
    name: `${new Date(onsetMs).toISOString()} ${service}`,
    faultType: type,
    rank,
    first,
    seconds,
  };
}

/** The day's, or any where the day has none. */
function faultFree(system: System, day: string): TraceSums[] {
  const all = system.minutes.filter(({ isFaultFree }) => isFaultFree);
  const ofDay = all.filter((minute) => minute.day === day);
  return (ofDay.length > 0 ? ofDay : all).flatMap((minute) => windowsOf(system, minute));
}

function graphOf(before: readonly TraceSums[], during: readonly TraceSums[]): SuspectGraph {
  const history = createTraceHistory();
  for (const window of before) learnTraces(history, window);
  return traceShifts(history, during);
}

/** Every other window of a fault-free minute is usual, and the rest are judged by it. */
function runFaultFree(system: System): boolean[] {
  return system.minutes
    .filter(({ isFaultFree }) => isFaultFree)
    .flatMap((minute) => {
      const windows = windowsOf(system, minute);
      return [0, 1].map((half) => {
        const before = windows.filter((_, at) => at % 2 === half);
        const during = windows.filter((_, at) => at % 2 !== half);
        return rankSuspects(graphOf(before, during)).length === 0;
      });
    });
}

function windowsOf(system: System, { path }: Minute): readonly TraceSums[] {
  const known = system.windows.get(path);
  if (known !== undefined) return known;
  const traces = readTraces(path);
  const callers = new Map([...callersIn(traces), ...system.callers]);
  const requests = requestsOf(traces, callers);
  const registry = createRegistry();
  const startedMs = performance.now();
  const windows = reduceTraces(requests).map((window) =>
    sumTraces(registry, window.cube, connect(registry, window, window.windowEndMs)),
  );
  system.seconds.set(path, (performance.now() - startedMs) / msPerSecond);
  system.windows.set(path, windows);
  return windows;
}

function metricsOf(system: System, day: string): readonly PodMetric[] {
  const known = system.metrics.get(day);
  if (known !== undefined) return known;
  const folder = join(system.folder, "metric", day);
  const suffix = "_metric.csv.gz";
  const files = existsSync(folder)
    ? readdirSync(folder).filter((file) => file.endsWith(suffix))
    : [];
  const metrics = files.flatMap((file) => {
    const rows = readCsv(join(folder, file));
    const service = serviceOfPod(file.slice(0, -suffix.length));
    const timesMs = Float64Array.from(rows, (row) => Number(row.TimeStamp) * msPerSecond);
    return resources.map((name) => ({
      ...{ service, name, timesMs },
      values: Float64Array.from(rows, (row) => Number(row[name] || Number.NaN)),
    }));
  });
  system.metrics.set(day, metrics);
  return metrics;
}

function withResources(
  graph: SuspectGraph,
  metrics: readonly PodMetric[],
  { onsetMs, endMs }: { readonly onsetMs: number; readonly endMs: number },
): SuspectGraph {
  const shifts = new Map<string, Shift[]>();
  for (const { service, name, timesMs, values } of metrics) {
    const seen = timesMs.findIndex((timeMs) => timeMs > endMs);
    const known = seen < 0 ? timesMs.length : seen;
    const timed = {
      timesMs: timesMs.subarray(0, known),
      values: values.subarray(0, known),
      windowMs: 0,
    };
    const { before, during } = splitAtOnset(timed, onsetMs);
    const moved = metricShift(before, during);
    if (moved === undefined) continue;
    const own = shifts.get(service) ?? [];
    shifts.set(service, own);
    own.push({ ...moved, kind: "resource", name, unit: "%" });
  }
  const ids = new Set([...graph.nodes.map(({ id }) => id), ...shifts.keys()]);
  const known = new Map(graph.nodes.map((node) => [node.id, node.shifts]));
  const nodes = [...ids].map((id) => ({
    id,
    shifts: [...(known.get(id) ?? []), ...(shifts.get(id) ?? [])],
  }));
  return { ...graph, nodes };
}

/** An edge's fault lies in front of its callee. */
function servicesOf(suspects: readonly Suspect[]): { id: string; score: number }[] {
  const best = new Map<string, number>();
  for (const { id, kind, score } of suspects) {
    const service = kind === "edge" ? (id.split(" → ")[1] ?? id) : id;
    best.set(service, Math.max(best.get(service) ?? 0, score));
  }
  return [...best].map(([id, score]) => ({ id, score }));
}
