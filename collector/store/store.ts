/**
 * What the collector needs of its storage, and the embedded implementation on plain files:
 *
 *   log/       accepted batches, until their windows are closed
 *   windows/   one file for each closed window
 *   events/    the numbered events of the stream
 *   decider    the decider's state as of some decision
 *
 * One process owns a directory at a time.
 */
import { deserialize, serialize } from "node:v8";
import type { Disk } from "../../base/disk.ts";
import { writeAtomically } from "../../base/files.ts";
import { frameRecord, scanRecords } from "../../base/records.ts";
import type { Result } from "../../base/result.ts";
import type { StreamEvent } from "../../wire/api-types.ts";
import { BatchLog, type LogEntry, type LogVisitor } from "./batch-log.ts";
import { EventsJournal, type UnnumberedEvent } from "./events-journal.ts";
import type { SegmentMeta } from "./segment-file.ts";
import { type NewSegment, Segments, type StoredWindow } from "./segments.ts";

export interface DeciderState {
  /** The last decision the state includes. */
  readonly closing: number;
  readonly snapshot: unknown;
}

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
  /** Begins a new log file between two groups of batches. */
  rotateLog(): Promise<void>;
  /** Makes a closed window durable and releases its batches. */
  writeSegment(segment: NewSegment): Promise<void>;
  segmentMeta(windowStartMs: number): SegmentMeta | undefined;
  /** The closed windows, newest first. */
  segmentsNewestFirst(): readonly SegmentMeta[];
  readSegment(windowStartMs: number): Promise<Result<StoredWindow>>;
  expireSegments(beforeMs: number): Promise<number>;
  appendEvents(
    closing: number,
    events: readonly UnnumberedEvent[],
  ): Promise<{ readonly events: readonly StreamEvent[]; readonly problem: unknown }>;
  readonly events: EventsView;
  saveDecider(state: DeciderState): Promise<void>;
  /** The state saved last; undefined when there is none or it is damaged. */
  loadDecider(): Promise<DeciderState | undefined>;
  /** Resolves when no batch waits to become durable. */
  idle(): Promise<void>;
  close(): Promise<void>;
}

/** The stream's numbering and its newest events, oldest first. */
export interface EventsView {
  readonly epoch: string;
  readonly nextSeq: number;
  readonly closing: number;
  readonly ring: readonly StreamEvent[];
}

export interface FileStoreOptions {
  readonly directory: string;
  /** The log goes on in a new file from this size. */
  readonly logFileBytesMax?: number;
  readonly disk: Disk;
}

const logFileBytesMaxDefault = 64 * 2 ** 20;

export function createFileStore(options: FileStoreOptions): Store {
  const { directory, disk } = options;
  const directories = {
    log: `${directory}/log`,
    windows: `${directory}/windows`,
    events: `${directory}/events`,
  };
  const deciderPath = `${directory}/decider`;
  const log = new BatchLog({
    directory: directories.log,
    disk,
    generationBytesMax: options.logFileBytesMax ?? logFileBytesMaxDefault,
  });
  let onDamage: (records: number) => void = () => {};
  const segments = new Segments({
    disk,
    directory: directories.windows,
    lengthMs: 10_000,
    source: "received",
    onDamage: (records) => onDamage(records),
  });
  const events = new EventsJournal(directories.events, disk);
  let disown = async (): Promise<void> => {};
  return {
    async recover(visitor, headState) {
      await disk.makeDirectory(directory);
      disown = await disk.own(directory);
      for (const path of Object.values(directories)) await disk.makeDirectory(path);
      await disk.syncDirectory(directory);
      onDamage = (records) => visitor.corrupt(records);
      await segments.recover();
      visitor.corrupt(await events.recover());
      await log.recover(visitor, headState);
    },
    append: (entry, apply) => log.append(entry, apply),
    get lsn() {
      return log.lsn;
    },
    get logBytes() {
      return log.bytes;
    },
    get failed() {
      return log.failed;
    },
    rotateLog: () => log.rotate(),
    async writeSegment(segment) {
      await segments.write(segment);
      await log.settle(segment.meta.summary.windowStartMs, segment.meta.lsn);
    },
    segmentMeta: (windowStartMs) => segments.meta(windowStartMs),
    segmentsNewestFirst: () => segments.newestFirst(),
    readSegment: (windowStartMs) => segments.read(windowStartMs),
    async expireSegments(beforeMs) {
      const old = segments.newestFirst().filter(({ windowEndMs }) => windowEndMs < beforeMs);
      await segments.remove(old.map(({ summary }) => summary.windowStartMs));
      return old.length;
    },
    appendEvents: (closing, unnumbered) => events.append(closing, unnumbered),
    events,
    async saveDecider(state) {
      await writeAtomically(disk, deciderPath, frameRecord(serialize(state)));
    },
    loadDecider: () => loadDecider(disk, deciderPath),
    idle: () => log.idle(),
    async close() {
      await log.close();
      await events.close();
      await segments.close();
      await disown();
    },
  };
}

async function loadDecider(disk: Disk, path: string): Promise<DeciderState | undefined> {
  const bytes = await disk.read(path);
  const payload = bytes === undefined ? undefined : scanRecords(bytes).payloads[0];
  return payload === undefined ? undefined : (deserialize(payload) as DeciderState);
}
