/**
 * The segment files of a spool, `<number>.spool` with ascending numbers. Records are appended to the
 * newest; what `append` resolved for survives a power cut. A file whose write or sync has failed is
 * never written to again. Files go oldest first, each removal durable before the next, and the
 * newest never does: it holds the numbers of the stream.
 */
import type { Disk } from "../../base/disk.ts";
import { numberedFiles } from "../../base/files.ts";
import { createJournal, type Journal, openJournal } from "../../base/journal.ts";
import { payloadAt, recordHeaderSize, type Scan, scanRecords } from "../../base/records.ts";
import type { ScannedSegment } from "./recover-spool.ts";
import { type EntryPlace, isFinished, type SpoolEntry } from "./spool-entry.ts";
import { decodeSpoolPayload, encodeSpoolRecord } from "./spool-record.ts";

export interface SpoolFilesOptions {
  readonly disk: Disk;
  readonly directory: string;
  /** Of one file, a little more or less. */
  readonly segmentBytesMax: number;
  /** The first payload of a new file; `previous` is in the file before. */
  headerOf(previous: readonly SpoolEntry[]): Uint8Array;
}

export interface Segment {
  readonly path: string;
  readonly number: number;
  size: number;
  readonly entries: SpoolEntry[];
}

const spoolFilePattern = /^(\d{1,15})\.spool$/;

export class SpoolFiles {
  readonly #options: SpoolFilesOptions;
  readonly #segments: Segment[] = [];
  #journal: Journal | undefined;
  #nextNumber = 1;
  /** Records that were skipped as damaged. */
  corrupt = 0;

  constructor(options: SpoolFilesOptions) {
    this.#options = options;
  }

  /** Oldest first. */
  get segments(): readonly Segment[] {
    return this.#segments;
  }

  get size(): number {
    return this.#segments.reduce((sum, { size }) => sum + size, 0);
  }

  /**
   * Reads what there is, file by file, and cuts the torn tail of the newest, which is appended to.
   * `take` gives the records that a file counts for.
   */
  async open(take: (segment: ScannedSegment) => SpoolEntry[]): Promise<void> {
    const { disk, directory } = this.#options;
    // A process killed between making a file and syncing its name leaves one that is there for now.
    await disk.syncDirectory(directory);
    const files = await numberedFiles(disk, directory, spoolFilePattern);
    for (const { path, number } of files) {
      this.#nextNumber = number + 1;
      const { scan, size } = await this.#scan(path, { isNewest: number === files.at(-1)?.number });
      this.corrupt += scan.corrupt;
      const { payloads, offsets } = scan;
      const entries = take({ path, payloads, offsets });
      this.#segments.push({ path, number, size, entries });
    }
  }

  /** Makes records and marks durable, in a new file where the newest is full. */
  async append(items: readonly (SpoolEntry | Uint8Array)[]): Promise<void> {
    let group: (SpoolEntry | Uint8Array)[] = [];
    let size = 0;
    for (const item of items) {
      const itemSize = item instanceof Uint8Array ? item.length : item.size;
      if (group.length > 0 && size + itemSize > this.#options.segmentBytesMax) {
        await this.#appendGroup(group);
        group = [];
        size = 0;
      }
      group.push(item);
      size += itemSize;
    }
    if (group.length > 0) await this.#appendGroup(group);
  }

  /** The next record begins a new file. */
  async roll(): Promise<void> {
    const journal = this.#journal;
    this.#journal = undefined;
    await journal?.close();
  }

  /** The batch at a place, or undefined when it cannot be read any more. */
  async read(place: EntryPlace): Promise<Uint8Array | undefined> {
    const { path, position, size } = place;
    const bytes = await this.#options.disk.read(path, { position, size });
    const payload = bytes === undefined ? undefined : payloadAt(bytes, 0);
    const decoded = payload === undefined ? undefined : decodeSpoolPayload(payload);
    return decoded?.type === "record" ? decoded.batch : undefined;
  }

  /** Removes the oldest files, as long as nobody needs what is in them. */
  async removeFinished(): Promise<void> {
    const { disk, directory } = this.#options;
    for (;;) {
      const oldest = this.#segments[0];
      // The newest records have the numbers of the stream; a file may have notes alone.
      if (!this.#segments.slice(1).some(({ entries }) => entries.length > 0)) return;
      if (oldest === undefined || !oldest.entries.every(isFinished)) return;
      await disk.remove(oldest.path);
      await disk.syncDirectory(directory);
      this.#segments.shift();
    }
  }

  async close(): Promise<void> {
    await this.roll();
  }

  async #scan(
    path: string,
    { isNewest }: { readonly isNewest: boolean },
  ): Promise<{ scan: Scan; size: number }> {
    const { disk } = this.#options;
    let bytes: Uint8Array = new Uint8Array(0);
    let unreadable = 0;
    try {
      bytes = (await disk.read(path)) ?? bytes;
    } catch {
      // A file that cannot be read is as good as damaged, and must not stop the start.
      unreadable = 1;
    }
    const scan = scanRecords(bytes);
    // What is there counts, also where nothing can be written behind it: that goes to a new file.
    if (isNewest) {
      this.#journal = await openJournal(disk, path).then(({ journal }) => journal, noJournal);
    }
    const size = this.#journal?.size ?? bytes.length;
    return { scan: { ...scan, corrupt: scan.corrupt + unreadable }, size };
  }

  async #appendGroup(group: readonly (SpoolEntry | Uint8Array)[]): Promise<void> {
    // What was acknowledged meanwhile needs no disk any more.
    const items = group.filter((item) => item instanceof Uint8Array || item.bytes !== undefined);
    if (items.length === 0) return;
    const payloads = items.map(payloadOf);
    const size = payloads.reduce((sum, { length }) => sum + recordHeaderSize + length, 0);
    const newest = this.#segments.at(-1);
    const isFull = newest !== undefined && newest.size + size > this.#options.segmentBytesMax;
    if (this.#journal === undefined || this.#journal.broken || isFull) {
      await this.#appendToNew(items, payloads);
      return;
    }
    const segment = newest as Segment;
    const position = this.#journal.size;
    await this.#journal.append(payloads);
    this.#file(segment, { items, payloads, position });
  }

  async #appendToNew(
    items: readonly (SpoolEntry | Uint8Array)[],
    payloads: readonly Uint8Array[],
  ): Promise<void> {
    const { disk, directory, headerOf } = this.#options;
    const before = this.#journal;
    this.#journal = undefined;
    await before?.close().catch(() => {});
    const number = this.#nextNumber++;
    const path = `${directory}/${number}.spool`;
    const header = headerOf(this.#segments.at(-1)?.entries ?? []);
    try {
      this.#journal = await createJournal(disk, path, [header, ...payloads]);
    } catch (cause) {
      // What was written of it would be found again, but may be gone after a power cut.
      await disk.remove(path).catch(() => {});
      throw cause;
    }
    const segment: Segment = { path, number, size: 0, entries: [] };
    this.#segments.push(segment);
    this.#file(segment, { items, payloads, position: recordHeaderSize + header.length });
  }

  /** Notes where everything has come to lie. */
  #file(
    segment: Segment,
    written: {
      readonly items: readonly (SpoolEntry | Uint8Array)[];
      readonly payloads: readonly Uint8Array[];
      readonly position: number;
    },
  ): void {
    let { position } = written;
    for (const [index, item] of written.items.entries()) {
      const size = recordHeaderSize + (written.payloads[index] as Uint8Array).length;
      if (!(item instanceof Uint8Array)) {
        item.place = { path: segment.path, position, size };
        segment.entries.push(item);
      }
      position += size;
    }
    segment.size = position;
  }
}

function noJournal(): undefined {}

function payloadOf(item: SpoolEntry | Uint8Array): Uint8Array {
  if (item instanceof Uint8Array) return item;
  return encodeSpoolRecord({ ...item.facts, isBlind: item.isBlind }, item.bytes as Uint8Array);
}
