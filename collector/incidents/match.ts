/** Which open incident a finding belongs to, and whether a new one should be opened for it. */
import type { IncidentDetail } from "../../wire/api-types.ts";
import { isDeparting } from "../stages/detect.ts";
import type { Evidence, EvidenceRing } from "../stages/evidence.ts";
import type { Finding } from "../stages/explain.ts";
import type { Registry } from "../stages/registry.ts";
import { rowName } from "../stages/row-book.ts";
import type { ImpactSums } from "./impact.ts";

/** While an incident is this young its cause may still be named anew. */
const youngMs = 30_000;

export interface OpenIncident {
  detail: IncidentDetail;
  impact: ImpactSums;
  /** Rows that carry it: while one of them is anomalous it goes on. */
  rowIds: Set<string>;
  entryRowIds: Set<string>;
  blamedRowIds: Set<string>;
  /** Nodes its finding speaks of, and all that depend on its cause: their baselines stand still. */
  nodes: Set<string>;
}

/** What a finding is judged beside. */
export interface Occasion {
  readonly findings: readonly Finding[];
  readonly windowEndMs: number;
  readonly ring: EvidenceRing;
  readonly registry: Registry;
  readonly evidence: Evidence | undefined;
  /** A finding less certain than this opens nothing. */
  readonly level: number;
}

/** A busy minute of a machine makes a window slow now and then; two in a row is no accident. */
const metWindowsMin = 2;
/** Where it begins it shows before all who meet it do: one window more, and they are known. */
const begunWindowsMin = 3;

/**
 * Failures of a node speak for themselves. Slowness may pass, and an edge or nothing may be named
 * only because a window is half a fault: those wait until windows show them, two where customers
 * meet them, or three where they begin.
 */
export function isRipe(finding: Finding, occasion: Occasion): boolean {
  const { cause, entryRowIds, blamedRowIds } = finding;
  const { ring, registry, evidence, level } = occasion;
  // Traffic has a level of its own, and is told of when it has been low for long enough.
  if (cause.signal === "traffic") return true;
  if (evidence === undefined || leastQValue(finding, evidence) > level) return false;
  if (cause.signal === "errors" && cause.kind === "node") return true;
  const windowsOf = (rowIds: ReadonlySet<string>): number =>
    ring.detections.filter((held) => [...rowIds].some((id) => isDeparting(registry, held, id)))
      .length;
  return windowsOf(entryRowIds) >= metWindowsMin || windowsOf(blamedRowIds) >= begunWindowsMin;
}

/** Of the rows of what a finding speaks of, the one that chance explains least. */
function leastQValue(finding: Finding, { sums, book }: Evidence): number {
  const { cause, symptoms, entries, blamedRowIds } = finding;
  const services = new Set([...symptoms, ...entries, ...cause.name.split(" → ")]);
  let least = 1;
  for (const row of sums.anomalous) {
    const name = rowName(book, row);
    if (name === undefined || name.signal !== cause.signal) continue;
    if (services.has(name.service) || blamedRowIds.has(name.id)) {
      least = Math.min(least, sums.qValues.get(row) ?? 1);
    }
  }
  return least;
}

/**
 * What fails is often slow as well: an incident tells its one signal, and another finding of the
 * same cause adds nothing to the story.
 */
export function isTold(
  { detail }: OpenIncident,
  finding: Finding,
  taken: ReadonlySet<string>,
  { findings }: Occasion,
): boolean {
  if (taken.has(detail.id)) return true;
  const isOwn = (other: Finding): boolean =>
    other.cause.signal === detail.signal && other.cause.name === detail.cause.name;
  return finding.cause.signal !== detail.signal && findings.some(isOwn);
}

/** The open incident with its cause, or a young or unexplained one whose nodes it shares. */
export function matchOpen(
  open: readonly OpenIncident[],
  finding: Finding,
  taken: ReadonlySet<string>,
  { windowEndMs }: Occasion,
): OpenIncident | undefined {
  const { name, kind } = finding.cause;
  const same = open.find(({ detail }) => kind !== "none" && detail.cause.name === name);
  if (same !== undefined) return same;
  const nodes = [...finding.symptoms, ...finding.entries, name];
  return open.find(
    ({ detail, nodes: held }) =>
      !taken.has(detail.id) &&
      (kind === "none" ||
        detail.cause.kind === "none" ||
        windowEndMs - detail.startedAtMs <= youngMs) &&
      nodes.some((node) => held.has(node)),
  );
}
