/**
 * A cause behind quiet nodes: bad events begin at a symptom, yet something downstream of it,
 * reached through nodes that show nothing bad, is bad as well. Time alone never links the two.
 * What does:
 *
 *   - the same customers: at least `overlapMin` of the symptom's bad customers are bad at the cause
 *     too, and clearly more than by chance, which is the share of everyone seen at the symptom who
 *     is bad at the cause;
 *   - where no customers are known, or the cause hurts nearly everyone: as many bad events, within
 *     `countRatioMax` either way;
 *
 * and in both cases the cause began no later.
 */
import { estimateHll, type Hll, isEmptyHll, overlapHll } from "../sketch/hll.ts";
import {
  type CauseEdge,
  type CauseNode,
  type Excess,
  excessOf,
  isAnomalous,
} from "./cause-graph.ts";
import { type CauseIndex, callsFrom, nodeOf } from "./cause-index.ts";
import { round } from "./evidence.ts";

export interface QuietTarget {
  readonly id: string;
  readonly name: string;
  readonly seen: Excess;
  /** Nodes the cause already explains: the way may lead through them. */
  readonly members: ReadonlySet<string>;
}

export interface QuietLink {
  /** 0..1; links are compared by it. */
  readonly strength: number;
  readonly path: readonly CauseEdge[];
  readonly evidence: readonly string[];
}

const overlapMin = 0.7;
/** How far above chance an overlap must be to say anything. */
const aboveChanceMin = 0.15;
const countRatioMax = 2;
const pathLengthMax = 8;
/** The cause may be noticed one window after its effect. */
const onsetSlackMs = 10_000;

/** What links `symptom` to a bad `cause` downstream; undefined when nothing but time does. */
export function linkThroughQuiet(
  index: CauseIndex,
  symptom: CauseNode,
  cause: QuietTarget,
): QuietLink | undefined {
  const seen = symptomExcess(symptom);
  if (!isNoLater(cause.seen, seen)) return undefined;
  const path = quietPath(index, symptom.id, cause);
  if (path === undefined) return undefined;
  const link = linkByCustomers(symptom, seen, cause) ?? linkByCounts(symptom, seen, cause);
  return link === undefined ? undefined : { ...link, path };
}

export function symptomExcess(node: CauseNode): Excess {
  return excessOf(node.server) >= excessOf(node.origin) ? node.server : node.origin;
}

/** The shortest way of calls on which every node between is quiet, or bad by this very cause. */
function quietPath(index: CauseIndex, from: string, cause: QuietTarget): CauseEdge[] | undefined {
  const cameBy = new Map<string, CauseEdge | undefined>([[from, undefined]]);
  for (const [id] of cameBy) {
    if (id === cause.id) return pathBack(cameBy, id);
    const isOpen = cause.members.has(id) || !isAnomalous(nodeOf(index, id));
    if (id !== from && !isOpen) continue;
    for (const edge of callsFrom(index, id)) {
      if (!cameBy.has(edge.callee)) cameBy.set(edge.callee, edge);
    }
  }
  return undefined;
}

function pathBack(
  cameBy: ReadonlyMap<string, CauseEdge | undefined>,
  to: string,
): CauseEdge[] | undefined {
  const path: CauseEdge[] = [];
  for (let edge = cameBy.get(to); edge !== undefined; edge = cameBy.get(edge.caller)) {
    path.unshift(edge);
  }
  return path.length <= pathLengthMax ? path : undefined;
}

function isNoLater(cause: Excess, effect: Excess): boolean {
  if (cause.onsetMs === undefined || effect.onsetMs === undefined) return false;
  return cause.onsetMs <= effect.onsetMs + onsetSlackMs;
}

type Link = Omit<QuietLink, "path">;

function linkByCustomers(symptom: CauseNode, seen: Excess, cause: QuietTarget): Link | undefined {
  const hurt = known(seen.customersBad);
  const hurtThere = known(cause.seen.customersBad);
  if (hurt === undefined || hurtThere === undefined) return undefined;
  const both = overlapHll(hurt, hurtThere);
  const total = estimateHll(hurt);
  const overlap = Math.min(1, both.value / total);
  if (overlap < overlapMin) return undefined;
  const everyone = known(symptom.customersSeen);
  const chance =
    everyone === undefined ? 0 : overlapHll(everyone, hurtThere).value / estimateHll(everyone);
  if (overlap < chance + aboveChanceMin) return undefined;
  const low = Math.max(0, Math.min(1, both.low / total));
  const high = Math.min(1, both.high / total);
  const versus = everyone === undefined ? "" : `, ${percent(chance)} by chance`;
  return {
    strength: overlap,
    evidence: [
      `${percent(overlap)} (${percent(low)} to ${percent(high)}) of the ${round(total)} customers hurt at ${symptom.id} are hurt at ${cause.name} too${versus}`,
    ],
  };
}

/** Counts say something only where customers do not say the contrary. */
function linkByCounts(symptom: CauseNode, seen: Excess, cause: QuietTarget): Link | undefined {
  const hurt = known(seen.customersBad);
  const hurtThere = known(cause.seen.customersBad);
  if (hurt !== undefined && hurtThere !== undefined) {
    const overlap = overlapHll(hurt, hurtThere).value / estimateHll(hurt);
    if (overlap < overlapMin) return undefined;
  }
  const here = excessOf(seen);
  const there = excessOf(cause.seen);
  if (here <= 0 || there <= 0) return undefined;
  const ratio = Math.max(here / there, there / here);
  if (ratio > countRatioMax) return undefined;
  return {
    strength: 0.7 / ratio,
    evidence: [
      `${round(here)} bad events above the expected at ${symptom.id}, ${round(there)} at ${cause.name}`,
    ],
  };
}

function known(hll: Hll | undefined): Hll | undefined {
  return hll === undefined || isEmptyHll(hll) ? undefined : hll;
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}
