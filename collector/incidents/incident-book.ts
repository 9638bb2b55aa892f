/**
 * Findings of successive windows as incidents: one for a cascade, opened once, followed while its
 * evidence lasts, resolved when it is gone.
 *
 * A finding belongs to the open incident with its cause; a cause named anew belongs to the young
 * incident whose symptoms it shares. Resolved incidents are kept up to `resolvedMax`; of more than
 * `openMax` open ones the newest are not opened and are counted in `refused`.
 */
import { blastRadius } from "../../dependency-graph/blast-radius.ts";
import { edgesOf } from "../../dependency-graph/service-graph.ts";
import type { Cause, Impact, Incident, IncidentDetail, Signal } from "../../wire/api-types.ts";
import { coverageMin, type IncidentEvent } from "../decide.ts";
import { type Detection, windowRow } from "../stages/detect.ts";
import { departing, type Evidence, type EvidenceRing } from "../stages/evidence.ts";
import type { Finding } from "../stages/explain.ts";
import { drawFinding } from "../stages/picture.ts";
import type { Registry } from "../stages/registry.ts";
import { addImpact, createImpactSums, forgetBlame, forgetEntries, impactOf } from "./impact.ts";
import { isRipe, isTold, matchOpen, type Occasion, type OpenIncident } from "./match.ts";
import { titleOf } from "./title.ts";

const openMax = 200;
const resolvedMax = 1_000;

/** Evidence of this many windows without a departure ends an incident. */
const quietWindows = 3;

export interface IncidentBook {
  readonly open: Map<string, OpenIncident>;
  /** Newest last. */
  readonly resolved: IncidentDetail[];
  refused: number;
}

export interface BookInput {
  readonly registry: Registry;
  readonly ring: EvidenceRing;
  /** The windows since the trouble began, and what they say; absent while nothing is wrong. */
  readonly evidence: Evidence | undefined;
  readonly findings: readonly Finding[];
  readonly detection: Detection;
  readonly windowEndMs: number;
  readonly coverage: number;
  /** Fewer customers affected than this page nobody. */
  readonly customersMin: number;
  /** A finding less certain than this opens nothing; see budget.ts. */
  readonly level: number;
}

export function createIncidentBook(): IncidentBook {
  return { open: new Map(), resolved: [], refused: 0 };
}

/** Takes a window's findings into the book and says what changed. */
export function updateBook(book: IncidentBook, input: BookInput): IncidentEvent[] {
  const events: IncidentEvent[] = [];
  const taken = new Set<string>();
  const { findings, windowEndMs, ring, registry, evidence, level } = input;
  const occasion: Occasion = { findings, windowEndMs, ring, registry, evidence, level };
  for (const finding of knownFirst(book, findings)) {
    const known = matchOpen([...book.open.values()], finding, taken, occasion);
    if (known === undefined && !isRipe(finding, occasion)) continue;
    if (known !== undefined && isTold(known, finding, taken, occasion)) {
      known.nodes = union(known.nodes, nodesOf(finding, input.registry));
      continue;
    }
    if (known === undefined && book.open.size >= openMax) {
      book.refused += 1;
      continue;
    }
    const incident = known ?? newOpen(book, finding, input);
    taken.add(incident.detail.id);
    takeFinding(incident, finding, input);
    const type = known === undefined ? "incident.opened" : "incident.updated";
    events.push({ type, incident: strip(incident.detail) });
  }
  const left = [...book.open.values()].filter(({ detail }) => !taken.has(detail.id));
  const newestMs = ring.detections.at(-quietWindows)?.windowStartMs ?? 0;
  const departs = left.length === 0 ? () => false : departing(ring, registry, newestMs);
  for (const incident of left) {
    const event = carryOn(book, incident, input, departs);
    if (event !== undefined) events.push(event);
  }
  return events;
}

/** An incident is recognised by its cause before a finding of another, or of none, may take it. */
function knownFirst(book: IncidentBook, findings: readonly Finding[]): Finding[] {
  const names = new Set([...book.open.values()].map(({ detail }) => detail.cause.name));
  const rank = ({ cause }: Finding): number =>
    cause.kind !== "none" && names.has(cause.name) ? 0 : 1;
  return findings.toSorted((a, b) => rank(a) - rank(b));
}

/** Whether a departure of a service's rows is an open incident's doing. */
export function isUnderIncident(book: IncidentBook, signal: Signal, service: string): boolean {
  for (const { detail, nodes } of book.open.values()) {
    if (detail.signal === signal && nodes.has(service)) return true;
  }
  return false;
}

/** Whether something that fails or is slow, now or since an open incident began, is told of it. */
export function isHurt(book: IncidentBook, findings: readonly Finding[], service: string): boolean {
  for (const { detail, nodes } of book.open.values()) {
    if (detail.signal !== "traffic" && nodes.has(service)) return true;
  }
  return findings.some(
    ({ cause, symptoms, entries }) =>
      symptoms.includes(service) ||
      entries.includes(service) ||
      cause.name.split(" → ").includes(service),
  );
}

export function incidentsOf(book: IncidentBook): IncidentDetail[] {
  return [...[...book.open.values()].map(({ detail }) => detail), ...book.resolved.toReversed()];
}

function newOpen(book: IncidentBook, finding: Finding, input: BookInput): OpenIncident {
  const startedAtMs = startOf(finding, input);
  const incident: OpenIncident = {
    detail: {
      id: newId(book, startedAtMs),
      status: "firing",
      page: false,
      gate: "",
      title: "",
      signal: finding.cause.signal,
      score: finding.score,
      startedAtMs,
      asOfMs: input.windowEndMs,
      resolvedAtMs: null,
      cause: finding.cause,
      combinations: finding.combinations,
      alternatives: finding.alternatives,
      impact: { customers: null, entries: [], count: 0, bad: 0 },
      coverage: input.coverage,
      graph: { nodes: [], edges: [], hops: [] },
      anomalies: [],
    },
    impact: createImpactSums(),
    rowIds: new Set(),
    entryRowIds: new Set(),
    blamedRowIds: new Set(),
    nodes: new Set(),
  };
  book.open.set(incident.detail.id, incident);
  return incident;
}

/** The first window in which anything of the finding departed. */
function startOf(finding: Finding, { evidence, detection }: BookInput): number {
  if (finding.sinceMs !== undefined) return finding.sinceMs;
  const rows = [...finding.entryRowIds, ...finding.blamedRowIds].map((id) =>
    evidence?.rows.get(id),
  );
  const onsets = rows.map((row) => row?.onsetMs ?? Infinity);
  const first = Math.min(...onsets);
  return first === Infinity
    ? (evidence?.sinceMs ?? detection.windowStartMs)
    : Math.max(first, evidence?.sinceMs ?? 0);
}

function newId(book: IncidentBook, startedAtMs: number): string {
  const known = new Set(incidentsOf(book).map(({ id }) => id));
  const base = `inc_${Math.floor(startedAtMs / 1_000).toString(36)}`;
  let id = base;
  for (let twin = 2; known.has(id); twin++) id = `${base}_${twin}`;
  return id;
}

function takeFinding(incident: OpenIncident, finding: Finding, input: BookInput): void {
  const { detail } = incident;
  // What is certain is not given up for what has become uncertain.
  const keepsCause = finding.cause.kind === "none" && detail.cause.kind !== "none";
  const cause = keepsCause ? detail.cause : finding.cause;
  if (cause.name !== detail.cause.name) {
    incident.impact = forgetBlame(incident.impact);
    incident.blamedRowIds = new Set();
  }
  if (!keepsCause) incident.blamedRowIds = union(incident.blamedRowIds, finding.blamedRowIds);
  if (losesEntries(incident, finding, input)) incident.impact = forgetEntries(incident.impact);
  incident.entryRowIds = new Set(finding.entryRowIds);
  incident.rowIds = union(incident.entryRowIds, incident.blamedRowIds);
  incident.nodes = union(incident.nodes, nodesOf(finding, input.registry));
  const { registry, evidence } = input;
  const changed = keepsCause
    ? {}
    : {
        combinations: finding.combinations,
        alternatives: finding.alternatives,
        anomalies: finding.anomalies,
        signal: cause.signal,
      };
  const graph =
    keepsCause || evidence === undefined ? detail.graph : drawFinding(registry, evidence, finding);
  incident.detail = {
    ...detail,
    ...changed,
    cause,
    graph,
    score: Math.max(detail.score, finding.score),
  };
  refresh(incident, input);
}

/**
 * Customers do not come in where it seemed. Only while every window of it is at hand can they be
 * counted anew; that an operation of an entry no longer stands out heals nobody.
 */
function losesEntries({ detail }: OpenIncident, finding: Finding, { ring }: BookInput): boolean {
  const oldestMs = ring.detections[0]?.windowStartMs ?? Infinity;
  const isYoung = oldestMs <= detail.startedAtMs;
  return isYoung && detail.impact.entries.some(({ service }) => !finding.entries.includes(service));
}

/** What a finding speaks of: its cause, or both its ends, and everything upstream of it. */
function nodesOf(finding: Finding, { graph }: Registry): string[] {
  const edges = edgesOf(graph);
  const ends = finding.cause.name.split(" → ");
  const dependants = ends.flatMap((end) => blastRadius(edges, end).dependants);
  return [...finding.symptoms, ...finding.entries, ...ends, ...dependants];
}

/** Numbers of the newest windows; a revised one replaces what it said before. */
function refresh(incident: OpenIncident, input: BookInput): void {
  const { detail } = incident;
  for (const held of input.ring.detections) {
    if (held.windowStartMs < detail.startedAtMs) continue;
    addImpact(incident.impact, {
      windowStartMs: held.windowStartMs,
      entries: rowsOf(input.registry, held, incident.entryRowIds),
      blamed: rowsOf(input.registry, held, incident.blamedRowIds),
    });
  }
  const impact = impactOf(incident.impact, {
    entryIds: incident.entryRowIds,
    blamedIds: incident.blamedRowIds,
  });
  const { cause, combinations, signal } = detail;
  const gate = gateOf(cause, impact, input.customersMin);
  incident.detail = {
    ...detail,
    impact,
    gate,
    page: gate === "",
    asOfMs: Math.max(detail.asOfMs, input.windowEndMs),
    coverage: input.coverage,
    title: titleOf({ cause, combinations, signal, impact }),
  };
}

/** Who is not certainly hurt wakes nobody; where no span names a customer nothing is held back. */
function gateOf(cause: Cause, { customers }: Impact, customersMin: number): string {
  // Requests go on and nothing fails: the shape has changed, which somebody may have wanted.
  if (cause.signal === "traffic" && cause.kind === "edge") return "held back: nobody is hurt by it";
  if (customers === null || Math.round(customers.low) >= customersMin) return "";
  const low = Math.round(customers.low);
  const high = Math.round(customers.value);
  return `held back: ${low === high ? high : `${low} to ${high}`} affected, fewer than ${customersMin} customers`;
}

/** No finding names it in this window: it goes on while its rows still depart, else it resolves. */
function carryOn(
  book: IncidentBook,
  incident: OpenIncident,
  input: BookInput,
  departs: (rowId: string) => boolean,
): IncidentEvent | undefined {
  // The silent cannot say that it is over.
  const isBlind = input.coverage < coverageMin;
  const goesOn = isBlind || [...incident.rowIds].some(departs);
  if (goesOn || input.ring.detections.length < quietWindows) {
    const before = incident.detail.impact;
    refresh(incident, input);
    if (JSON.stringify(before) === JSON.stringify(incident.detail.impact)) return undefined;
    return { type: "incident.updated", incident: strip(incident.detail) };
  }
  incident.detail = { ...incident.detail, status: "resolved", resolvedAtMs: input.windowEndMs };
  book.open.delete(incident.detail.id);
  book.resolved.push(incident.detail);
  if (book.resolved.length > resolvedMax) book.resolved.shift();
  return { type: "incident.resolved", incident: strip(incident.detail) };
}

function rowsOf(registry: Registry, detection: Detection, ids: ReadonlySet<string>) {
  return [...ids].flatMap((id) => windowRow(registry, detection, id) ?? []);
}

function union(a: ReadonlySet<string>, b: Iterable<string>): Set<string> {
  return new Set([...a, ...b]);
}

/** The graph and the anomalies are fetched, not streamed. */
function strip({ graph: _graph, anomalies: _anomalies, ...incident }: IncidentDetail): Incident {
  return incident;
}
