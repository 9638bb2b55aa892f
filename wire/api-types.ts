/**
 * What the collector's API and stream say, as types. The user interface and the command line read
 * these and nothing else of the collector.
 *
 * Times are epoch milliseconds, durations milliseconds unless the name says nanoseconds.
 */

/** A number with its 95 % bounds. */
export interface Estimate {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

/**
 * The ways things can be bad: an event failed, it took longer than its key's threshold, or it did
 * not come (of `traffic`, what usually comes counts, and what is missing is bad).
 */
export type Signal = "errors" | "slow" | "traffic";

/** How far the evidence carries: `inconclusive` names no cause. */
export type Verdict = "confirmed" | "likely" | "inconclusive";

export interface AttributeValue {
  readonly dimension: string;
  readonly value: string;
}

/** Values for some dimensions, the rest free: where exactly the excess of bad events lies. */
export interface Combination {
  readonly attributes: readonly AttributeValue[];
  /** Spans seen, bad ones among them, and how many bad ones the baseline expects. */
  readonly count: number;
  readonly bad: number;
  readonly expected: number;
  /** Share of the cause's whole excess that lies inside this combination, 0..1. */
  readonly explained: number;
  readonly pValue: number;
  /** Customers with a bad event inside; null when no span named a customer. */
  readonly customers: Estimate | null;
}

/**
 * What may depart: what an incident can be of; and beside one, durations that are spread otherwise
 * (bad: longer than nine in ten), and how many customers there are.
 */
export type AnomalySignal = Signal | "duration" | "customers";

/** A departure of a signal from its baseline, over the newest windows of it. */
export interface Anomaly {
  readonly windowStartMs: number;
  readonly service: string;
  readonly operation: string;
  readonly kind: string;
  readonly peer: string;
  readonly signal: AnomalySignal;
  readonly count: number;
  readonly bad: number;
  readonly expected: number;
  readonly pValue: number;
  /** Benjamini-Hochberg adjusted: the share of false ones among all called at this level. */
  readonly qValue: number;
  /** 0..10, for people. */
  readonly score: number;
  /** The same in words: "checkout POST /pay: 41 of 300 failed, 1.2 expected (p 1e-30)". */
  readonly sentence: string;
}

export type NodeRole = "entry" | "affected" | "quiet" | "cause" | "healthy";

/** A node of a graph: a service, or a far side that reports no spans of its own (`virtual`). */
export interface GraphNode {
  /** The service name, or the far side's name for a virtual node. */
  readonly id: string;
  readonly virtual: boolean;
  /** "" | "database" | "messaging_system" for virtual nodes; "" for services. */
  readonly type: string;
  /** Other names under which callers know this node. */
  readonly aliases: readonly string[];
  readonly role: NodeRole;
  readonly count: number;
  readonly bad: number;
  readonly expected: number;
  /** Bad events that began here: no local child was bad. */
  readonly originBad: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly customersBad: Estimate | null;
}

/** Calls from one node to another. */
export interface GraphEdge {
  readonly caller: string;
  readonly callee: string;
  readonly count: number;
  readonly bad: number;
  readonly expected: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Median of client duration less server duration; null when no call was paired. */
  readonly gapMs: number | null;
  /** Share of this edge's calls whose other side was seen, 0..1. */
  readonly paired: number;
  readonly onPath: boolean;
}

/** One step of the walk from the entry to the cause, with the sentence that carries it. */
export interface Hop {
  readonly from: string;
  /** Where the step leads; equal to `from` where the walk ends. */
  readonly to: string;
  readonly evidence: readonly string[];
  readonly verdict: Verdict;
}

export interface Cause {
  /** Node id, or `caller → callee` for a fault between two nodes; "" when inconclusive. */
  readonly name: string;
  readonly kind: "node" | "edge" | "none";
  readonly verdict: Verdict;
  readonly signal: Signal;
  readonly reason: string;
}

export interface RootCauseGraph {
  readonly nodes: readonly GraphNode[];
  readonly edges: readonly GraphEdge[];
  /** From the customer-facing entry to the cause. */
  readonly hops: readonly Hop[];
}

export interface AffectedEntry {
  readonly service: string;
  readonly operation: string;
  readonly count: number;
  readonly bad: number;
}

/** Who is hurting since the incident started: a union over entries, nobody counted twice. */
export interface Impact {
  readonly customers: Estimate | null;
  readonly entries: readonly AffectedEntry[];
  readonly count: number;
  readonly bad: number;
}

export interface Incident {
  readonly id: string;
  readonly status: "firing" | "resolved";
  /** False while the impact gate holds it back; `gate` says why. */
  readonly page: boolean;
  readonly gate: string;
  readonly title: string;
  readonly signal: Signal;
  readonly score: number;
  /** Start of the first bad window, and end of the last window the numbers include. */
  readonly startedAtMs: number;
  readonly asOfMs: number;
  readonly resolvedAtMs: number | null;
  readonly cause: Cause;
  readonly combinations: readonly Combination[];
  /** Not believed, but nearly as good an explanation: "or". Strongest first; absent when none is. */
  readonly alternatives?: readonly Combination[];
  readonly impact: Impact;
  /** Share of the expected agents' traffic that reported in the last window, 0..1. */
  readonly coverage: number;
  /** While a silence holds its alerts back: the end of that. */
  readonly silencedUntilMs?: number;
}

export interface IncidentDetail extends Incident {
  readonly graph: RootCauseGraph;
  readonly anomalies: readonly Anomaly[];
}

export interface KeySummary {
  readonly key: readonly AttributeValue[];
  readonly count: number;
  readonly errors: number;
  readonly slow: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly customers: Estimate | null;
}

/** What the stream sends, each with the next number; `gap` says which numbers are gone for good. */
export type StreamEvent =
  | {
      readonly seq: number;
      readonly type: "incident.opened" | "incident.updated" | "incident.resolved";
      readonly atMs: number;
      readonly incident: Incident;
    }
  | {
      readonly seq: number;
      readonly type: "window.closed";
      readonly atMs: number;
      readonly window: WindowSummary;
    };

export interface WindowSummary {
  readonly windowStartMs: number;
  readonly spans: number;
  readonly errors: number;
  readonly keys: number;
  readonly anomalies: number;
  /** Share of the expected agents' traffic that reported, 0..1. */
  readonly coverage: number;
  /** Agents that were expected and have not reported; what they carry is not a drop. */
  readonly silentAgents: number;
  /** Closed before, and now again with late data. */
  readonly revised: boolean;
}

/** What became of the records of one agent stream; docs/wire-format.md has the protocol. */
export interface StreamLedger {
  readonly streamId: string;
  readonly agent: string;
  /** The last number the stream is known to have used, and the oldest its agent still holds. */
  readonly lastSeq: number;
  readonly oldestSeq: number;
  /** Numbers from oldestSeq to lastSeq that are not here; 0 means the stream is complete. */
  readonly missing: number;
  readonly appliedRecords: number;
  readonly appliedSpans: number;
  /** Of the applied: in no window, as theirs was too old or lay in the future. */
  readonly asideSpans: number;
  readonly lostRecords: number;
  readonly lostSpans: number;
  /** Spans declared lost, by cause. */
  readonly lost: Readonly<Record<string, number>>;
  /** Time during which the agent was not listening. */
  readonly gapMs: number;
  /** 1 when two processes used its numbers, so that it ends where one began another. */
  readonly forks: number;
  /** Spans of all its window records up to lastSeq, as the agent counts them. */
  readonly streamSpans: number;
  /** False when the stream is complete and yet applied and lost are not what the agent counts. */
  readonly accounted: boolean;
  readonly heardMs: number;
}

export interface LedgerTotals {
  readonly streams: number;
  readonly complete: number;
  readonly missing: number;
  readonly appliedRecords: number;
  readonly appliedSpans: number;
  readonly asideSpans: number;
  readonly lostRecords: number;
  readonly lostSpans: number;
  readonly lost: Readonly<Record<string, number>>;
  readonly gapMs: number;
  readonly streamSpans: number;
  readonly accounted: boolean;
}

/** Every span sealed by an agent is applied, declared lost, or still with its agent. */
export interface LedgerReport {
  readonly streams: readonly StreamLedger[];
  readonly totals: LedgerTotals;
}

export type StreamMessage =
  | {
      readonly type: "hello";
      readonly epoch: string;
      readonly nextSeq: number;
      readonly incidents: readonly Incident[];
    }
  | { readonly type: "gap"; readonly fromSeq: number; readonly toSeq: number }
  | StreamEvent;
