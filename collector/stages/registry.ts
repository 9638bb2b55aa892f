/**
 * What outlives a window: baselines, thresholds for slow, and the learnt graph. Stages are given
 * it and keep nothing themselves, so the same stages can run over live windows and over history.
 *
 * Bounds: `subjectsMax` subjects of row-book.ts and `thresholdsMax` thresholds; what has been idle
 * for a day is forgotten first, and rows beyond the bound go untested and are counted.
 */

import { createHalfEdgeJoin, type HalfEdgeJoin } from "../../dependency-graph/half-edge-join.ts";
import {
  createServiceGraph,
  resolvePeer,
  type ServiceGraph,
} from "../../dependency-graph/service-graph.ts";
import {
  createDistributionBaseline,
  type DistributionBaseline,
} from "../../detectors/distribution-shift.ts";
import type { SeriesBaseline } from "../../detectors/series-baseline.ts";
import { createSlowThreshold, type SlowThreshold } from "../../detectors/slow-threshold.ts";
import type { TrafficBaseline } from "../../detectors/traffic-baseline.ts";
import { copyHistogram, type Histogram, mergeHistogram } from "../../sketch/histogram.ts";
import type { Threshold, Thresholds } from "../../wire/agent-link.ts";
import { type BaselineColumns, createBaselineColumns, dropBaseline } from "./baseline-columns.ts";
import type { CallSide } from "./call-side.ts";
import { createMetricBook, type MetricBook } from "./metric-book.ts";
import type { OperationDurations } from "./roll-up.ts";
import {
  badSignals,
  createRowBook,
  forgetSubjects,
  type RowBook,
  type RowName,
  rowOf,
} from "./row-book.ts";
import { createTraceBook, type TraceBook } from "./trace-book.ts";

const thresholdsMax = 400_000;
const idleMsMax = 24 * 3_600_000;

/** Agents hear of a new threshold with their next batch or heartbeat, at most this much later. */
const thresholdDelayMs = 5_000;

interface Kept<T> {
  readonly value: T;
  lastMs: number;
}

export interface OperationThreshold {
  readonly service: string;
  readonly operation: string;
  readonly kind: string;
  readonly peer: string;
  readonly slow: SlowThreshold;
  readonly durations: DistributionBaseline;
  /** Windows that start later have their slow spans counted. */
  usableFromMs: number;
}

export interface Registry {
  readonly rows: RowBook;
  readonly baselines: BaselineColumns;
  /** By subject: services, their operations and far sides. */
  readonly traffic: Map<number, TrafficBaseline>;
  readonly thresholds: Map<string, Kept<OperationThreshold>>;
  thresholdsRevision: number;
  readonly graph: ServiceGraph;
  readonly halfEdges: HalfEdgeJoin<CallSide>;
  /** Gaps of healthy windows by edge: what a call normally loses between its two sides. */
  readonly gaps: Map<string, Kept<Histogram>>;
  /** How many customers each service normally sees. */
  readonly customers: Map<string, Kept<SeriesBaseline>>;
  readonly traces: TraceBook;
  readonly metrics: MetricBook;
}

export function createRegistry(): Registry {
  return {
    rows: createRowBook(),
    baselines: createBaselineColumns(),
    traffic: new Map(),
    thresholds: new Map(),
    thresholdsRevision: 0,
    graph: createServiceGraph(),
    halfEdges: createHalfEdgeJoin(),
    gaps: new Map(),
    customers: new Map(),
    traces: createTraceBook(),
    metrics: createMetricBook(),
  };
}

export function thresholdOf(
  registry: Registry,
  operation: OperationDurations,
  nowMs: number,
): OperationThreshold | undefined {
  const known = registry.thresholds.get(operation.id);
  if (known !== undefined) {
    known.lastMs = nowMs;
    return known.value;
  }
  if (registry.thresholds.size >= thresholdsMax) return undefined;
  const { service, operation: name, kind, peer } = operation;
  const slow = createSlowThreshold();
  const durations = createDistributionBaseline();
  const value = { service, operation: name, kind, peer, slow, durations, usableFromMs: Infinity };
  registry.thresholds.set(operation.id, { value, lastMs: nowMs });
  return value;
}

/** A threshold has changed: agents are to fetch the new list. */
export function publishThreshold(
  registry: Registry,
  threshold: OperationThreshold,
  nowMs: number,
): void {
  registry.thresholdsRevision += 1;
  if (threshold.usableFromMs === Infinity) threshold.usableFromMs = nowMs + thresholdDelayMs;
}

export function isSlowKnown(
  registry: Registry,
  operationId: string,
  windowStartMs: number,
): boolean {
  const known = registry.thresholds.get(operationId);
  return known !== undefined && known.value.usableFromMs <= windowStartMs;
}

/** The lists made last; every batch that is taken asks for the revision. */
const listed = new WeakMap<Registry, Thresholds>();

export function thresholdsOf(registry: Registry): Thresholds {
  const known = listed.get(registry);
  if (known?.revision === registry.thresholdsRevision) return known;
  const made = listThresholds(registry);
  listed.set(registry, made);
  return made;
}

function listThresholds(registry: Registry): Thresholds {
  const items: Threshold[] = [];
  for (const { value } of registry.thresholds.values()) {
    const { service, operation, kind, peer, slow } = value;
    if (slow.bucket !== undefined) {
      items.push({ service, operation, kind, peer, slowBucket: slow.bucket });
    }
  }
  return { revision: registry.thresholdsRevision, items };
}

/** Gaps of a healthy window become part of their edges' references. */
export function learnGaps(
  registry: Registry,
  gaps: ReadonlyMap<string, Histogram>,
  nowMs: number,
): void {
  for (const [edge, gapNs] of gaps) {
    const known = registry.gaps.get(edge);
    if (known !== undefined) {
      mergeHistogram(known.value, gapNs);
      known.lastMs = nowMs;
    } else if (registry.gaps.size < thresholdsMax) {
      registry.gaps.set(edge, { value: copyHistogram(gapNs), lastMs: nowMs });
    }
  }
}

/** The node a row's calls go to. */
export function farSideOf(
  registry: Registry,
  row: Pick<RowName, "service" | "kind" | "peer">,
): string {
  const kind = row.kind === "producer" ? "producer" : "client";
  return resolvePeer(registry.graph, { caller: row.service, peer: row.peer, kind });
}

/** Forgets what no window has touched for a day. */
export function forgetIdle(registry: Registry, nowMs: number): void {
  for (const kept of [registry.thresholds, registry.gaps, registry.customers]) {
    for (const [id, { lastMs }] of kept) if (nowMs - lastMs > idleMsMax) kept.delete(id);
  }
  for (const subject of forgetSubjects(registry.rows, nowMs - idleMsMax)) {
    registry.traffic.delete(subject);
    for (let signal = 0; signal < badSignals.length; signal++) {
      dropBaseline(registry.baselines, rowOf(subject, signal));
    }
  }
}
