/**
 * The seam between the windows and the stages that judge them: a closed window in, events out.
 * A decider is deterministic: the same windows at the same times give the same decisions, which
 * is what lets a restart rebuild its state from stored windows.
 */
import type { Cube } from "../sketch/cube.ts";
import type { KeyId } from "../sketch/key.ts";
import type { Thresholds } from "../wire/agent-link.ts";
import type { Incident, IncidentDetail, RootCauseGraph } from "../wire/api-types.ts";

/** One side of a call, with the rate at which its agent sampled such sides. */
export interface HalfEdgeInWindow {
  readonly side: "caller" | "callee";
  /** The span id both sides know, as two unsigned 32-bit words. */
  readonly idLow: number;
  readonly idHigh: number;
  /** In the keys of the window's cube. */
  readonly key: KeyId;
  readonly durationNs: number;
  readonly startMs: number;
  readonly failed: boolean;
  /** Kept when the top `shift` bits of the id's hash are 0: one in 2^shift. */
  readonly shift: number;
}

/** Everything known about one window; owned by the receiver. */
export interface ClosedWindow {
  readonly cube: Cube;
  readonly halfEdges: readonly HalfEdgeInWindow[];
  /** Share of the expected streams' traffic that reported, 0..1. */
  readonly coverage: number;
  /** Decided before, and now again with late data. */
  readonly revised: boolean;
  readonly windowStartMs: number;
  readonly windowEndMs: number;
}

/** With less coverage, what is missing is no evidence: neither of a drop nor of an end. */
export const coverageMin = 0.95;

export type IncidentEventType = "incident.opened" | "incident.updated" | "incident.resolved";

export interface IncidentEvent {
  readonly type: IncidentEventType;
  readonly incident: Incident;
}

export interface Decision {
  readonly anomalies: number;
  readonly events: readonly IncidentEvent[];
}

export interface Crowded {
  /** Rows of windows that go untested. */
  readonly rows: number;
  /** Metrics of windows that are no evidence. */
  readonly metrics: number;
}

export interface Decider {
  decide(window: ClosedWindow, nowMs: number): Decision;
  incidents(): readonly IncidentDetail[];
  incident(id: string): IncidentDetail | undefined;
  graph(): RootCauseGraph;
  thresholds(): Thresholds;
  /** What found no room in memory, since that began; a decider without bounds has none. */
  crowded?(): Crowded;
  /** A value that structured cloning can copy. */
  snapshot(): unknown;
  restore(snapshot: unknown): void;
}
