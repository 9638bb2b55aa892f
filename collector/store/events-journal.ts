/**
 * The events of the stream, numbered from 1 without end: the newest in memory to resume from, all
 * of them on disk before anybody sees them, so numbers go on after a restart.
 *
 * The epoch names one unbroken numbering. It changes when the newest file ends in anything but a
 * whole record, or is gone, because a number somebody has seen could otherwise be given out again.
 * Files count by the number inside them, not by their name; each says at its end which one follows.
 */
import { randomUUID } from "node:crypto";
import type { Disk } from "../../base/disk.ts";
import { numberedFiles } from "../../base/files.ts";
import { createJournal, type Journal, openJournal } from "../../base/journal.ts";
import { scanRecords } from "../../base/records.ts";
import type { StreamEvent } from "../../wire/api-types.ts";

/** An event before it has its number. */
export type UnnumberedEvent = StreamEvent extends infer Event
  ? Event extends StreamEvent
    ? Omit<Event, "seq">
    : never
  : never;

interface JournalRecord {
  /** The file's own number. */
  readonly file: number;
  /** At the end of a file: the one that follows. */
  readonly next?: number;
  readonly epoch: string;
  readonly nextSeq: number;
  /** The decision these events came from. */
  readonly closing: number;
  readonly events: readonly StreamEvent[];
}

const namePattern = /^events-(\d{12})\.log$/;
/** Events kept in memory, and the least that is kept on disk. */
const ringEventsMax = 4_096;

export class EventsJournal {
  readonly #directory: string;
  readonly #disk: Disk;
  #journal: Journal | undefined;
  #number = 0;
  #eventsInFile = 0;
  #ring: StreamEvent[] = [];
  epoch: string = randomUUID();
  nextSeq = 1;
  /** The last decision whose events are here. */
  closing = 0;

  constructor(directory: string, disk: Disk) {
    this.#directory = directory;
    this.#disk = disk;
  }

  /** The newest events, oldest first; numbers may be missing where a record was lost. */
  get ring(): readonly StreamEvent[] {
    return this.#ring;
  }

  /** Reads what is stored; gives how many records are damaged or files missing. */
  async recover(): Promise<number> {
    let corrupt = 0;
    const files = await this.#files();
    for (const [index, file] of files.entries()) {
      corrupt += file.corrupt + (file.number === file.named ? 0 : 1);
      const eventsBefore = this.nextSeq;
      for (const record of file.records) this.#take(record);
      this.#eventsInFile = this.nextSeq - eventsBefore;
      const following = files[index + 1];
      const next = file.records.at(-1)?.next;
      if (following === undefined ? next !== undefined : following.number !== file.number + 1) {
        corrupt++;
      }
    }
    const last = files.at(-1);
    if (last === undefined) return corrupt;
    this.#number = Math.max(...files.flatMap(({ number, named }) => [number, named]));
    const isWhole = !last.isTorn && last.records.at(-1)?.next === undefined;
    if (isWhole && last.number === last.named) {
      this.#journal = (await openJournal(this.#disk, last.path)).journal;
    } else if (!isWhole) await this.#startEpoch();
    return corrupt;
  }

  /** In the order they were written in; copies are left out. */
  async #files(): Promise<readonly EventsFile[]> {
    const files = new Map<number, EventsFile>();
    for (const { path, number } of await numberedFiles(this.#disk, this.#directory, namePattern)) {
      const file = readFile(path, number, (await this.#disk.read(path)) ?? new Uint8Array(0));
      if (!files.has(file.number)) files.set(file.number, file);
    }
    return [...files.values()].sort((a, b) => a.number - b.number);
  }

  #take(record: JournalRecord): void {
    if (record.epoch !== this.epoch) this.#ring = [];
    this.epoch = record.epoch;
    this.nextSeq = record.nextSeq;
    this.closing = Math.max(this.closing, record.closing);
    this.#keep(record.events);
  }

  async #startEpoch(): Promise<void> {
    this.epoch = randomUUID();
    this.#ring = [];
    await this.#startFile();
  }

  /**
   * Numbers the events of one decision and gives them back. They are durable, unless the disk
   * refuses them: then they are given all the same, because an alert must not wait for a disk.
   */
  async append(
    closing: number,
    events: readonly UnnumberedEvent[],
  ): Promise<{ readonly events: readonly StreamEvent[]; readonly problem: unknown }> {
    const numbered = events.map((event, index) => ({ ...event, seq: this.nextSeq + index }));
    this.nextSeq += events.length;
    this.closing = Math.max(this.closing, closing);
    this.#keep(numbered);
    try {
      await this.#write(numbered);
      return { events: numbered, problem: undefined };
    } catch (problem) {
      return { events: numbered, problem };
    }
  }

  async #write(events: readonly StreamEvent[]): Promise<void> {
    const full = this.#eventsInFile >= ringEventsMax;
    if (this.#journal === undefined || this.#journal.broken || full) {
      await this.#startFile();
    }
    await (this.#journal as Journal).append([this.#encode({ events })]);
    this.#eventsInFile += events.length;
  }

  /** A new file opens with the numbering so far; the file before it is kept, older ones go. */
  async #startFile(): Promise<void> {
    const number = this.#number + 1;
    const path = `${this.#directory}/events-${String(number).padStart(12, "0")}.log`;
    const journal = await createJournal(this.#disk, path, [this.#encode({ file: number })]);
    const before = this.#journal;
    if (before?.broken === false) {
      const end = this.#encode({ file: this.#number, next: number });
      await before.append([end]).catch(() => undefined);
    }
    await before?.close();
    this.#journal = journal;
    this.#number = number;
    this.#eventsInFile = 0;
    for (const file of await numberedFiles(this.#disk, this.#directory, namePattern)) {
      if (file.number < number - 1) await this.#disk.remove(file.path);
    }
  }

  #encode(record: Partial<JournalRecord>): Uint8Array {
    const { epoch, nextSeq, closing } = this;
    const whole = { file: this.#number, epoch, nextSeq, closing, events: [], ...record };
    return Buffer.from(JSON.stringify(whole));
  }

  #keep(events: readonly StreamEvent[]): void {
    this.#ring.push(...events);
    if (this.#ring.length > ringEventsMax) this.#ring = this.#ring.slice(-ringEventsMax);
  }

  async close(): Promise<void> {
    await this.#journal?.close();
    this.#journal = undefined;
  }
}

interface EventsFile {
  readonly path: string;
  /** By its content, and by its name. */
  readonly number: number;
  readonly named: number;
  readonly records: readonly JournalRecord[];
  readonly corrupt: number;
  readonly isTorn: boolean;
}

function readFile(path: string, named: number, bytes: Uint8Array): EventsFile {
  const { payloads, corrupt, tailBytes } = scanRecords(bytes);
  const records = payloads.map(
    (payload) => JSON.parse(Buffer.from(payload).toString("utf8")) as JournalRecord,
  );
  const number = records[0]?.file ?? named;
  return { path, number, named, records, corrupt, isTorn: tailBytes > 0 };
}
