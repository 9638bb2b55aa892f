/**
 * What the collector needs of its storage, and the embedded implementation on plain files:
 *
 *   log/       accepted batches, until their windows are closed
 *   windows/   closed windows: a directory for each level and source, a file for each window
 *   events/    the numbered events of the stream
 *   state/     the decider's state as of some decision
 *
 * One process owns a directory at a time.
 */
import type { Disk } from "../../base/disk.ts";
import type { Result } from "../../base/result.ts";
import type { Cube } from "../../sketch/cube.ts";
import type { CompositeKey } from "../../sketch/key.ts";
import type { StreamEvent } from "../../wire/api-types.ts";
import { storeBytesMaxDefault } from "../config.ts";
import { BatchLog, type LogVisitor } from "./batch-log.ts";
import { decodeCells } from "./blocks.ts";
import { type Covering, cover, type TimeRange } from "./cover.ts";
import { type DeciderState, loadDecider, saveDecider } from "./decider-file.ts";
import { EventsJournal, type EventsView, type UnnumberedEvent } from "./events-journal.ts";
import { type Gone, Keeping } from "./keeping.ts";
import { createLevels, type Level, type WindowPlace, windowAround } from "./levels.ts";
import type { LogEntry } from "./log-generation.ts";
import { type Made, Rollups } from "./rollups.ts";
import type { SegmentMeta } from "./segment-file.ts";
import type { NewSegment, Segments } from "./segments.ts";
import type { StoredWindow } from "./stored-window.ts";
import { type LevelUse, placeOf, Tracks } from "./tracks.ts";

export interface Store {
  /** Rebuilds memory from the disk. Damaged records are skipped and reported to `corrupt`. */
  recover(visitor: LogVisitor, headState: () => Uint8Array): Promise<void>;
  /** Makes a batch durable, then applies it; in order. @throws STORE_WRITE */
  append(entry: LogEntry, apply: (lsn: number) => void): Promise<void>;
  /** The last batch that is durable and applied. */
  readonly lsn: number;
  readonly logBytes: number;
  /** The last write to the log failed. */
  readonly failed: boolean;
  /** What the log held at the start may not survive a power cut, so nothing is acknowledged. */
  readonly isUnproven: boolean;
  /** Begins a new log file between two groups of batches. */
  rotateLog(): Promise<void>;
  /**
   * Where data of a window goes: the window itself, or the minute around it once windows of its
   * length are gone; undefined when that is gone too, or windows of this length are not taken.
   */
  placeFor(window: WindowPlace): WindowPlace | undefined;
  /** Whether windows of this length are received. */
  takes(lengthMs: number): boolean;
  /** Stored windows hold its records up to this lsn. */
  storedLsn(window: WindowPlace): number;
  /** Makes a closed window durable and releases its batches. */
  writeSegment(segment: NewSegment): Promise<void>;
  segmentMeta(windowStartMs: number, lengthMs?: number): SegmentMeta | undefined;
  /** The closed windows of the finest level, newest first. */
  segmentsNewestFirst(): readonly SegmentMeta[];
  readSegment(windowStartMs: number, lengthMs?: number): Promise<Result<StoredWindow>>;
  /** Makes coarser windows that are due, and lets go of those past their time or too many. */
  maintain(nowMs: number): Promise<void>;
  /** The windows that answer for a stretch of time, each content once. */
  windowsOf(range: TimeRange): readonly Covering[];
  /** Cells of a window whose keys start with `prefix`, a block at a time, with some neighbours. */
  scan(window: Covering, prefix: CompositeKey): AsyncGenerator<Cube>;
  readonly levels: readonly LevelUse[];
  appendEvents(
    closing: number,
    events: readonly UnnumberedEvent[],
  ): Promise<{ readonly events: readonly StreamEvent[]; readonly problem: unknown }>;
  readonly events: EventsView;
  saveDecider(state: DeciderState): Promise<void>;
  /** The newest state that is sound; undefined when there is none. */
  loadDecider(): Promise<DeciderState | undefined>;
  /** Resolves when no batch waits to become durable. */
  idle(): Promise<void>;
  close(): Promise<void>;
}

export interface FileStoreOptions {
  readonly directory: string;
  readonly disk: Disk;
  /** The log goes on in a new file from this size. */
  readonly logFileBytesMax?: number;
  readonly levels?: readonly Level[];
  /** All files together; then windows have to go. */
  readonly bytesMax?: number;
  /** Keys of a window made of finer ones. */
  readonly mergedKeysMax?: number;
  readonly onMade?: (made: Made) => void;
  readonly onGone?: (gone: Gone) => void;
}

const logFileBytesMaxDefault = 64 * 2 ** 20;
const mergedKeysMaxDefault = 400_000;

export function createFileStore(options: FileStoreOptions): Store {
  return new FileStore(options);
}

class FileStore implements Store {
  readonly events: EventsJournal;
  readonly #options: FileStoreOptions;
  readonly #directories: Readonly<Record<"log" | "windows" | "events" | "state", string>>;
  readonly #finestMs: number;
  readonly #log: BatchLog;
  readonly #tracks: Tracks;
  readonly #rollups: Rollups;
  readonly #keeping: Keeping;
  #onDamage: (records: number) => void = () => {};
  #disown = async (): Promise<void> => {};

  constructor(options: FileStoreOptions) {
    const { directory, disk, levels = createLevels() } = options;
    this.#options = options;
    this.#directories = {
      log: `${directory}/log`,
      windows: `${directory}/windows`,
      events: `${directory}/events`,
      state: `${directory}/state`,
    };
    this.#finestMs = (levels[0] as Level).lengthMs;
    this.#log = new BatchLog({
      directory: this.#directories.log,
      disk,
      generationBytesMax: options.logFileBytesMax ?? logFileBytesMaxDefault,
    });
    const onDamage = (records: number): void => this.#onDamage(records);
    const tracks = new Tracks({
      ...{ disk, levels, onDamage, directory: this.#directories.windows },
      onMergedDamage: (place) => this.#rollups.repair(place),
    });
    this.#tracks = tracks;
    this.#rollups = new Rollups({
      tracks,
      keysMax: options.mergedKeysMax ?? mergedKeysMaxDefault,
      onMade: (made) => options.onMade?.(made),
    });
    this.#keeping = new Keeping({
      tracks,
      rollups: this.#rollups,
      bytesMax: options.bytesMax ?? storeBytesMaxDefault,
      otherBytes: () => this.#log.bytes,
      isAwaited: (place) => this.#log.holds(place),
      onGone: (gone) => options.onGone?.(gone),
    });
    this.events = new EventsJournal(this.#directories.events, disk);
  }

  async recover(visitor: LogVisitor, headState: () => Uint8Array): Promise<void> {
    const { directory, disk } = this.#options;
    this.#onDamage = (records) => visitor.corrupt(records);
    await disk.makeDirectory(directory);
    this.#disown = await disk.own(directory);
    for (const path of Object.values(this.#directories)) await disk.makeDirectory(path);
    await disk.syncDirectory(directory);
    await this.#tracks.recover();
    this.#rollups.recover();
    this.#keeping.recover();
    visitor.corrupt(await this.events.recover());
    const metas = [...this.#tracks.all()].flatMap((segments) => segments.newestFirst());
    const storedLsn = metas.reduce((most, { lsn }) => Math.max(most, lsn), 0);
    await this.#log.recover(visitor, { headState, storedLsn });
  }

  append(entry: LogEntry, apply: (lsn: number) => void): Promise<void> {
    return this.#log.append(entry, apply);
  }

  get lsn(): number {
    return this.#log.lsn;
  }

  get logBytes(): number {
    return this.#log.bytes;
  }

  get failed(): boolean {
    return this.#log.failed;
  }

  get isUnproven(): boolean {
    return this.#log.isUnproven;
  }

  rotateLog(): Promise<void> {
    return this.#log.rotate();
  }

  placeFor({ startMs, lengthMs }: WindowPlace): WindowPlace | undefined {
    for (
      let length: number | undefined = lengthMs;
      length !== undefined && this.#received(length) !== undefined;
      length = this.#tracks.coarser(length)?.lengthMs
    ) {
      if (startMs >= this.#keeping.goneBeforeMs(length)) return windowAround(startMs, length);
    }
    return undefined;
  }

  takes(lengthMs: number): boolean {
    return this.#received(lengthMs) !== undefined;
  }

  storedLsn(window: WindowPlace): number {
    const { startMs, lengthMs } = window;
    const meta = this.segmentMeta(startMs, lengthMs);
    // What went had all its records inside.
    const isGone = meta === undefined && startMs < this.#keeping.goneBeforeMs(lengthMs);
    if (isGone) return Number.POSITIVE_INFINITY;
    return Math.max(meta?.lsn ?? 0, this.#tracks.partOf(window, "received")?.lsn ?? 0);
  }

  async writeSegment(segment: NewSegment): Promise<void> {
    const { summary, windowEndMs, lsn } = segment.meta;
    const startMs = summary.windowStartMs;
    const place = { startMs, lengthMs: windowEndMs - startMs };
    const revisionMin = this.#tracks.partOf(place, "received")?.revision ?? 0;
    await this.#receivedOrThrow(place.lengthMs).write(segment, { revisionMin });
    this.#rollups.note(place);
    this.#log.settle(place, lsn);
  }

  #received(lengthMs: number): Segments | undefined {
    return this.#tracks.find(lengthMs, "received");
  }

  #receivedOrThrow(lengthMs: number): Segments {
    const segments = this.#received(lengthMs);
    if (segments === undefined) throw new Error(`windows of ${lengthMs} ms are not received here`);
    return segments;
  }

  segmentMeta(windowStartMs: number, lengthMs = this.#finestMs): SegmentMeta | undefined {
    return this.#received(lengthMs)?.meta(windowStartMs);
  }

  segmentsNewestFirst(): readonly SegmentMeta[] {
    return this.#receivedOrThrow(this.#finestMs).newestFirst();
  }

  readSegment(windowStartMs: number, lengthMs = this.#finestMs): Promise<Result<StoredWindow>> {
    return this.#receivedOrThrow(lengthMs).read(windowStartMs);
  }

  async maintain(nowMs: number): Promise<void> {
    await this.#rollups.run(nowMs);
    await this.#keeping.run(nowMs);
  }

  windowsOf(range: TimeRange): readonly Covering[] {
    return cover(this.#tracks, range, this.#rollups.unfinished());
  }

  async *scan({ segments, meta }: Covering, prefix: CompositeKey): AsyncGenerator<Cube> {
    for await (const bytes of segments.blocks(placeOf(meta).startMs, { kind: "keys", prefix })) {
      const cells = decodeCells(bytes);
      if (cells.ok) yield cells.value.cube;
      else this.#onDamage(1);
    }
  }

  get levels(): readonly LevelUse[] {
    return this.#tracks.use();
  }

  appendEvents(closing: number, events: readonly UnnumberedEvent[]) {
    return this.events.append(closing, events);
  }

  saveDecider(state: DeciderState): Promise<void> {
    return saveDecider(this.#options.disk, this.#directories.state, state);
  }

  async loadDecider(): Promise<DeciderState | undefined> {
    const { state, corrupt } = await loadDecider(this.#options.disk, this.#directories.state);
    if (corrupt > 0) this.#onDamage(corrupt);
    return state;
  }

  idle(): Promise<void> {
    return this.#log.idle();
  }

  async close(): Promise<void> {
    await this.#log.close();
    await this.events.close();
    await this.#tracks.close();
    await this.#disown();
  }
}
