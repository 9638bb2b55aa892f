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
import { parseRecord } from "./json-record.ts";
import { findOwnFiles, type NumberedKind, nameOfNumber } from "./own-files.ts";

/** An event before it has its number. */
export type UnnumberedEvent = StreamEvent extends infer Event
  ? Event extends StreamEvent
    ? Omit<Event, "seq">
    : never
  : never;

/** The stream's numbering and its newest events, oldest first. */
export interface EventsView {
  readonly epoch: string;
  readonly nextSeq: number;
  /** The last decision whose events are here. */
  readonly closing: number;
  readonly ring: readonly StreamEvent[];
}

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

const eventFiles: NumberedKind = { prefix: "events-", suffix: ".log" };
/** Events kept in memory, and the least that is kept on disk. */
const ringEventsMax = 4_096;

export class EventsJournal implements EventsView {
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
    const { files, misplaced } = await findOwnFiles(
      this.#disk,
      this.#directory,
      eventFiles,
      async (path) => {
        const content = readEvents((await this.#disk.read(path)) ?? new Uint8Array(0));
        return { number: content.records[0]?.file, content };
      },
    );
    let corrupt = misplaced;
    for (const { content } of files) {
      corrupt += Math.max(content.corrupt, content.isTorn ? 1 : 0);
      const eventsBefore = this.nextSeq;
      for (const record of content.records) this.#take(record);
      this.#eventsInFile = this.nextSeq - eventsBefore;
    }
    const last = files.at(-1);
    if (last === undefined) return corrupt;
    this.#number = last.number;
    // The file before the newest is kept with it.
    if (last.number > 1 && files.at(-2)?.number !== last.number - 1) corrupt++;
    const isEnded = last.content.records.at(-1)?.next !== undefined;
    if (isEnded) corrupt++;
    if (isEnded || last.content.isTorn) await this.#startEpoch();
    else this.#journal = (await openJournal(this.#disk, last.path)).journal;
    return corrupt;
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
    const path = `${this.#directory}/${nameOfNumber(eventFiles, number)}`;
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
    for (const before of await numberedFiles(this.#disk, this.#directory, /^events-(\d+)/)) {
      if (before.number < number - 1) await this.#disk.remove(before.path);
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

interface EventsContent {
  readonly records: readonly JournalRecord[];
  readonly corrupt: number;
  /** The end is no whole record, or nothing of the file is. */
  readonly isTorn: boolean;
}

function readEvents(bytes: Uint8Array): EventsContent {
  const { payloads, corrupt, tailBytes } = scanRecords(bytes);
  const records = payloads
    .map((payload) => parseRecord(payload) as JournalRecord | undefined)
    .filter((record) => record?.epoch !== undefined) as JournalRecord[];
  const isTorn = tailBytes > 0 || (bytes.length > 0 && records.length === 0);
  return { records, corrupt: corrupt + payloads.length - records.length, isTorn };
}
