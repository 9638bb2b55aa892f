/**
 * How long windows stay: each level its own time, and all of them within a number of bytes.
 *
 * Windows go in groups that make up one coarser window, and only once that holds what they held.
 * When the store is too big, the finest level that fills more than its share gives up its oldest
 * group, until the rest fits.
 */
import type { WindowPlace } from "./levels.ts";
import { type Level, windowAround } from "./levels.ts";
import type { Rollups } from "./rollups.ts";
import { placeOf, type Tracks } from "./tracks.ts";

export interface KeepingOptions {
  readonly tracks: Tracks;
  readonly rollups: Rollups;
  readonly bytesMax: number;
  /** Bytes of the store besides the windows. */
  readonly otherBytes: () => number;
  /** Records of the window are in the log and in no segment yet. */
  readonly isAwaited: (place: WindowPlace) => boolean;
  readonly onGone: (gone: Gone) => void;
}

export interface Gone {
  readonly reason: "age" | "size";
  readonly lengthMs: number;
  readonly windows: number;
  readonly bytes: number;
}

/** Younger windows are needed to decide on late data, whatever the size. */
const neededMs = 900_000;
/** Groups that go at one time for one reason, so that nobody waits long. */
const groupsPerRunMax = 64;

export class Keeping {
  readonly #options: KeepingOptions;
  /** Windows before this are gone, by the level's length. */
  readonly #goneBeforeMs = new Map<number, number>();

  constructor(options: KeepingOptions) {
    this.#options = options;
  }

  /** Before this there is nothing of a level any more, and nothing may be added. */
  goneBeforeMs(lengthMs: number): number {
    return this.#goneBeforeMs.get(lengthMs) ?? 0;
  }

  /** Learns from merged windows what of their parts is gone. */
  recover(): void {
    const { tracks } = this.#options;
    for (const { lengthMs } of tracks.levels) {
      for (const meta of tracks.find(lengthMs, "merged")?.newestFirst() ?? []) {
        const isGone = meta.parts.some(
          (part) => tracks.find(part.lengthMs, part.source)?.meta(part.startMs) === undefined,
        );
        const [first] = meta.parts;
        if (isGone && first !== undefined) this.#noteGone(first.lengthMs, meta.windowEndMs);
      }
    }
  }

  #noteGone(lengthMs: number, beforeMs: number): void {
    this.#goneBeforeMs.set(lengthMs, Math.max(this.goneBeforeMs(lengthMs), beforeMs));
  }

  async run(nowMs: number): Promise<void> {
    for (const level of this.#options.tracks.levels) await this.#expire(level, nowMs);
    await this.#fit(nowMs);
  }

  async #expire(level: Level, nowMs: number): Promise<void> {
    for (let groups = 0; groups < groupsPerRunMax; groups++) {
      const group = this.#oldestGroup(level);
      const endMs = group === undefined ? Number.POSITIVE_INFINITY : endOf(group);
      if (group === undefined || endMs >= nowMs - level.retentionMs) return;
      if (!this.#mayGo(level, group)) return;
      await this.#remove(level, group, "age");
    }
  }

  async #fit(nowMs: number): Promise<void> {
    const { tracks, bytesMax, otherBytes, rollups } = this.#options;
    for (let groups = 0; groups < groupsPerRunMax; groups++) {
      if (tracks.size + otherBytes() <= bytesMax) return;
      const level = tracks.levels.find(
        (candidate) =>
          this.#sizeOf(candidate) > candidate.share * bytesMax &&
          endOf(this.#oldestGroup(candidate)) < nowMs - neededMs,
      );
      const group = level === undefined ? undefined : this.#oldestGroup(level);
      if (level === undefined || group === undefined) return;
      if (!rollups.isDone(this.#firstOf(level, group))) await rollups.make(group);
      if (!this.#mayGo(level, group)) return;
      await this.#remove(level, group, "size");
    }
  }

  #sizeOf({ lengthMs }: Level): number {
    return this.#options.tracks.ofLength(lengthMs).reduce((sum, { size }) => sum + size, 0);
  }

  /** The coarser window around the oldest of a level; of the coarsest level the window itself. */
  #oldestGroup({ lengthMs }: Level): WindowPlace | undefined {
    const { tracks } = this.#options;
    const oldest = tracks
      .ofLength(lengthMs)
      .flatMap((segments) => segments.newestFirst().at(-1) ?? [])
      .map((meta) => placeOf(meta).startMs);
    if (oldest.length === 0) return undefined;
    return windowAround(Math.min(...oldest), tracks.coarser(lengthMs)?.lengthMs ?? lengthMs);
  }

  #mayGo(level: Level, group: WindowPlace): boolean {
    const { rollups, isAwaited } = this.#options;
    const windows = windowsOf(level, group);
    return rollups.isDone(this.#firstOf(level, group)) && !windows.some(isAwaited);
  }

  #firstOf({ lengthMs }: Level, { startMs }: WindowPlace): WindowPlace {
    return { startMs, lengthMs };
  }

  async #remove(level: Level, group: WindowPlace, reason: Gone["reason"]): Promise<void> {
    const { tracks, onGone } = this.#options;
    const starts = windowsOf(level, group).map(({ startMs }) => startMs);
    let bytes = 0;
    let windows = 0;
    this.#noteGone(level.lengthMs, endOf(group));
    for (const segments of tracks.ofLength(level.lengthMs)) {
      const before = segments.count;
      bytes += await segments.remove(starts);
      windows += before - segments.count;
    }
    onGone({ reason, lengthMs: level.lengthMs, windows, bytes });
  }
}

function windowsOf({ lengthMs }: Level, group: WindowPlace): WindowPlace[] {
  const windows: WindowPlace[] = [];
  for (let startMs = group.startMs; startMs < endOf(group); startMs += lengthMs) {
    windows.push({ startMs, lengthMs });
  }
  return windows;
}

function endOf(place: WindowPlace | undefined): number {
  return place === undefined ? Number.POSITIVE_INFINITY : place.startMs + place.lengthMs;
}
