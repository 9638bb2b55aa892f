/**
 * Makes the coarser windows: each a merge of the finer ones inside it, as soon as late data is no
 * more than history, and again whenever data up to 48 hours late has changed one of them.
 *
 * A merged window names the contents it was made from, by revision, and replaces itself as a whole.
 * What has to be made follows from comparing these names with what is there, so there is no state
 * that a crash could leave half done, and nothing is merged twice.
 */
import type { WindowSummary } from "../../wire/api-types.ts";
import { type Level, type WindowPlace, windowAround } from "./levels.ts";
import { mergeWindows } from "./merge-windows.ts";
import type { Part, SegmentMeta } from "./segment-file.ts";
import type { Segments } from "./segments.ts";
import { placeOf, type Tracks } from "./tracks.ts";

export interface RollupsOptions {
  readonly tracks: Tracks;
  /** Keys of a merged window before their last dimensions are folded. */
  readonly keysMax: number;
  readonly onMade: (made: Made) => void;
}

export interface Made {
  readonly lengthMs: number;
  readonly foldedSpans: number;
}

/** Late data is decided on for ten minutes; a moment more lets the last of it be stored. */
const settledAfterMs = 610_000;
/** A window that changed waits for more, so that an agent catching up has it merged once. */
const quietMs = 60_000;
/** However much more comes, it is merged after so long. */
const waitMsMax = 600_000;
/** Merges between two closings, so that these do not have to wait for all of them. */
const rollupsPerRunMax = 2;

interface Stale {
  readonly place: WindowPlace;
  readonly sinceMs: number;
  changedMs: number;
}

export class Rollups {
  readonly #options: RollupsOptions;
  /** By name of the coarser window. */
  readonly #stale = new Map<string, Stale>();
  #changed: WindowPlace[] = [];

  constructor(options: RollupsOptions) {
    this.#options = options;
  }

  /** Coarser windows that are not yet what they should be. */
  get waiting(): number {
    return this.#stale.size + this.#changed.length;
  }

  /** Compares all coarser windows with what they were made from. */
  recover(): void {
    const { tracks } = this.#options;
    for (const { lengthMs } of tracks.levels) {
      for (const segments of tracks.ofLength(lengthMs)) {
        for (const meta of segments.newestFirst()) {
          if (tracks.partOf(placeOf(meta), segments.source)?.revision === meta.revision) continue;
          this.#note(placeOf(meta), Number.NEGATIVE_INFINITY);
        }
      }
    }
  }

  /** A window got new content. */
  note(place: WindowPlace): void {
    this.#changed.push(place);
  }

  /** A merged window is damaged, so it is made again if all it was made from is there. */
  repair(place: WindowPlace): void {
    this.#setStale(place, Number.NEGATIVE_INFINITY);
  }

  #note({ startMs, lengthMs }: WindowPlace, nowMs: number): void {
    const level = this.#options.tracks.coarser(lengthMs);
    if (level !== undefined) this.#setStale(windowAround(startMs, level.lengthMs), nowMs);
  }

  #setStale(place: WindowPlace, nowMs: number): void {
    const known = this.#stale.get(nameOf(place));
    if (known !== undefined) known.changedMs = nowMs;
    else this.#stale.set(nameOf(place), { place, sinceMs: nowMs, changedMs: nowMs });
  }

  /** Whether what is in the window has reached the coarser one, if there is any. */
  isDone({ startMs, lengthMs }: WindowPlace): boolean {
    const level = this.#options.tracks.coarser(lengthMs);
    if (level === undefined) return true;
    const around = windowAround(startMs, level.lengthMs);
    return (
      !this.#stale.has(nameOf(around)) &&
      !this.#changed.some(
        (place) =>
          place.lengthMs === lengthMs &&
          windowAround(place.startMs, level.lengthMs).startMs === around.startMs,
      )
    );
  }

  /** Merged windows that are to be made, or made again; those around them do not hold all yet. */
  unfinished(): readonly WindowPlace[] {
    const changed = this.#changed.flatMap(({ startMs, lengthMs }) => {
      const level = this.#options.tracks.coarser(lengthMs);
      return level === undefined ? [] : windowAround(startMs, level.lengthMs);
    });
    return [...changed, ...[...this.#stale.values()].map(({ place }) => place)];
  }

  /** Makes what is due, finer ones and older ones first; not all of it at once. */
  async run(nowMs: number): Promise<void> {
    for (const place of this.#changed.splice(0)) this.#note(place, nowMs);
    const due = [...this.#stale.values()].filter((stale) => isDue(stale, nowMs));
    due.sort((a, b) => a.place.lengthMs - b.place.lengthMs || a.place.startMs - b.place.startMs);
    for (const { place } of due.slice(0, rollupsPerRunMax)) await this.make(place);
  }

  /** Makes a coarser window of what is there now. */
  async make(place: WindowPlace): Promise<void> {
    const { tracks, onMade, keysMax } = this.#options;
    const target = tracks.find(place.lengthMs, "merged");
    if (target === undefined) return;
    const parts = tracks.partsFor(place);
    if (parts.length === 0 || this.#isSealed(place, parts)) {
      this.#stale.delete(nameOf(place));
      return;
    }
    const hashKeyId = newestHashKey(parts);
    const merged = await mergeWindows(
      parts.map(({ segments, meta }) => ({
        segments,
        startMs: meta.summary.windowStartMs,
        hashKeyId: meta.hashKeyId,
      })),
      { hashKeyId, keysMax },
    );
    const metas = parts.map(({ meta }) => meta);
    const { keys, spans, errors, blocks, foldedSpans } = merged;
    const finer = tracks.finer(place.lengthMs) as Level;
    const summary = {
      ...summaryOf(place, metas, place.lengthMs / finer.lengthMs),
      ...{ keys, spans, errors },
    };
    const [lsn, decidedAtMs] = [maxOf(metas, "lsn"), maxOf(metas, "decidedAtMs")];
    const windowEndMs = place.startMs + place.lengthMs;
    const meta = { summary, windowEndMs, lsn, closing: 0, decidedAtMs, hashKeyId };
    await target.write(
      { meta, events: [], blocks },
      {
        revisionMin: tracks.partOf(place, "merged")?.revision ?? 0,
        parts: parts.map(({ segments, meta: part }) => partOf(segments, part)),
      },
    );
    this.#stale.delete(nameOf(place));
    this.note(place);
    onMade({ lengthMs: place.lengthMs, foldedSpans });
  }

  /** Some of what it was made from is gone: made again, it would lose that. */
  #isSealed(
    place: WindowPlace,
    parts: readonly { readonly segments: Segments; readonly meta: SegmentMeta }[],
  ): boolean {
    const { tracks } = this.#options;
    const made = tracks.find(place.lengthMs, "merged")?.meta(place.startMs);
    if (made === undefined) return false;
    const here = parts.map(({ segments, meta }) => partOf(segments, meta));
    return made.parts.some(
      (part) =>
        !here.some(
          (other) =>
            other.startMs === part.startMs &&
            other.lengthMs === part.lengthMs &&
            other.source === part.source,
        ),
    );
  }
}

function isDue({ place, sinceMs, changedMs }: Stale, nowMs: number): boolean {
  if (nowMs < place.startMs + place.lengthMs + settledAfterMs) return false;
  return nowMs - changedMs >= quietMs || nowMs - sinceMs >= waitMsMax;
}

/** Registers under different keys are never merged: those under the newest stay. */
function newestHashKey(parts: readonly { readonly meta: SegmentMeta }[]): string {
  const named = parts.filter(({ meta }) => meta.hashKeyId !== "");
  named.sort((a, b) => a.meta.lsn - b.meta.lsn);
  return named.at(-1)?.meta.hashKeyId ?? "";
}

function summaryOf(place: WindowPlace, metas: readonly SegmentMeta[], slots: number) {
  const bySlot = new Map<number, WindowSummary>();
  for (const { summary } of metas) {
    const { windowStartMs } = summary;
    const other = bySlot.get(windowStartMs);
    if (other === undefined || other.coverage < summary.coverage) {
      bySlot.set(windowStartMs, summary);
    }
  }
  const sum = (value: (summary: WindowSummary) => number): number =>
    [...bySlot.values()].reduce((total, summary) => total + value(summary), 0);
  return {
    windowStartMs: place.startMs,
    anomalies: sum(({ anomalies }) => anomalies),
    // A finer window that is not there was not covered at all.
    coverage: sum(({ coverage }) => coverage) / slots,
    silentAgents: Math.max(...metas.map(({ summary }) => summary.silentAgents)),
    revised: metas.some(({ summary }) => summary.revised),
  };
}

function maxOf(metas: readonly SegmentMeta[], name: "lsn" | "decidedAtMs"): number {
  return Math.max(0, ...metas.map((meta) => meta[name]));
}

function partOf(segments: Segments, meta: SegmentMeta): Part {
  const { lengthMs, source } = segments;
  const { revision, lsn } = meta;
  return { lengthMs, source, startMs: meta.summary.windowStartMs, revision, lsn };
}

function nameOf({ startMs, lengthMs }: WindowPlace): string {
  return `${lengthMs}/${startMs}`;
}
