/**
 * Where records are safe until the collector has them. A record may be sent once it is on disk;
 * where there is no disk, or while the disk refuses, it is kept in memory and sent from there. The
 * disk is tried again every five seconds, and then takes what memory holds.
 *
 * What does not fit is declared lost, oldest first; on disk a file at a time, and the file goes
 * when the declaration is durable. No ledger is kept beside the data that could disagree with it.
 */
import type { Cancel } from "../../base/clock.ts";
import { OperationalError } from "../../base/errors.ts";
import type { Counter } from "../../base/meter.ts";
import { SpoolReading } from "./recover-spool.ts";
import { isHeld, type SpoolEntry } from "./spool-entry.ts";
import { SpoolFiles } from "./spool-files.ts";
import { isShortOfRoom, memoryToGiveUp, recordsToGiveUp } from "./spool-limits.ts";
import type { SpoolOptions } from "./spool-options.ts";

/** What stands between the records of a file. */
interface Note {
  readonly payload: Uint8Array;
  onWritten(isDurable: boolean): void;
}

/** `memory`: there is no directory; `failing`: it does not take what is written. */
export type SpoolState = "disk" | "memory" | "failing";

const segmentBytesMax = 4 * 2 ** 20;
/** A small spool still has some files, to give up one of them. */
const segmentsMin = 8;
const retryMs = 5_000;
const roomEveryMs = 10_000;
/** A file is closed after an hour, so that age is known to the hour. */
const segmentMsMax = 3_600_000;

export class Spool {
  state: SpoolState;
  readonly #options: SpoolOptions;
  readonly #files: SpoolFiles;
  readonly #failures: Counter;
  readonly #corrupt: Counter;
  #isOpen = false;
  #isClosed = false;
  #release: (() => Promise<void>) | undefined;
  #unwritten: (SpoolEntry | Note)[] = [];
  /** Not written, and not to be sent before. */
  readonly #patient = new Set<SpoolEntry>();
  /** The one thing that is being done to the files. */
  #work: Promise<void> | undefined;
  #cancelRetry: Cancel | undefined;
  #isRetryDue = false;
  #isShort = false;
  #roomCheckedMs = Number.NEGATIVE_INFINITY;
  #rolledMs: number;

  constructor(options: SpoolOptions) {
    const { directory, limits, disk, meter, headerOf, clock } = options;
    this.#options = options;
    this.#rolledMs = clock.nowMs();
    this.state = directory === "" ? "memory" : "disk";
    const segmentMax = Math.min(segmentBytesMax, Math.floor(limits.bytesMax / segmentsMin));
    this.#files = new SpoolFiles({ disk, directory, segmentBytesMax: segmentMax, headerOf });
    this.#failures = meter.counter(
      "brunt_agent_spool_failures_total",
      "Times the disk did not take what was written; records are in memory until it does.",
    );
    this.#corrupt = meter.counter(
      "brunt_agent_spool_corrupt_total",
      "Places in spool files that could not be read.",
    );
  }

  get bytes(): number {
    return this.#files.size;
  }

  get segments(): number {
    return this.#files.segments.length;
  }

  /** Reads the directory. @throws OperationalError STORE_LOCKED when another agent has it */
  async open(): Promise<void> {
    if (this.state === "memory" || this.#isOpen || this.#isClosed) return;
    try {
      await this.#open();
    } catch (cause) {
      if (cause instanceof OperationalError && cause.code === "STORE_LOCKED") throw cause;
      this.#fail(cause);
    }
  }

  /** Takes a record, which is sent once it is durable, or held in memory for want of a disk. */
  add(entry: SpoolEntry): void {
    this.#options.queue.add(entry);
    this.#unwritten.push(entry);
    this.#start();
  }

  /** Puts a note between the records; resolves when it is durable, or with false when not. */
  note(payload: Uint8Array): Promise<boolean> {
    if (this.state !== "disk" || !this.#isOpen) return Promise.resolve(false);
    return new Promise((resolve) => {
      this.#unwritten.push({ payload, onWritten: resolve });
      this.#start();
    });
  }

  /** The batch of a record, or undefined when it cannot be read any more. */
  async read(entry: SpoolEntry): Promise<Uint8Array | undefined> {
    if (entry.bytes !== undefined || entry.place === undefined) return entry.bytes;
    try {
      return await this.#files.read(entry.place);
    } catch {
      return undefined;
    }
  }

  /** Gives up what is too much or too old, and removes files nobody needs; every second or so. */
  tidy(): void {
    this.#start();
  }

  /** Resolves when nothing is on its way to the disk. */
  async settled(): Promise<void> {
    while (this.#work !== undefined) await this.#work;
  }

  async close(): Promise<void> {
    this.#cancelRetry?.();
    await this.settled();
    if (this.state === "failing") await this.#retry();
    await this.settled();
    this.#cancelRetry?.();
    this.#isClosed = true;
    await this.#files.roll().catch(() => {});
    await this.#release?.();
  }

  #start(): void {
    if (this.#isClosed) return;
    this.#work ??= this.#workAll().finally(() => {
      this.#work = undefined;
      if (this.#unwritten.length > 0 || this.#isRetryDue) this.#start();
    });
  }

  async #workAll(): Promise<void> {
    if (this.#isRetryDue) await this.#retry();
    while (this.#unwritten.length > 0) {
      const items = this.#unwritten;
      this.#unwritten = [];
      if (this.state === "disk" && this.#isOpen) await this.#write(items);
      else this.#done(items);
    }
    this.#giveUpMemory();
    if (this.state !== "disk" || !this.#isOpen) return;
    try {
      await this.#giveUpFiles();
      await this.#files.removeFinished();
    } catch {
      // Files that stay longer than they have to are no reason to write no others.
      this.#failures.add();
    }
  }

  async #write(items: readonly (SpoolEntry | Note)[]): Promise<void> {
    try {
      await this.#files.append(items.map((item) => (isEntry(item) ? item : item.payload)));
    } catch (cause) {
      this.#fail(cause);
    }
    this.#done(items);
  }

  #done(items: readonly (SpoolEntry | Note)[]): void {
    this.#ready(items.filter(isEntry));
    for (const item of items) if (!isEntry(item)) item.onWritten(this.state === "disk");
  }

  /** What is on disk now, or has to do without, may be sent. */
  #ready(entries: readonly SpoolEntry[]): void {
    const { queue, onReady } = this.#options;
    for (const entry of entries) {
      if (this.#hasToWait(entry)) this.#patient.add(entry);
      else if (entry.state === "writing") queue.move(entry, "waiting");
    }
    if (entries.length > 0) onReady();
    // Who sends has taken the bytes; who comes later reads them again.
    for (const entry of entries) if (entry.place !== undefined) entry.bytes = undefined;
  }

  /**
   * What has a new name may be on disk under its old one, and sent again under that by the next
   * process, unless the disk says that the two are one.
   */
  #hasToWait({ facts, place }: SpoolEntry): boolean {
    return this.state === "failing" && facts.origin !== undefined && place === undefined;
  }

  async #open(): Promise<void> {
    const { disk, directory, queue, onRecovered } = this.#options;
    await disk.makeDirectory(directory);
    this.#release ??= await disk.own(directory);
    const reading = new SpoolReading();
    await this.#files.open((segment) => reading.add(segment));
    this.#isOpen = true;
    this.#corrupt.add(this.#files.corrupt);
    const recovered = reading.finish();
    const entries = this.#files.segments.flatMap((segment) => segment.entries);
    for (const entry of entries) queue.add(entry);
    const spans = entries.filter(isHeld).reduce((sum, { facts }) => sum + facts.spans, 0);
    onRecovered(recovered, spans);
  }

  /** Keeps to memory for now. */
  #fail(cause: unknown): void {
    this.#failures.add();
    const { log, clock, directory } = this.#options;
    if (this.state === "disk") {
      const reason = cause instanceof Error ? cause.message : String(cause);
      log.error("the spool does not take records, they are kept in memory", { directory, reason });
    }
    this.state = "failing";
    if (this.#isClosed) return;
    this.#cancelRetry?.();
    this.#cancelRetry = clock.after(retryMs, () => {
      this.#isRetryDue = true;
      this.#start();
    });
  }

  /** Brings to disk what is in memory. */
  async #retry(): Promise<void> {
    this.#isRetryDue = false;
    if (this.#isClosed || this.state !== "failing") return;
    try {
      if (!this.#isOpen) await this.#open();
      // A file whose sync has failed is not to be trusted with more.
      await this.#files.roll();
      const inMemory = [...this.#options.queue.held()].filter(isInMemory);
      const patient = [...this.#patient];
      await this.#files.append([
        ...inMemory,
        ...patient.filter(({ place }) => place === undefined),
      ]);
      this.state = "disk";
      this.#patient.clear();
      this.#ready([...inMemory, ...patient]);
      this.#options.log.info("the spool takes records again", { records: inMemory.length });
    } catch (cause) {
      this.#fail(cause);
    }
  }

  #giveUpMemory(): void {
    if (this.state === "disk" && this.#isOpen) return;
    const { queue, limits, memoryBytesMax, clock, giveUp } = this.#options;
    const oldestMs = clock.nowMs() - limits.ageMsMax;
    const bounds = { bytesMax: memoryBytesMax, oldestMs };
    const { evicted, expired } = memoryToGiveUp(queue.held(), bounds);
    if (evicted.length > 0) giveUp(evicted, this.state === "failing" ? "disk" : "evicted");
    if (expired.length > 0) giveUp(expired, "expired");
  }

  async #giveUpFiles(): Promise<void> {
    const { disk, directory, limits, clock, giveUp } = this.#options;
    const nowMs = clock.nowMs();
    const isDue = nowMs >= this.#roomCheckedMs + roomEveryMs || nowMs < this.#roomCheckedMs;
    // Nothing is given up for want of room that has come back meanwhile.
    if (isDue || this.#isShort) {
      this.#roomCheckedMs = nowMs;
      this.#isShort = await isShortOfRoom(disk, directory).catch(() => false);
    }
    if (
      nowMs >= this.#rolledMs + segmentMsMax &&
      this.#files.segments.at(-1)?.entries.some(isHeld)
    ) {
      this.#rolledMs = nowMs;
      await this.#files.roll();
    }
    const over = { limits, nowMs, isShortOfRoom: this.#isShort };
    const found = recordsToGiveUp(this.#files.segments, over);
    if (found !== undefined) giveUp(found.entries, found.cause);
  }
}

function isInMemory({ place, state }: SpoolEntry): boolean {
  return place === undefined && state !== "writing";
}

function isEntry(item: SpoolEntry | Note): item is SpoolEntry {
  return !("payload" in item);
}
