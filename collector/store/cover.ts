/**
 * Which stored windows answer for a stretch of time, none of it twice: the coarsest that lie inside
 * it, finer ones at its ends and where no coarser one is made yet. Where finer ones are gone the
 * coarser one counts if it starts inside. Exact for stretches whose ends are multiples of a level
 * that is still kept there.
 */
import { type Level, type WindowPlace, windowAround } from "./levels.ts";
import type { SegmentMeta } from "./segment-file.ts";
import type { Segments } from "./segments.ts";
import type { Tracks } from "./tracks.ts";

export interface TimeRange {
  readonly fromMs: number;
  /** Not inside. */
  readonly toMs: number;
}

export interface Covering {
  readonly segments: Segments;
  readonly meta: SegmentMeta;
}

/** The `unfinished` merged windows, and those around them, do not hold all of it yet. */
export function cover(
  tracks: Tracks,
  range: TimeRange,
  unfinished: readonly WindowPlace[],
): Covering[] {
  const found: Covering[] = [];
  const stale = tracks.levels.map(({ lengthMs }) => {
    const inside = unfinished.filter((place) => place.lengthMs <= lengthMs);
    return new Set(inside.map((place) => windowAround(place.startMs, lengthMs).startMs));
  });
  const take = (segments: Segments | undefined, startMs: number): boolean => {
    const meta = segments?.meta(startMs);
    if (segments === undefined || meta === undefined) return false;
    found.push({ segments, meta });
    return true;
  };
  const visit = (index: number, { fromMs, toMs }: TimeRange): void => {
    const { lengthMs } = tracks.levels[index] as Level;
    const finer = tracks.levels[index - 1];
    const merged = tracks.find(lengthMs, "merged");
    for (const startMs of startsIn(tracks, index, { fromMs, toMs })) {
      const endMs = startMs + lengthMs;
      const startsInside = startMs >= fromMs;
      // Minutes that agents sent whole are part of no finer window.
      if (startsInside) take(tracks.find(lengthMs, "received"), startMs);
      if (finer === undefined) continue;
      const isUpToDate = stale[index]?.has(startMs) === false;
      if (startsInside && endMs <= toMs && isUpToDate && take(merged, startMs)) continue;
      const before = found.length;
      visit(index - 1, { fromMs: Math.max(fromMs, startMs), toMs: Math.min(toMs, endMs) });
      const isEmpty = found.length === before && startsInside;
      // Nothing finer here may be a quiet minute; nothing in all of it, that finer ones are gone.
      const whole = { fromMs: startMs, toMs: endMs };
      if (isEmpty && startsIn(tracks, index - 1, whole).length === 0) take(merged, startMs);
    }
  };
  visit(tracks.levels.length - 1, range);
  return found;
}

/** Starts of a level's windows that meet the range and have any content, ascending. */
function startsIn(tracks: Tracks, index: number, { fromMs, toMs }: TimeRange): number[] {
  const { lengthMs } = tracks.levels[index] as Level;
  const starts = new Set<number>();
  for (const level of tracks.levels.slice(0, index + 1)) {
    for (const segments of tracks.ofLength(level.lengthMs)) {
      for (const startMs of segments.startsBetween(fromMs - level.lengthMs + 1, toMs)) {
        starts.add(windowAround(startMs, lengthMs).startMs);
      }
    }
  }
  return [...starts].sort((a, b) => a - b);
}
