/**
 * The windows of one level and source: a directory of immutable files, one a window. New content
 * is a new file under the next revision, after which the old one goes; a crash between the two
 * leaves both, and the higher revision counts.
 *
 * Names are `<window start>.<revision>.window`. A file whose content says otherwise was put there
 * by somebody else; it is put where it belongs, or dropped if that is there already.
 */
import type { Disk } from "../../base/disk.ts";
import { writeAtomically } from "../../base/files.ts";
import { ok, type Result, refuse } from "../../base/result.ts";
import type { IncidentEvent } from "../decide.ts";
import type { Block } from "./blocks.ts";
import { Catalogue, type CatalogueEntry } from "./catalogue.ts";
import { findBlocks, type WantedBlocks } from "./find-blocks.ts";
import { HeldFiles } from "./held-files.ts";
import {
  encodeSegment,
  isSameSegment,
  type Part,
  readRecords,
  type SegmentMeta,
  type SegmentRecord,
  type Source,
} from "./segment-file.ts";
import { sortOut } from "./sort-out.ts";
import { assembleWindow, type StoredWindow } from "./stored-window.ts";

export interface SegmentsOptions {
  readonly disk: Disk;
  readonly directory: string;
  readonly lengthMs: number;
  readonly source: Source;
  /**
   * Told how many records are damaged, or files missing, whenever some are found, and of which
   * window where that is known.
   */
  readonly onDamage: (records: number, windowStartMs?: number) => void;
}

/** What is to be stored; the store gives it revision and source. */
export interface NewSegment {
  readonly meta: Omit<SegmentMeta, "revision" | "source" | "parts">;
  readonly events: readonly IncidentEvent[];
  readonly blocks: readonly Block[];
}

interface OwnRecords {
  readonly records: readonly SegmentRecord[];
  readonly corrupt: number;
}

export class Segments {
  readonly lengthMs: number;
  readonly source: Source;
  readonly #options: SegmentsOptions;
  readonly #catalogue: Catalogue;
  #index = new Map<number, CatalogueEntry>();
  #newestFirst: readonly SegmentMeta[] | undefined;
  #size = 0;
  readonly #files: HeldFiles;
  /** What changes the directory happens one after the other. */
  #changes: Promise<unknown> = Promise.resolve();

  constructor(options: SegmentsOptions) {
    this.#options = options;
    this.lengthMs = options.lengthMs;
    this.source = options.source;
    this.#catalogue = new Catalogue(options.disk, options.directory);
    this.#files = new HeldFiles((name) => options.disk.remove(`${options.directory}/${name}`));
  }

  get count(): number {
    return this.#index.size;
  }

  /** Bytes of all files. */
  get size(): number {
    return this.#size;
  }

  async recover(): Promise<void> {
    const { disk, directory } = this.#options;
    await disk.makeDirectory(directory);
    // A killed process may have put a file in place and not made its name durable.
    await disk.syncDirectory(directory);
    const known = await this.#catalogue.load();
    if (known.isOther) await this.#catalogue.release();
    await this.#sortOut(known.entries, known.corrupt);
    // It is made with the directory, so where there are windows somebody took it away.
    if (!known.isThere && this.#index.size > 0) this.#options.onDamage(1);
  }

  async #sortOut(known: ReadonlyMap<string, CatalogueEntry>, damaged: number): Promise<void> {
    const found = await sortOut(this.#options, known);
    const before = [...this.#index.keys(), ...[...known.values()].map(startOf)];
    this.#index = new Map();
    this.#size = 0;
    for (const entry of found.entries) this.#take(entry);
    for (const startMs of before) {
      if (!this.#index.has(startMs)) this.#options.onDamage(0, startMs);
    }
    const isRight = damaged === 0 && found.entries.every(({ name }) => known.has(name));
    if (isRight && known.size > 0) await this.#catalogue.resume(found.entries.length);
    else await this.#catalogue.open(found.entries);
    this.#options.onDamage(damaged + found.damaged);
  }

  #take(entry: CatalogueEntry): void {
    const { windowStartMs } = entry.meta.summary;
    this.#size += entry.size - (this.#index.get(windowStartMs)?.size ?? 0);
    this.#index.set(windowStartMs, entry);
    this.#newestFirst = undefined;
  }

  #inTurn<T>(change: () => Promise<T>): Promise<T> {
    const done = this.#changes.then(change);
    this.#changes = done.catch(() => undefined);
    return done;
  }

  meta(windowStartMs: number): SegmentMeta | undefined {
    return this.#index.get(windowStartMs)?.meta;
  }

  /** Every window, newest first. */
  newestFirst(): readonly SegmentMeta[] {
    this.#newestFirst ??= [...this.#index.values()]
      .map(({ meta }) => meta)
      .sort((a, b) => b.summary.windowStartMs - a.summary.windowStartMs);
    return this.#newestFirst;
  }

  /** The starts of windows from `fromMs` on and before `toMs`. */
  startsBetween(fromMs: number, toMs: number): readonly number[] {
    const metas = this.newestFirst();
    const starts: number[] = [];
    for (let at = firstBefore(metas, toMs); at < metas.length; at++) {
      const { windowStartMs } = (metas[at] as SegmentMeta).summary;
      if (windowStartMs < fromMs) break;
      starts.push(windowStartMs);
    }
    return starts;
  }

  /** Makes new content of a window durable; its revision is above `revisionMin`. */
  write(
    segment: NewSegment,
    { revisionMin = 0, parts = [] }: { revisionMin?: number; parts?: readonly Part[] } = {},
  ): Promise<SegmentMeta> {
    return this.#inTurn(() => this.#write(segment, revisionMin, parts));
  }

  async #write(
    segment: NewSegment,
    revisionMin: number,
    parts: readonly Part[],
  ): Promise<SegmentMeta> {
    const { disk, directory, source } = this.#options;
    const { windowStartMs } = segment.meta.summary;
    const before = this.#index.get(windowStartMs);
    const revision = Math.max(before?.meta.revision ?? 0, revisionMin) + 1;
    const meta: SegmentMeta = { ...segment.meta, revision, source, parts };
    const { records, headSize, size } = encodeSegment(meta, segment.events, segment.blocks);
    const name = `${windowStartMs}.${revision}.window`;
    await writeAtomically(disk, `${directory}/${name}`, ...records);
    const entry: CatalogueEntry = { name, size, headSize, meta };
    this.#take(entry);
    await this.#catalogue.add(entry);
    if (before !== undefined) await this.#files.remove(before.name);
    if (this.#catalogue.isStale) await this.#catalogue.open([...this.#index.values()]);
    return meta;
  }

  async read(windowStartMs: number): Promise<Result<StoredWindow>> {
    const entry = this.#index.get(windowStartMs);
    let own = entry === undefined ? undefined : await this.#recordsOf(entry);
    if (entry !== undefined && own === undefined) {
      const now = await this.#sortOutFor(entry);
      own = now === undefined ? undefined : await this.#recordsOf(now);
    }
    if (entry === undefined || own === undefined) {
      const { directory } = this.#options;
      const message = `nothing of window ${windowStartMs} in ${directory} is readable`;
      return refuse("STORE_CORRUPT", message);
    }
    const { window, missing } = assembleWindow(entry.meta, own.records);
    const damaged = Math.max(own.corrupt, missing);
    if (damaged > 0) this.#options.onDamage(damaged, windowStartMs);
    return ok(window);
  }

  /** The file's own records; undefined when it holds none of this window. */
  #recordsOf(entry: CatalogueEntry): Promise<OwnRecords | undefined> {
    const { disk, directory } = this.#options;
    return this.#reading(entry, async () => {
      const all = await readRecords(disk, `${directory}/${entry.name}`);
      const records = all.records.filter(({ meta }) => isSameSegment(meta, entry.meta));
      if (records.length === 0) return undefined;
      return { records, corrupt: all.corrupt + all.records.length - records.length };
    });
  }

  /** A file is not what its name says: finds out what all are, and where this window is now. */
  async #sortOutFor(entry: CatalogueEntry): Promise<CatalogueEntry | undefined> {
    const { windowStartMs } = entry.meta.summary;
    await this.#inTurn(async () => {
      if (this.#index.get(windowStartMs) === entry) await this.#sortOut(new Map(), 1);
    });
    const now = this.#index.get(windowStartMs);
    return now !== undefined && isSameSegment(now.meta, entry.meta) ? now : undefined;
  }

  /** The blocks of one kind whose keys may start with `prefix`, in order, as they are read. */
  async *blocks(windowStartMs: number, wanted: WantedBlocks): AsyncGenerator<Uint8Array> {
    const entry = this.#index.get(windowStartMs);
    if (entry === undefined || (yield* this.#blocksOf(entry, wanted))) return;
    const now = await this.#sortOutFor(entry);
    if (now !== undefined) yield* this.#blocksOf(now, wanted);
  }

  async *#blocksOf(
    entry: CatalogueEntry,
    wanted: WantedBlocks,
  ): AsyncGenerator<Uint8Array, boolean> {
    const { disk, directory } = this.#options;
    const onDamage = (records: number): void =>
      this.#options.onDamage(records, entry.meta.summary.windowStartMs);
    this.#files.hold(entry.name);
    try {
      const path = `${directory}/${entry.name}`;
      return yield* findBlocks({ disk, path, entry, onDamage }, wanted);
    } finally {
      await this.#files.release(entry.name);
    }
  }

  async #reading<T>(entry: CatalogueEntry, read: () => Promise<T>): Promise<T> {
    this.#files.hold(entry.name);
    try {
      return await read();
    } finally {
      await this.#files.release(entry.name);
    }
  }

  /** Unlinks windows; gives the bytes that are free now. */
  remove(windowStartsMs: readonly number[]): Promise<number> {
    return this.#inTurn(async () => {
      const gone = windowStartsMs.flatMap((startMs) => this.#index.get(startMs) ?? []);
      if (gone.length === 0) return 0;
      await this.#catalogue.remove(gone.map(({ name }) => name));
      const before = this.#size;
      for (const { name, size, meta } of gone) {
        await this.#files.remove(name);
        this.#index.delete(meta.summary.windowStartMs);
        this.#size -= size;
      }
      this.#newestFirst = undefined;
      return before - this.#size;
    });
  }

  async close(): Promise<void> {
    await this.#changes;
    await this.#catalogue.close();
  }
}

function startOf({ meta }: CatalogueEntry): number {
  return meta.summary.windowStartMs;
}

/** Of windows newest first, the place of the first that starts before `toMs`. */
function firstBefore(metas: readonly SegmentMeta[], toMs: number): number {
  let [from, to] = [0, metas.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    if ((metas[middle] as SegmentMeta).summary.windowStartMs < toMs) to = middle;
    else from = middle + 1;
  }
  return from;
}
