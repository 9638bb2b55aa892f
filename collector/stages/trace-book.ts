/**
 * What traces add up to in the newest windows and in healthy ones before, and which versions of a
 * service were seen since when: what the explanation of a trouble compares.
 *
 * Bounds: the newest `recentMax` windows; healthy ones as trace-history.ts has it; `servicesMax`
 * services of `versionsMax` versions each, of which the one longest unseen goes.
 */
import type { Suspect } from "../../dependency-graph/suspects.ts";
import { rankSuspects } from "../../dependency-graph/suspects.ts";
import {
  createTraceHistory,
  learnTraces,
  type TraceHistory,
} from "../../dependency-graph/trace-history.ts";
import { traceShifts } from "../../dependency-graph/trace-shifts.ts";
import type { TraceSums } from "../../dependency-graph/trace-sums.ts";
import type { Cube } from "../../sketch/cube.ts";
import { isMetricKey, keyOf } from "../../sketch/key.ts";

interface SeenVersion {
  readonly firstMs: number;
  lastMs: number;
}

export interface TraceBook {
  readonly history: TraceHistory;
  /** Oldest first. */
  readonly recent: TraceSums[];
  /** By service and version, the longest unseen first. */
  readonly versions: Map<string, Map<string, SeenVersion>>;
}

/** As many as evidence is summed over. */
const recentMax = 6;
const servicesMax = 10_000;
const versionsMax = 8;
/** A change is looked for so long before a trouble. */
const changeMs = 15 * 60_000;
const msPerSecond = 1_000;

export function createTraceBook(): TraceBook {
  return { history: createTraceHistory(), recent: [], versions: new Map() };
}

/** Takes a window in; a revised one replaces what it was before. */
export function noteTraces(book: TraceBook, sums: TraceSums, cube: Cube): void {
  const { recent } = book;
  const at = recent.findIndex(({ startMs }) => startMs >= sums.startMs);
  const replaced = recent[at]?.startMs === sums.startMs ? 1 : 0;
  recent.splice(at < 0 ? recent.length : at, replaced, sums);
  if (recent.length > recentMax) recent.shift();
  noteVersions(book, cube);
}

/** A window that was healthy becomes part of what is usual. */
export function learnWindowTraces({ history, recent }: TraceBook, startMs: number): void {
  const window = recent.find((one) => one.startMs === startMs);
  if (window !== undefined) learnTraces(history, window);
}

/** Who of these services may have made the windows since then differ from healthy ones. */
export function suspectsSince(
  { history, recent }: TraceBook,
  sinceMs: number,
  services: ReadonlySet<string>,
): readonly Suspect[] {
  const during = recent.filter(({ startMs }) => startMs >= sinceMs);
  const isMeant = (service: string): boolean => services.has(service);
  return rankSuspects(traceShifts(history, during, { sinceMs, isMeant }));
}

/** What was deployed at a service about when a trouble began, if anything was. */
export function changeSentence(
  { versions }: TraceBook,
  service: string,
  sinceMs: number,
): string | undefined {
  const seen = [...(versions.get(service) ?? [])];
  const [newest] = seen.toSorted(([, a], [, b]) => b.firstMs - a.firstMs);
  if (newest === undefined || seen.length < 2) return undefined;
  const [version, { firstMs }] = newest;
  // A trouble is dated by its first bad window, which a new version may have made so.
  if (firstMs > sinceMs || sinceMs - firstMs > changeMs) return undefined;
  const seconds = Math.round((sinceMs - firstMs) / msPerSecond);
  const when = seconds === 0 ? "when it began" : `${seconds} s before it began`;
  return `version ${version} of ${service} was first seen ${when}`;
}

function noteVersions({ versions }: TraceBook, { cells, keys, windowStartMs }: Cube): void {
  for (let row = 0; row < cells.size; row++) {
    const key = keyOf(keys, cells.keyOf(row));
    const [service = "", , , , version = ""] = key;
    if (version === "" || isMetricKey(key)) continue;
    let own = versions.get(service);
    if (own === undefined) {
      if (versions.size >= servicesMax) continue;
      own = new Map();
      versions.set(service, own);
    }
    const seen = own.get(version);
    if (seen !== undefined) seen.lastMs = windowStartMs;
    else {
      own.set(version, { firstMs: windowStartMs, lastMs: windowStartMs });
      if (own.size > versionsMax) dropLongestUnseen(own);
    }
  }
}

function dropLongestUnseen(versions: Map<string, SeenVersion>): void {
  const [oldest] = [...versions].toSorted(([, a], [, b]) => a.lastMs - b.lastMs);
  if (oldest !== undefined) versions.delete(oldest[0]);
}
