/**
 * What the walk to the cause reads and says. All counts are over the windows of one incident and of
 * one signal: bad = failed, or slower than the threshold.
 */
import type { Hll } from "../sketch/hll.ts";

export type CauseSignal = "errors" | "slow";
export type CauseVerdict = "confirmed" | "likely" | "inconclusive";

/** How many events were bad against how many the baseline expects. */
export interface Excess {
  readonly count: number;
  readonly bad: number;
  readonly expected: number;
  /** The detector believes the departure. */
  readonly significant: boolean;
  /** Start of the first bad window. */
  readonly onsetMs: number | undefined;
  /** Customers with a bad event; undefined where no span named a customer. */
  readonly customersBad: Hll | undefined;
}

export interface CauseNode {
  readonly id: string;
  /** A far side that reports no spans of its own. */
  readonly virtual: boolean;
  /** Had traffic in its baseline and reports no server span now. */
  readonly silent: boolean;
  /** What it answered: its server and consumer spans. */
  readonly server: Excess;
  /** Bad events that began in its spans other than client calls: no local child was bad. */
  readonly origin: Excess;
  /** Everyone seen at this node, hurt or not; tells overlap from everybody. */
  readonly customersSeen: Hll | undefined;
}

/** Median of client duration less server duration, before and during the incident. */
export interface GapShift {
  readonly beforeMs: number;
  readonly duringMs: number;
  readonly pairs: number;
  readonly significant: boolean;
}

export interface CauseEdge {
  readonly caller: string;
  readonly callee: string;
  /** The calls as the caller saw them. */
  readonly calls: Excess;
  readonly gap: GapShift | undefined;
}

export interface CauseGraph {
  readonly signal: CauseSignal;
  readonly nodes: readonly CauseNode[];
  readonly edges: readonly CauseEdge[];
}

export interface FoundCause {
  /** Node id, `caller → callee` for a fault between two nodes, "" when inconclusive. */
  readonly name: string;
  readonly kind: "node" | "edge" | "none";
  readonly verdict: CauseVerdict;
  readonly signal: CauseSignal;
  readonly reason: string;
}

/** One step of the walk; `to` equals `from` where it ends. */
export interface CauseHop {
  readonly from: string;
  readonly to: string;
  readonly evidence: readonly string[];
  readonly verdict: CauseVerdict;
}

export interface CauseFinding {
  readonly cause: FoundCause;
  /** From the customer-facing entry to the cause. */
  readonly hops: readonly CauseHop[];
  /** Nodes of this finding that no bad node calls: where customers meet it. */
  readonly entries: readonly string[];
  /** Anomalous nodes this cause explains, without the cause itself; all of them if inconclusive. */
  readonly symptoms: readonly string[];
  /** Nodes the walk passed through that show nothing bad. */
  readonly quiet: readonly string[];
  /** What it may be, when inconclusive. */
  readonly suspects: readonly string[];
}

export const noExcess: Excess = {
  count: 0,
  bad: 0,
  expected: 0,
  significant: false,
  onsetMs: undefined,
  customersBad: undefined,
};

/** Bad events above the expected, at least 0. */
export function excessOf(excess: Excess): number {
  return Math.max(0, excess.bad - excess.expected);
}

export function excessRateOf(excess: Excess): number {
  return excess.count === 0 ? 0 : excessOf(excess) / excess.count;
}

/** Something bad is seen at the node itself. */
export function isAnomalous(node: CauseNode): boolean {
  return node.server.significant || node.origin.significant;
}

export function edgeName({ caller, callee }: { caller: string; callee: string }): string {
  return `${caller} → ${callee}`;
}
