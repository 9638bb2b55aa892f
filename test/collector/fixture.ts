/** Batches, a small real decider, and a running collector, for the collector's tests. */
import { createVirtualClock, type VirtualClock } from "../../base/clock.ts";
import type { Disk } from "../../base/disk.ts";
import { silentLog } from "../../base/log.ts";
import { createMeter, type Meter } from "../../base/meter.ts";
import { nodeDisk } from "../../cli/node-disk.ts";
import { type Collector, createCollector } from "../../collector/collector.ts";
import { type CollectorConfig, defaultCollectorConfig } from "../../collector/config.ts";
import type { ClosedWindow, Decider, IncidentEvent } from "../../collector/decide.ts";
import { createFileStore, type Store } from "../../collector/store/store.ts";
import { adjustedUnit, createCell, createEdgeCell } from "../../sketch/cell.ts";
import { addCell, addEdge, type Cube, createCube } from "../../sketch/cube.ts";
import { addHistogram } from "../../sketch/histogram.ts";
import { addHll } from "../../sketch/hll.ts";
import { builtInDimensions, intern } from "../../sketch/key.ts";
import type { Incident, IncidentDetail } from "../../wire/api-types.ts";
import {
  type BatchHeader,
  encodeSketchBatch,
  type GapBatch,
  type HeartbeatBatch,
  type TombstoneBatch,
  type WindowBatch,
} from "../../wire/sketch-batch.ts";

/** A window start; the virtual clock of `startCollector` stands here. */
export const startMs = 1_800_000_000_000;
export const windowMs = 10_000;

export interface SpanSpec {
  readonly service?: string;
  readonly operation?: string;
  readonly version?: string;
  readonly region?: string;
  readonly user?: readonly string[];
  readonly ms?: number;
  readonly failed?: boolean;
  /** A number in place of a customer's hash; undefined when the span names none. */
  readonly customer?: number;
}

export interface BatchSpec
  extends Partial<Omit<WindowBatch, "kind" | "cube" | "streamId">>,
    Partial<Pick<HeartbeatBatch, "oldestSeq" | "question">>,
    Partial<Pick<TombstoneBatch, "cause" | "lost">>,
    Partial<Pick<GapBatch, "gapFromMs" | "gapToMs">> {
  /** A small number in place of the 32 digits. */
  readonly stream?: number;
  /** Of the window, counted from `startMs`; without it, `lost` or a gap it is a heartbeat. */
  readonly window?: number;
  readonly spans?: readonly SpanSpec[];
  readonly userDimensions?: readonly string[];
}

export function streamIdOf(stream: number): string {
  return stream.toString(16).padStart(32, "0");
}

/** A window record. */
export function batchOf(spec: BatchSpec): WindowBatch {
  const { window = 0, spans = [], userDimensions = [] } = spec;
  const dimensions = [...builtInDimensions, ...userDimensions];
  const lengthMs = spec.windowLengthMs ?? windowMs;
  const windowStartMs = Math.floor((startMs + window * windowMs) / lengthMs) * lengthMs;
  const cube = createCube(windowStartMs, dimensions, { keysMax: 500_000, edgesMax: 1_000 });
  for (const span of spans) addSpan(cube, span);
  return {
    ...headerOf(spec),
    kind: "window",
    cube,
    halfEdges: spec.halfEdges ?? [],
    halfEdgeShift: spec.halfEdgeShift ?? 0,
    counts: {
      spans: spans.length,
      errors: spans.filter((span) => span.failed).length,
      rejected: 0,
      late: 0,
      unpaired: 0,
      ...spec.counts,
    },
    folded: spec.folded ?? [],
    keyDemand: spec.keyDemand ?? 0,
  };
}

function headerOf(spec: BatchSpec): BatchHeader {
  const { stream = 1, spans = [], seq = 1 } = spec;
  return {
    streamId: streamIdOf(stream),
    seq,
    streamSpans: spec.streamSpans ?? spans.length,
    agent: spec.agent ?? `agent-${stream}`,
    watermarkMs: spec.watermarkMs ?? 0,
    hashKeyId: spec.hashKeyId ?? "key-1",
    thresholdsRevision: spec.thresholdsRevision ?? 0,
    windowLengthMs: spec.windowLengthMs ?? windowMs,
  };
}

export function bytesOf(spec: BatchSpec): Uint8Array {
  const header = headerOf(spec);
  const { lost, cause = "evicted", gapFromMs, gapToMs = startMs } = spec;
  if (spec.window !== undefined) return encodeSketchBatch(batchOf(spec));
  if (lost !== undefined) return encodeSketchBatch({ ...header, kind: "tombstone", cause, lost });
  if (gapFromMs !== undefined) {
    return encodeSketchBatch({ ...header, kind: "gap", gapFromMs, gapToMs });
  }
  const { oldestSeq = header.seq + 1, question = 1 } = spec;
  return encodeSketchBatch({ ...header, kind: "heartbeat", oldestSeq, question });
}

function addSpan(cube: Cube, span: SpanSpec): void {
  const { service = "shop", operation = "GET /", version = "", region = "", user = [] } = span;
  const users = cube.keys.dimensions.slice(builtInDimensions.length).map((_, i) => user[i] ?? "");
  const key = intern(cube.keys, [service, operation, "server", "", version, "", region, ...users]);
  const cell = createCell();
  const ns = (span.ms ?? 5) * 1e6;
  cell.count++;
  cell.adjusted += adjustedUnit;
  addHistogram(cell.durationNs, ns);
  addHistogram(cell.selfNs, ns);
  if (span.customer !== undefined) addHll(cell.customers, span.customer, span.customer * 77_773);
  if (span.failed === true) {
    cell.errors++;
    cell.originErrors++;
    if (span.customer !== undefined) {
      addHll(cell.customersFailed, span.customer, span.customer * 77_773);
    }
  }
  addCell(cube, key, cell);
  const edge = { ...createEdgeCell(), count: 1 };
  addHistogram(edge.gapNs, ns);
  addEdge(cube, { caller: key, callee: key }, edge);
}

export interface SeenWindow {
  readonly startMs: number;
  readonly spans: number;
  readonly errors: number;
  readonly coverage: number;
  readonly revised: boolean;
  readonly nowMs: number;
}

export interface CountingDecider extends Decider {
  readonly seen: SeenWindow[];
}

/**
 * A real decider, only simple: a service's incident is open while a window has more than
 * `errorsMax` errors.
 */
export function createCountingDecider(errorsMax = 2): CountingDecider {
  let incidents = new Map<string, IncidentDetail>();
  const seen: SeenWindow[] = [];
  return {
    seen,
    decide(window, nowMs) {
      const { spans, errors } = totals(window);
      const { windowStartMs, coverage, revised } = window;
      seen.push({ startMs: windowStartMs, spans, errors, coverage, revised, nowMs });
      const events: IncidentEvent[] = [];
      const open = [...incidents.values()].find(({ status }) => status === "firing");
      if (errors > errorsMax && open === undefined) {
        const id = `incident-${incidents.size + 1}`;
        const incident = detailOf(id, { startedAtMs: windowStartMs, bad: errors });
        incidents.set(id, incident);
        events.push({ type: "incident.opened", incident });
      } else if (errors <= errorsMax && open !== undefined) {
        const resolved: IncidentDetail = { ...open, status: "resolved", resolvedAtMs: nowMs };
        incidents.set(open.id, resolved);
        events.push({ type: "incident.resolved", incident: resolved });
      }
      return { anomalies: errors > errorsMax ? 1 : 0, events };
    },
    incidents: () => [...incidents.values()],
    incident: (id) => incidents.get(id),
    graph: () => detailOf("graph", { startedAtMs: 0, bad: 0 }).graph,
    thresholds: () => ({
      revision: 3,
      items: [{ service: "shop", operation: "GET /", kind: "server", peer: "", slowBucket: 700 }],
    }),
    snapshot: () => incidents,
    restore: (snapshot) => {
      incidents = new Map(snapshot as Map<string, IncidentDetail>);
    },
  };
}

function totals(window: ClosedWindow): { spans: number; errors: number } {
  const cells = [...window.cube.cells.values()];
  return {
    spans: cells.reduce((sum, cell) => sum + cell.count, 0),
    errors: cells.reduce((sum, cell) => sum + cell.errors, 0),
  };
}

function detailOf(id: string, facts: { startedAtMs: number; bad: number }): IncidentDetail {
  const { startedAtMs, bad } = facts;
  const customers = { value: 3, low: 3, high: 4 };
  const incident: Incident = {
    id,
    status: "firing",
    page: true,
    gate: "",
    title: `${bad} errors`,
    signal: "errors",
    score: 7.5,
    startedAtMs,
    asOfMs: startedAtMs + windowMs,
    resolvedAtMs: null,
    cause: { name: "shop", kind: "node", verdict: "likely", signal: "errors", reason: "origin" },
    combinations: [
      {
        attributes: [{ dimension: "service.name", value: "shop" }],
        count: 10,
        bad,
        expected: 0.1,
        explained: 1,
        pValue: 1e-9,
        customers: null,
      },
    ],
    impact: {
      customers,
      entries: [{ service: "shop", operation: "GET /", count: 10, bad }],
      count: 10,
      bad,
    },
    coverage: 1,
  };
  const node = { virtual: false, type: "", aliases: [], count: 10, bad, expected: 0.1 };
  return {
    ...incident,
    graph: {
      nodes: [
        {
          id: "shop",
          ...node,
          role: "cause",
          originBad: bad,
          p50Ms: 5,
          p99Ms: 9,
          customersBad: customers,
        },
      ],
      edges: [
        {
          caller: "edge",
          callee: "shop",
          count: 10,
          bad,
          expected: 0,
          p50Ms: 1,
          p99Ms: 2,
          gapMs: null,
          paired: 1,
          onPath: true,
        },
      ],
      hops: [{ from: "edge", to: "shop", evidence: ["it began here"], verdict: "likely" }],
    },
    anomalies: [
      {
        windowStartMs: startedAtMs,
        service: "shop",
        operation: "GET /",
        kind: "server",
        peer: "",
        signal: "errors",
        count: 10,
        bad,
        expected: 0.1,
        pValue: 1e-9,
        qValue: 1e-8,
        score: 7.5,
        sentence: `shop GET /: ${bad} of 10 failed, 0.1 expected (p 1e-9)`,
      },
    ],
  };
}

/** A store on the real disk that can be made to stop dead, in the middle of whatever it does. */
export function createMortalStore(directory: string): { store: Store; kill(): void } {
  let dead = false;
  const never = new Promise<never>(() => {});
  const alive = async <T>(work: () => Promise<T>): Promise<T> => {
    const done = dead ? never : work();
    const value = await done;
    return dead ? never : value;
  };
  const disk: Disk = {
    ...nodeDisk,
    open: (path, flags) =>
      alive(async () => {
        const file = await nodeDisk.open(path, flags);
        return {
          write: (...parts) => alive(() => file.write(...parts)),
          datasync: () => alive(() => file.datasync()),
          truncate: (size) => alive(() => file.truncate(size)),
          close: () => alive(() => file.close()),
        };
      }),
    rename: (from, to) => alive(() => nodeDisk.rename(from, to)),
    remove: (path) => alive(() => nodeDisk.remove(path)),
    syncDirectory: (path) => alive(() => nodeDisk.syncDirectory(path)),
  };
  return {
    store: createFileStore({ directory, disk }),
    kill: () => {
      dead = true;
    },
  };
}

export interface Running {
  readonly collector: Collector;
  readonly clock: VirtualClock;
  readonly meter: Meter;
  readonly decider: CountingDecider;
  readonly url: string;
  /** Moves time on in steps short enough for every check, letting each window finish. */
  advance(ms: number): Promise<void>;
  send(spec: BatchSpec): Promise<unknown>;
}

/** A collector on a free port and virtual time. */
export async function startCollector(options: {
  readonly dataDir: string;
  readonly nowMs?: number;
  readonly config?: Partial<CollectorConfig>;
  readonly store?: Store;
  readonly errorsMax?: number;
}): Promise<Running> {
  const clock = createVirtualClock(options.nowMs ?? startMs);
  const meter = createMeter();
  const decider = createCountingDecider(options.errorsMax);
  const { dataDir, store } = options;
  const collector = createCollector(
    { ...defaultCollectorConfig(), uiDir: "", ...options.config, dataDir, port: 0 },
    {
      clock,
      log: silentLog,
      meter,
      decider,
      disk: nodeDisk,
      ...(store === undefined ? {} : { store }),
    },
  );
  await collector.start();
  return {
    collector,
    clock,
    meter,
    decider,
    url: `http://127.0.0.1:${collector.port}`,
    async advance(ms) {
      for (let left = ms; left > 0; left -= 1_000) {
        clock.advance(Math.min(left, 1_000));
        await collector.settled();
      }
    },
    send: (spec) => collector.link.send(bytesOf(spec)),
  };
}

/** The value of a counter or gauge, summed over its labels. */
export function metric(meter: Meter, name: string): number {
  const family = meter.families.get(name);
  return [...(family?.series.values() ?? [])].reduce((sum, series) => sum + series.read(), 0);
}
