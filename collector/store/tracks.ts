/**
 * The directories of closed windows: one for each level and source. Received are windows as agents
 * sent them, and minutes of agents that were long away; merged are all coarser ones.
 */
import type { Disk } from "../../base/disk.ts";
import { coarseWindowMs, type Level, type WindowPlace, windowAround } from "./levels.ts";
import type { Part, SegmentMeta, Source } from "./segment-file.ts";
import { Segments } from "./segments.ts";

export interface TracksOptions {
  readonly disk: Disk;
  readonly directory: string;
  readonly levels: readonly Level[];
  readonly onDamage: (records: number) => void;
  /** A merged window is damaged: what it was made from may still be there. */
  readonly onMergedDamage: (place: WindowPlace) => void;
}

/** What one level holds. */
export interface LevelUse {
  readonly lengthMs: number;
  readonly windows: number;
  readonly bytes: number;
}

export class Tracks {
  readonly levels: readonly Level[];
  readonly #directory: string;
  readonly #disk: Disk;
  readonly #segments = new Map<string, Segments>();

  constructor({ disk, directory, levels, onDamage, onMergedDamage }: TracksOptions) {
    this.levels = levels;
    this.#disk = disk;
    this.#directory = directory;
    for (const [index, { lengthMs }] of levels.entries()) {
      for (const source of ["received", "merged"] as const) {
        const isKept = source === "merged" ? index > 0 : index === 0 || lengthMs === coarseWindowMs;
        if (!isKept) continue;
        const name = nameOf(lengthMs, source);
        const shelf = { disk, directory: `${directory}/${name}`, lengthMs, source };
        const onDamageHere = (records: number, startMs?: number): void => {
          onDamage(records);
          if (startMs !== undefined && source === "merged") onMergedDamage({ startMs, lengthMs });
        };
        this.#segments.set(name, new Segments({ ...shelf, onDamage: onDamageHere }));
      }
    }
  }

  async recover(): Promise<void> {
    await this.#disk.makeDirectory(this.#directory);
    for (const segments of this.#segments.values()) await segments.recover();
  }

  find(lengthMs: number, source: Source): Segments | undefined {
    return this.#segments.get(nameOf(lengthMs, source));
  }

  /** Those of a length, received first. */
  ofLength(lengthMs: number): readonly Segments[] {
    return [this.find(lengthMs, "received"), this.find(lengthMs, "merged")].filter(
      (segments) => segments !== undefined,
    );
  }

  all(): Iterable<Segments> {
    return this.#segments.values();
  }

  get size(): number {
    return [...this.#segments.values()].reduce((sum, segments) => sum + segments.size, 0);
  }

  /** The level below, and the one above. */
  finer(lengthMs: number): Level | undefined {
    return this.levels[this.#indexOf(lengthMs) - 1];
  }

  coarser(lengthMs: number): Level | undefined {
    return this.levels[this.#indexOf(lengthMs) + 1];
  }

  #indexOf(lengthMs: number): number {
    return this.levels.findIndex((level) => level.lengthMs === lengthMs);
  }

  /** What the coarser merged window around a window says of it; undefined when it is not inside. */
  partOf(place: WindowPlace, source: Source): Part | undefined {
    const { startMs, lengthMs } = place;
    const level = this.coarser(lengthMs);
    if (level === undefined) return undefined;
    const around = windowAround(startMs, level.lengthMs);
    return this.find(level.lengthMs, "merged")
      ?.meta(around.startMs)
      ?.parts.find(
        (part) => part.startMs === startMs && part.lengthMs === lengthMs && part.source === source,
      );
  }

  /** The windows that a coarser one is to be merged from, with where they are. */
  partsFor(place: WindowPlace): { readonly segments: Segments; readonly meta: SegmentMeta }[] {
    const finer = this.finer(place.lengthMs);
    if (finer === undefined) return [];
    const found: { segments: Segments; meta: SegmentMeta }[] = [];
    const endMs = place.startMs + place.lengthMs;
    for (let startMs = place.startMs; startMs < endMs; startMs += finer.lengthMs) {
      for (const segments of this.ofLength(finer.lengthMs)) {
        const meta = segments.meta(startMs);
        if (meta !== undefined) found.push({ segments, meta });
      }
    }
    return found;
  }

  use(): readonly LevelUse[] {
    return this.levels.map(({ lengthMs }) => {
      const tracks = this.ofLength(lengthMs);
      const windows = tracks.reduce((sum, { count }) => sum + count, 0);
      return { lengthMs, windows, bytes: tracks.reduce((sum, { size }) => sum + size, 0) };
    });
  }

  async close(): Promise<void> {
    for (const segments of this.#segments.values()) await segments.close();
  }
}

export function placeOf(meta: SegmentMeta): WindowPlace {
  const { windowStartMs: startMs } = meta.summary;
  return { startMs, lengthMs: meta.windowEndMs - startMs };
}

function nameOf(lengthMs: number, source: Source): string {
  return `${lengthMs}-${source}`;
}
