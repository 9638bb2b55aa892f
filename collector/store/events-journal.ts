/**
 * The events of the stream, numbered from 1 without end: the newest in memory to resume from, all
 * of them on disk before anybody sees them, so numbers go on after a restart.
 *
 * The epoch names one unbroken numbering. It changes when the file ends in anything but a whole
 * record, because a number somebody has seen could otherwise be given out again.
 */
import { randomUUID } from "node:crypto";
import type { Disk } from "../../base/disk.ts";
import { numberedFiles } from "../../base/files.ts";
import { createJournal, type Journal, openJournal } from "../../base/journal.ts";
import type { StreamEvent } from "../../wire/api-types.ts";

/** An event before it has its number. */
export type UnnumberedEvent = StreamEvent extends infer Event
  ? Event extends StreamEvent
    ? Omit<Event, "seq">
    : never
  : never;

interface JournalRecord {
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

  /** Reads what is stored; gives how many records are damaged. */
  async recover(): Promise<number> {
    let corrupt = 0;
    const files = await numberedFiles(this.#disk, this.#directory, namePattern);
    for (const [index, { path, number }] of files.entries()) {
      const { journal, scan } = await openJournal(this.#disk, path);
      corrupt += scan.corrupt;
      const eventsBefore = this.nextSeq;
      for (const payload of scan.payloads) this.#take(payload);
      if (index < files.length - 1) {
        await journal.close();
        continue;
      }
      this.#journal = journal;
      this.#number = number;
      this.#eventsInFile = this.nextSeq - eventsBefore;
      if (scan.tailBytes > 0) await this.#startEpoch();
    }
    return corrupt;
  }

  #take(payload: Uint8Array): void {
    const record = JSON.parse(Buffer.from(payload).toString("utf8")) as JournalRecord;
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
    await (this.#journal as Journal).append([this.#encode(events)]);
    this.#eventsInFile += events.length;
  }

  /** A new file opens with the numbering so far; the file before it is kept, older ones go. */
  async #startFile(): Promise<void> {
    const number = this.#number + 1;
    const path = `${this.#directory}/events-${String(number).padStart(12, "0")}.log`;
    const journal = await createJournal(this.#disk, path, [this.#encode([])]);
    await this.#journal?.close();
    this.#journal = journal;
    this.#number = number;
    this.#eventsInFile = 0;
    for (const file of await numberedFiles(this.#disk, this.#directory, namePattern)) {
      if (file.number < number - 1) await this.#disk.remove(file.path);
    }
  }

  #encode(events: readonly StreamEvent[]): Uint8Array {
    const { epoch, nextSeq, closing } = this;
    const record: JournalRecord = { epoch, nextSeq, closing, events };
    return Buffer.from(JSON.stringify(record));
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
