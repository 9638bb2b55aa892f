/**
 * The stages in order: connect, detect, isolate and explain, then the book of incidents. Live
 * windows and history pass through the same function.
 */

import type { ClosedWindow, Decider, Decision } from "../decide.ts";
import {
  createIncidentBook,
  type IncidentBook,
  incidentsOf,
  isHurt,
  isUnderIncident,
  updateBook,
} from "../incidents/incident-book.ts";
import { incidentLevel } from "./budget.ts";
import { connect, type Gaps } from "./connect.ts";
import { departuresAt, judgeDepartures } from "./departures.ts";
import { type Detection, detect, learn } from "./detect.ts";
import {
  addDetection,
  createEvidenceRing,
  type Evidence,
  type EvidenceRing,
  sumEvidence,
  troubleSince,
  windowsMax,
} from "./evidence.ts";
import { explain, type Finding } from "./explain.ts";
import { explainTraffic } from "./explain-traffic.ts";
import { noteMetrics } from "./metric-book.ts";
import { withMetricEvidence } from "./metric-evidence.ts";
import { drawGraph } from "./picture.ts";
import {
  createRegistry,
  forgetIdle,
  isSlowKnown,
  learnGaps,
  type Registry,
  thresholdsOf,
} from "./registry.ts";
import { type RolledUp, rollUp } from "./roll-up.ts";
import { sumTraces } from "./sum-traces.ts";
import { learnWindowTraces, noteTraces } from "./trace-book.ts";
import { judgeTraffic } from "./traffic.ts";

export interface DeciderSettings {
  /** Fewer customers affected than this page nobody. */
  readonly customersMin: number;
  /** So many incidents a week may be chance. */
  readonly falsePagesPerWeek: number;
}

export interface DeciderState {
  registry: Registry;
  ring: EvidenceRing;
  book: IncidentBook;
}

/** Of what is kept over a restart; what another release kept is learnt anew. */
const stateVersion = 2;

export function createDeciderState(): DeciderState {
  return { registry: createRegistry(), ring: createEvidenceRing(), book: createIncidentBook() };
}

export function createDecider(settings: DeciderSettings): Decider {
  const state = createDeciderState();
  return {
    decide: (window, nowMs) => decide(state, window, { ...settings, nowMs }),
    incidents: () => incidentsOf(state.book),
    incident: (id) => incidentsOf(state.book).find((incident) => incident.id === id),
    graph: () => drawGraph(state.registry, sumEvidence(state.ring, state.registry, 0)),
    thresholds: () => thresholdsOf(state.registry),
    crowded: () => {
      const { rows, metrics } = state.registry;
      return { rows: rows.refused, metrics: metrics.refused };
    },
    snapshot: () => ({ version: stateVersion, ...state }),
    restore: (snapshot) => {
      const { version, ...held } = snapshot as DeciderState & { readonly version?: number };
      if (version === stateVersion) Object.assign(state, held);
    },
  };
}

function decide(
  state: DeciderState,
  window: ClosedWindow,
  settings: DeciderSettings & { readonly nowMs: number },
): Decision {
  const { registry } = state;
  const { windowStartMs, windowEndMs, cube } = window;
  const gaps = connect(registry, window, windowEndMs);
  noteMetrics(registry.metrics, cube, windowStartMs);
  noteTraces(registry.traces, sumTraces(registry, cube, gaps), cube);
  const isKnown = (id: string): boolean => isSlowKnown(registry, id, windowStartMs);
  const rolled = rollUp(registry.rows, cube, isKnown, windowEndMs);
  const { dimensions } = cube.keys;
  return decideRolled(state, { ...window, rolled, gaps, dimensions }, settings);
}

/** A window of which the counts are known. */
export interface RolledWindow extends Omit<ClosedWindow, "cube" | "halfEdges"> {
  readonly rolled: RolledUp;
  readonly gaps: Gaps;
  readonly dimensions: readonly string[];
}

/** Everything from the counts on. */
export function decideRolled(
  state: DeciderState,
  window: RolledWindow,
  settings: DeciderSettings & { readonly nowMs: number },
): Decision {
  const { registry, ring, book } = state;
  const { windowStartMs, windowEndMs, coverage, rolled, gaps } = window;
  const level = incidentLevel({
    falsePagesPerWeek: settings.falsePagesPerWeek,
    windowLengthMs: windowEndMs - windowStartMs,
    beginnings: windowsMax,
  });
  const held = ring.detections.find((one) => one.windowStartMs === windowStartMs);
  // What arrived is judged once, whatever comes late.
  const { traffic, departures } = window.revised
    ? (held ?? { traffic: new Map(), departures: [] })
    : {
        traffic: judgeTraffic(registry, { window, rolled, level }),
        departures: judgeDepartures(registry, { ...window, rolled }),
      };
  const detection = detect(registry, { rolled, windowStartMs, gaps, traffic, departures });
  addDetection(ring, detection);
  const trouble = evidenceOfTrouble(state, detection);
  const bad = trouble === undefined ? [] : explainTrouble(registry, trouble, window);
  const isExplained = (services: readonly string[]): boolean =>
    services.some((service) => isHurt(book, bad, service));
  const { detections } = ring;
  const { dimensions } = window;
  const arrived = { traffic, rolled, detections, dimensions, isExplained };
  const fewer = explainTraffic(registry, arrived);
  const findings = [...bad, ...fewer].map((finding) => withDepartures(detections, finding));
  const evidence =
    trouble ?? (fewer.length === 0 ? undefined : sumEvidence(ring, registry, windowStartMs));
  const { customersMin } = settings;
  const events = updateBook(book, {
    ...{ registry, ring, evidence, findings, detection, windowEndMs, coverage },
    ...{ customersMin, level },
  });
  if (!window.revised) learnWindow(state, detection, settings.nowMs);
  const missing = [...traffic.values()].filter(({ anomalous }) => anomalous).length;
  return { anomalies: detection.anomalous.size + missing + departures.length, events };
}

/** The finding with what else departs at the places it speaks of, while it goes on. */
function withDepartures(detections: readonly Detection[], finding: Finding): Finding {
  const { cause, entries, symptoms, anomalies } = finding;
  const services = new Set([...cause.name.split(" → "), ...entries, ...symptoms]);
  const beside = departuresAt(
    detections.map(({ departures }) => departures),
    services,
  );
  return beside.length === 0 ? finding : { ...finding, anomalies: [...anomalies, ...beside] };
}

/** The causes, each with the metrics of its place that moved. */
function explainTrouble(registry: Registry, trouble: Evidence, window: RolledWindow): Finding[] {
  const windowMs = window.windowEndMs - window.windowStartMs;
  const onset = { sinceMs: trouble.sinceMs, windowMs };
  return explain(registry, trouble, window.dimensions).map((finding) =>
    withMetricEvidence(registry.metrics, finding, onset),
  );
}

/** The windows since the trouble began, if this one is part of it. */
function evidenceOfTrouble(
  { registry, ring }: DeciderState,
  detection: Detection,
): Evidence | undefined {
  const sinceMs = troubleSince(ring);
  const isBad = detection.anomalous.size > 0;
  return sinceMs === undefined || !isBad ? undefined : sumEvidence(ring, registry, sinceMs);
}

function learnWindow({ registry, book }: DeciderState, detection: Detection, nowMs: number): void {
  learn(registry, detection, (signal, service) => isUnderIncident(book, signal, service), nowMs);
  if (book.open.size === 0) {
    learnGaps(registry, detection.gaps, detection.windowStartMs);
    learnWindowTraces(registry.traces, detection.windowStartMs);
  }
  forgetIdle(registry, detection.windowStartMs);
}
