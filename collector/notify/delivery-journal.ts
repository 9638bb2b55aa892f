/**
 * What everybody has been told, on disk: a journal of changes, each of which sets what it names,
 * so that reading them in order gives the state, and reading one twice does no harm.
 *
 * A file opens with the whole state; the next one is begun at a start, after a failed write, and
 * when the changes have outgrown what they change. The file before goes only when the new one is
 * durable.
 *
 * An alert does not wait for a disk: while it refuses, changes are kept in memory alone, which is
 * counted, and the next write begins a new file with all of them.
 */
import type { Disk } from "../../base/disk.ts";
import { numberedFiles } from "../../base/files.ts";
import { createJournal, type Journal } from "../../base/journal.ts";
import type { Log } from "../../base/log.ts";
import type { Meter } from "../../base/meter.ts";
import { scanRecords } from "../../base/records.ts";
import type { HeldAlert } from "./alert-book.ts";

/** The last event that is in the book. */
export interface Cursor {
  readonly epoch: string;
  readonly seq: number;
}

/** How far one notifier is with one alert. */
export interface Mark {
  readonly notifier: string;
  readonly id: string;
  /** Newest revision it has taken as firing; 0 for none. */
  readonly told: number;
  /** Newest revision it has taken or refused. */
  readonly tried: number;
  /** There is nothing more to tell it. */
  readonly done: boolean;
}

/** The message a notifier is about to be sent, or is being sent. */
export interface Plan {
  readonly notifier: string;
  readonly keys: readonly string[];
}

export interface Change {
  /** Forget everything before. */
  readonly whole?: true;
  readonly cursor?: Cursor;
  readonly alerts?: readonly HeldAlert[];
  readonly settled?: readonly string[];
  readonly marks?: readonly Mark[];
  readonly plans?: readonly Plan[];
  /** Ids of the notifiers that the marks are complete for. */
  readonly notifiers?: readonly string[];
}

export interface DeliveryJournalOptions {
  /** Is there. */
  readonly directory: string;
  readonly disk: Disk;
  readonly log: Log;
  readonly meter: Meter;
  /** All there is to know, for the head of a new file. */
  readonly whole: () => Change;
}

const namePattern = /^deliveries-(\d{12})\.log$/;
/** A file is not begun anew for less. */
const fileBytesMin = 4 * 2 ** 20;
/** Bytes of changes for each byte of state before a new file is begun. */
const growthMax = 4;

interface Waiting {
  readonly change: Change;
  readonly done: () => void;
}

export class DeliveryJournal {
  readonly #options: DeliveryJournalOptions;
  #journal: Journal | undefined;
  #number = 0;
  #headBytes = 0;
  #waiting: Waiting[] = [];
  #writing: Promise<void> | undefined;
  #isFailing = false;

  constructor(options: DeliveryJournalOptions) {
    this.#options = options;
  }

  /** The changes stored, oldest first; damaged ones are left out and counted. */
  async recover(): Promise<readonly Change[]> {
    const { directory, disk, meter, log } = this.#options;
    const changes: Change[] = [];
    let damaged = 0;
    for (const { path, number } of await numberedFiles(disk, directory, namePattern)) {
      const { payloads, corrupt } = scanRecords((await disk.read(path)) ?? new Uint8Array(0));
      for (const payload of payloads) {
        changes.push(JSON.parse(Buffer.from(payload).toString("utf8")) as Change);
      }
      damaged += corrupt;
      this.#number = number;
    }
    meter.counter(...damagedRecords).add(damaged);
    if (damaged > 0) log.warn("records of what was delivered are damaged", { records: damaged });
    const start = changes.findLastIndex(({ whole }) => whole === true);
    return changes.slice(Math.max(0, start));
  }

  /** Forgets everything: with nobody to tell, what was told is of no use. */
  async clear(): Promise<void> {
    const { directory, disk } = this.#options;
    for (const { path } of await numberedFiles(disk, directory, namePattern)) {
      await disk.remove(path);
    }
  }

  /** Resolves when the change is durable, or is known not to be; changes stay in order. */
  write(change: Change): Promise<void> {
    return new Promise((done) => {
      this.#waiting.push({ change, done });
      this.#writing ??= this.#writeAll();
    });
  }

  async #writeAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      const group = this.#waiting.splice(0);
      try {
        await this.#append(group.map(({ change }) => change));
        if (this.#isFailing) this.#options.log.info("what is delivered is stored again");
        this.#isFailing = false;
      } catch (cause) {
        this.#options.meter.counter(...storeFailures).add();
        if (!this.#isFailing) {
          this.#options.log.error("what is delivered is not stored", { reason: String(cause) });
        }
        this.#isFailing = true;
      }
      for (const { done } of group) done();
    }
    this.#writing = undefined;
  }

  async #append(changes: readonly Change[]): Promise<void> {
    const journal = this.#journal;
    const bytesMax = Math.max(fileBytesMin, this.#headBytes * growthMax);
    if (journal === undefined || journal.broken || journal.size > bytesMax) await this.#startFile();
    else await journal.append(changes.map(bytesOf));
  }

  /** What waits to be written is in the state already, so the head of the file has it. */
  async #startFile(): Promise<void> {
    const { directory, disk, whole } = this.#options;
    const number = this.#number + 1;
    const path = `${directory}/deliveries-${String(number).padStart(12, "0")}.log`;
    const journal = await createJournal(disk, path, [bytesOf({ ...whole(), whole: true })]);
    await this.#journal?.close();
    this.#journal = journal;
    this.#number = number;
    this.#headBytes = journal.size;
    for (const file of await numberedFiles(disk, directory, namePattern)) {
      if (file.number < number) await disk.remove(file.path);
    }
  }

  async close(): Promise<void> {
    await this.#writing;
    await this.#journal?.close();
    this.#journal = undefined;
  }
}

function bytesOf(change: Change): Uint8Array {
  return Buffer.from(JSON.stringify(change));
}

const damagedRecords = [
  "brunt_notifier_damaged_records_total",
  "stored records of what was delivered that failed their checksum",
] as const;
const storeFailures = [
  "brunt_notifier_store_failures_total",
  "times the disk refused to store what was delivered",
] as const;
