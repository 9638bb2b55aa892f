/**
 * What several windows say together. One window of a young fault holds a handful of bad events;
 * blame and isolation read the sum of the newest windows since the trouble began.
 */
import { copyHistogram, mergeHistogram } from "../../sketch/histogram.ts";
import { copyHll, type Hll, mergeHll } from "../../sketch/hll.ts";
import type { Gaps } from "./connect.ts";
import type { Detection, WindowRow } from "./detect.ts";
import { farSideOf, type Registry } from "./registry.ts";
import type { OperationDurations, RolledUp } from "./roll-up.ts";
import {
  type BadSignal,
  badSignals,
  findRow,
  type RowBook,
  readPlaces,
  rowName,
  rowOf,
  subjectOf,
} from "./row-book.ts";
import { type RowSums, sumMaps, sumRows } from "./row-sums.ts";

/** A minute: long enough to be sure, short enough to see a fault change. */
export const windowsMax = 6;

export interface EvidenceRow extends WindowRow {
  readonly signal: BadSignal;
  readonly pValue: number;
  readonly qValue: number;
  /** Start of the first window in which this row was anomalous by itself; Infinity if in none. */
  readonly onsetMs: number;
  /** Start of the first window with the row. */
  readonly sinceMs: number;
}

export interface Evidence {
  readonly sinceMs: number;
  readonly windows: number;
  /** All but the keys, by id; keys are spelt out when they are asked for, see `keyRowsOf`. */
  readonly rows: ReadonlyMap<string, EvidenceRow>;
  readonly sums: RowSums;
  readonly book: RowBook;
  /** Durations by operation, gaps by edge and customers by service, over the same windows. */
  readonly operations: ReadonlyMap<string, OperationDurations>;
  readonly gaps: Gaps;
  readonly customersSeen: ReadonlyMap<string, Hll>;
  /** Services that were called in some window, in vain, and reported nothing in it. */
  readonly silent: ReadonlySet<string>;
}

/** The newest windows, oldest first. */
export interface EvidenceRing {
  readonly detections: Detection[];
}

export function createEvidenceRing(): EvidenceRing {
  return { detections: [] };
}

/** What is older says nothing of now, and its rows may have been forgotten. */
const ageMsMax = 3_600_000;

/** Takes a window in; a revised one replaces what it was before. */
export function addDetection(ring: EvidenceRing, detection: Detection): void {
  const { detections } = ring;
  const at = detections.findIndex((held) => held.windowStartMs >= detection.windowStartMs);
  const replaced = detections[at]?.windowStartMs === detection.windowStartMs ? 1 : 0;
  detections.splice(at < 0 ? detections.length : at, replaced, detection);
  const newestMs = detections.at(-1)?.windowStartMs ?? 0;
  const isOld = (held: Detection): boolean => newestMs - held.windowStartMs > ageMsMax;
  while (detections.length > windowsMax || detections.some(isOld)) detections.shift();
}

/**
 * Start of the oldest window of the newest unbroken run with an anomaly; one quiet window may lie
 * between.
 */
export function troubleSince(ring: EvidenceRing): number | undefined {
  let since: number | undefined;
  let quiet = 0;
  for (const detection of ring.detections.toReversed()) {
    const isBad = detection.anomalous.size > 0;
    quiet = isBad ? 0 : quiet + 1;
    if (quiet > 1) break;
    if (isBad) since = detection.windowStartMs;
  }
  return since;
}

export function sumEvidence(ring: EvidenceRing, registry: Registry, sinceMs: number): Evidence {
  const detections = ring.detections.filter((held) => held.windowStartMs >= sinceMs);
  const rolled = detections.map((held) => held.rolled);
  const sums = sumRows(detections, registry);
  return {
    ...{ sinceMs, sums, book: registry.rows },
    windows: detections.length,
    rows: spellOut(sums, registry.rows),
    operations: sumOperations(rolled),
    gaps: sumMaps(
      detections.map((held) => held.gaps),
      copyHistogram,
      mergeHistogram,
    ),
    customersSeen: sumMaps(
      rolled.map((held) => held.customersSeen),
      copyHll,
      mergeHll,
    ),
    silent: new Set(detections.flatMap((held) => silentIn(held, registry))),
  };
}

/** Which of these rows depart, over the windows since. */
export function departing(
  ring: EvidenceRing,
  registry: Registry,
  sinceMs: number,
): (id: string) => boolean {
  const detections = ring.detections.filter((held) => held.windowStartMs >= sinceMs);
  const { anomalous } = sumRows(detections, registry);
  return (id) =>
    anomalous.has(findRow(registry.rows, id)) ||
    detections.some(({ traffic }) => traffic.get(id)?.low !== undefined);
}

function sumOperations(rolled: readonly RolledUp[]): Map<string, OperationDurations> {
  const copy = (entry: OperationDurations): OperationDurations => ({
    ...entry,
    durationNs: copyHistogram(entry.durationNs),
  });
  const merge = (target: OperationDurations, source: OperationDurations): void =>
    mergeHistogram(target.durationNs, source.durationNs);
  return sumMaps(
    rolled.map((held) => held.operations),
    copy,
    merge,
  );
}

function silentIn({ rolled }: Detection, registry: Registry): string[] {
  const operations = [...rolled.operations.values()];
  const answered = operations.filter(({ kind }) => kind === "server" || kind === "consumer");
  const answering = new Set(answered.map(({ service }) => service));
  const failing = [...rolled.customersBad.keys()]
    .flatMap((row) => rowName(registry.rows, row) ?? [])
    .filter(({ scope, signal }) => scope === "call" && signal === "errors");
  return failing
    .map((name) => farSideOf(registry, name))
    .filter((callee) => registry.graph.services.has(callee) && !answering.has(callee));
}

/** Every row but those of keys, which are many. */
function spellOut(sums: RowSums, book: RowBook): Map<string, EvidenceRow> {
  const rows = new Map<string, EvidenceRow>();
  for (let row = 0; row < sums.count.length; row++) {
    if (sums.count[row] === 0 || book.names[subjectOf(row)]?.scope === "key") continue;
    const spelt = rowIn(sums, book, row);
    if (spelt !== undefined) rows.set(spelt.id, spelt);
  }
  return rows;
}

/**
 * The keys whose spans `isMeant`, which is asked of each origin and far side first: their keys are
 * the only ones to be looked at.
 */
export function keyRowsOf(
  { sums, book, rows }: Evidence,
  signal: BadSignal,
  isMeant: (row: EvidenceRow) => boolean,
): EvidenceRow[] {
  const meant = new Set<number>();
  for (const row of rows.values()) {
    const canBlame = row.scope === "origin" || row.scope === "call";
    if (canBlame && row.signal === signal && isMeant(row)) meant.add(findRow(book, row.id));
  }
  const found: EvidenceRow[] = [];
  const at = badSignals.indexOf(signal);
  const places = { operation: -1, service: -1, blame: -1 };
  for (let row = at; row < sums.count.length && meant.size > 0; row += badSignals.length) {
    if (sums.count[row] === 0) continue;
    readPlaces(book, subjectOf(row), places);
    if (places.blame < 0 || !meant.has(rowOf(places.blame, at))) continue;
    const spelt = rowIn(sums, book, row);
    if (spelt !== undefined && isMeant(spelt)) found.push(spelt);
  }
  return found;
}

function rowIn(sums: RowSums, book: RowBook, row: number): EvidenceRow | undefined {
  const name = rowName(book, row);
  if (name === undefined) return undefined;
  const { id, scope, signal, service, operation, kind, peer, key } = name;
  return {
    ...{ id, scope, signal, service, operation, kind, peer, key },
    count: sums.count[row] as number,
    bad: sums.bad[row] as number,
    originBad: sums.originBad[row] as number,
    customersBad: sums.customersBad.get(row),
    expected: sums.expected[row] as number,
    pValue: sums.pValues.get(row) ?? 1,
    qValue: sums.qValues.get(row) ?? 1,
    anomalous: sums.anomalous.has(row),
    onsetMs: sums.onsetMs[row] as number,
    sinceMs: sums.sinceMs[row] as number,
  };
}
