/** Gauges over what the collector holds; counters live where things happen. */
import type { Meter } from "../base/meter.ts";
import { lossCauses } from "../wire/lost-records.ts";
import type { Decider } from "./decide.ts";
import { isAccounted, type StreamState } from "./ingest/stream-state.ts";
import type { Streams } from "./ingest/streams.ts";
import type { Store } from "./store/store.ts";
import { levelName } from "./store-options.ts";
import type { Losses } from "./windows/add-cube.ts";
import type { Coverage } from "./windows/liveness.ts";
import type { WindowTable } from "./windows/window-table.ts";

export interface MetricSources {
  readonly decider: Pick<Decider, "crowded">;
  readonly store: Store;
  readonly streams: Streams;
  readonly windows: WindowTable;
  readonly losses: Losses;
  /** Of the window closed last. */
  readonly coverage: () => Coverage;
  readonly coverageNow: () => Coverage;
  readonly closeLagMs: () => number;
}

/** The names a folded span is counted under, first lost first. */
const foldedNames = ["user", "service.version", "cloud.region", "peer", "operation", "span.kind"];

export function addCollectorMetrics(meter: Meter, sources: MetricSources): void {
  const { store, streams, windows, losses, coverage, coverageNow, closeLagMs } = sources;
  const { decider } = sources;
  const gauges: readonly [name: string, help: string, read: () => number][] = [
    ["open_windows", "windows that are not closed yet", () => windows.openCount],
    ["open_keys", "composite keys of the open windows", () => windows.keys],
    ["closed_windows", "closed windows on disk", () => store.segmentsNewestFirst().length],
    [
      "coverage_ratio",
      "traffic share that reported the window closed last",
      () => coverage().share,
    ],
    ["coverage_now_ratio", "traffic share of the agents heard lately", () => coverageNow().share],
    [
      "silent_agents",
      "agents expected and not heard lately",
      () => coverageNow().silentAgents.length,
    ],
    ["close_lag_seconds", "from a window's end to its close", () => closeLagMs() / 1_000],
    ["streams", "agent streams remembered", () => streams.size],
    ["log_bytes", "bytes of the batch log", () => store.logBytes],
    ["streams_forgotten", "streams silent for too long to matter", () => streams.forgotten],
    ["dropped_calls", "calls left out of full edge tables", () => losses.droppedCalls],
    ["dropped_half_edges", "half-edges left out of full windows", () => losses.droppedHalfEdges],
    ["dropped_metrics", "metrics left out of full windows", () => losses.droppedMetrics],
    ["untested_rows", "rows that found no room in memory", () => decider.crowded?.().rows ?? 0],
    [
      "unremembered_metrics",
      "metrics of windows that found no room in memory",
      () => decider.crowded?.().metrics ?? 0,
    ],
    ["dropped_dimensions", "times a dimension was one too many", () => losses.droppedDimensions],
  ];
  for (const [name, help, read] of gauges) meter.gauge(`brunt_collector_${name}`, help, read);
  for (const { lengthMs } of store.levels) {
    const find = () => store.levels.find((level) => level.lengthMs === lengthMs);
    const level = { level: levelName(lengthMs) };
    meter.gauge(
      "brunt_collector_stored_windows",
      "closed windows on disk",
      () => find()?.windows ?? 0,
      level,
    );
    meter.gauge(
      "brunt_collector_stored_bytes",
      "bytes of closed windows",
      () => find()?.bytes ?? 0,
      level,
    );
  }
  for (const dimension of foldedNames) {
    meter.gauge(
      "brunt_collector_folded_spans",
      "spans whose key was folded up to this dimension",
      () => losses.foldedSpans.get(dimension) ?? 0,
      { dimension },
    );
  }
}

/** The ledger of all streams, as `GET /api/v1/ledger` has it by stream. */
export function addLedgerMetrics(meter: Meter, streams: () => Iterable<StreamState>): void {
  const sum = (read: (stream: StreamState) => number) => (): number => {
    let total = 0;
    for (const stream of streams()) total += read(stream);
    return total;
  };
  const gauges: readonly [name: string, help: string, read: (stream: StreamState) => number][] = [
    ["stream_spans", "spans sealed, as agents count them", ({ streamSpans }) => streamSpans],
    ["applied_spans", "spans of records that are here", ({ appliedSpans }) => appliedSpans],
    ["applied_records", "records that are here", ({ appliedRecords }) => appliedRecords],
    ["aside_spans", "applied spans that are in no window", ({ asideSpans }) => asideSpans],
    ["missing_records", "records still to come", ({ missing }) => missing],
    ["gap_seconds", "time agents were not listening", ({ gapMs }) => gapMs / 1_000],
    [
      "unaccounted_streams",
      "complete streams whose spans do not add up",
      (stream) => (isAccounted(stream) ? 0 : 1),
    ],
  ];
  for (const [name, help, read] of gauges) {
    meter.gauge(`brunt_collector_ledger_${name}`, help, sum(read));
  }
  for (const cause of lossCauses) {
    meter.gauge(
      "brunt_collector_ledger_lost_spans",
      "spans declared lost, by cause",
      sum(({ lostSpans }) => lostSpans.get(cause) ?? 0),
      { cause },
    );
  }
}
