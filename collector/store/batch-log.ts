/**
 * The log of accepted batches: what open windows and dedupe state are rebuilt from.
 *
 * Files are generations; `log-generation.ts` says what is in one. A batch record carries a log
 * sequence number (lsn). Records are applied to memory in lsn order, each only once it is durable;
 * a window's segment names the lsn up to which it holds the window's records, so replay after a
 * crash applies each of them exactly once. A generation is deleted once every window it holds is
 * in a segment, oldest first; the newest before the current one stays, for it has what is needed
 * should the current one lose its head.
 *
 * After a failed write the log goes on in a new generation, which voids the records the failed
 * write may have left behind.
 */
import type { Disk } from "../../base/disk.ts";
import { storeWriteError } from "../../base/files.ts";
import { createJournal, type Journal } from "../../base/journal.ts";
import type { WindowPlace } from "./levels.ts";
import {
  encodeBatch,
  encodeEnd,
  encodePreamble,
  encodeState,
  findGenerations,
  type GenerationContents,
  type GenerationFile,
  isFollowed,
  type LogEntry,
  type LoggedBatch,
  logFiles,
  readGeneration,
} from "./log-generation.ts";
import { nameOfNumber } from "./own-files.ts";

export interface LogVisitor {
  /** The dedupe state up to here, replacing whatever was visited before. */
  head(state: Uint8Array): void;
  /** Gives the window for which the batch still waits to be stored, or undefined. */
  batch(batch: LoggedBatch): WindowPlace | undefined;
  corrupt(records: number): void;
}

interface Generation {
  readonly number: number;
  readonly path: string;
  size: number;
  /** The last lsn of each window that is not yet in a segment, by its name. */
  readonly unsettled: Map<string, number>;
}

interface Waiting {
  readonly entry: LogEntry;
  readonly apply: (lsn: number) => void;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

export interface BatchLogOptions {
  readonly directory: string;
  readonly disk: Disk;
  readonly generationBytesMax: number;
}

const groupRecordsMax = 64;

export class BatchLog {
  readonly #options: BatchLogOptions;
  #headState: () => Uint8Array = () => new Uint8Array(0);
  #generations: Generation[] = [];
  #journal: Journal | undefined;
  #lsn = 0;
  /** Given to a record of a write that failed, or to an applied one. */
  #lsnUsed = 0;
  #rotationWanted = false;
  /** A generation was begun, not finished: its head may be on disk, so only it may follow. */
  #generationBegun = false;
  #waiting: Waiting[] = [];
  /** Records of each window that wait to be written, by its name. */
  readonly #coming = new Map<string, number>();
  #running: Promise<void> | undefined;
  #failed = false;

  constructor(options: BatchLogOptions) {
    this.#options = options;
  }

  /** The last lsn that is durable and applied. */
  get lsn(): number {
    return this.#lsn;
  }

  get bytes(): number {
    return this.#generations.reduce((sum, generation) => sum + generation.size, 0);
  }

  /** The last write failed; the next append tries a new file. */
  get failed(): boolean {
    return this.#failed;
  }

  /**
   * Visits everything stored, in order, one generation in memory at a time, then starts a new one
   * headed by `headState()`. Stored windows hold records up to `storedLsn`.
   */
  async recover(
    visitor: LogVisitor,
    { headState, storedLsn }: { headState: () => Uint8Array; storedLsn: number },
  ): Promise<void> {
    this.#headState = headState;
    const { disk, directory } = this.#options;
    const { files, misplaced } = await findGenerations(disk, directory);
    visitor.corrupt(misplaced + goneFromHead(files));
    for (const [index, file] of files.entries()) {
      const contents = await readGeneration(disk, file.path);
      const following = files[index + 1];
      const validLsn = following?.content?.validLsn;
      this.#visit(file, contents, validLsn, visitor);
      const cutOff = Math.max(0, (validLsn ?? 0) - this.#lsn);
      const isAlone = !isFollowed(file, contents, following);
      visitor.corrupt(Math.max(contents.damaged, cutOff) + (isAlone ? 1 : 0));
    }
    if (this.#lsn < storedLsn) visitor.corrupt(1);
    // A number that a stored window counts as inside must not be given out again.
    this.#lsn = Math.max(this.#lsn, storedLsn);
    this.#lsnUsed = Math.max(this.#lsnUsed, this.#lsn);
    try {
      await this.#startGeneration();
    } catch {
      // Who cannot write yet can still answer; the next append tries again.
      this.#failed = true;
    }
  }

  #visit(
    file: GenerationFile,
    contents: GenerationContents,
    validToLsn: number | undefined,
    visitor: LogVisitor,
  ): void {
    const unsettled = new Map<string, number>();
    this.#generations.push({ ...file, size: contents.size, unsettled });
    if (contents.state !== undefined) visitor.head(contents.state);
    this.#lsn = Math.max(this.#lsn, contents.preamble?.validLsn ?? 0);
    for (const batch of contents.batches) {
      this.#lsnUsed = Math.max(this.#lsnUsed, batch.lsn);
      if (batch.lsn > (validToLsn ?? Number.POSITIVE_INFINITY)) continue;
      this.#lsn = Math.max(this.#lsn, batch.lsn);
      const window = visitor.batch(batch);
      if (window !== undefined) unsettled.set(nameOf(window), batch.lsn);
    }
  }

  /** Makes a batch durable, then applies it; resolves after that. @throws STORE_WRITE */
  append(entry: LogEntry, apply: (lsn: number) => void): Promise<void> {
    const { window } = entry;
    if (window !== undefined) this.#countComing(nameOf(window), 1);
    const written = new Promise<void>((resolve, reject) => {
      this.#waiting.push({ entry, apply, resolve, reject });
      this.#running ??= this.#run();
    });
    return written.finally(() => {
      if (window !== undefined) this.#countComing(nameOf(window), -1);
    });
  }

  #countComing(name: string, change: number): void {
    const count = (this.#coming.get(name) ?? 0) + change;
    if (count > 0) this.#coming.set(name, count);
    else this.#coming.delete(name);
  }

  /** Every record of the window up to `lsn` is in a durable segment. */
  settle(window: WindowPlace, lsn: number): void {
    const name = nameOf(window);
    for (const { unsettled } of this.#generations) {
      if ((unsettled.get(name) ?? Number.POSITIVE_INFINITY) <= lsn) unsettled.delete(name);
    }
  }

  /** Whether records of the window are in no segment yet. */
  holds(window: WindowPlace): boolean {
    const name = nameOf(window);
    if (this.#coming.has(name)) return true;
    return this.#generations.some(({ unsettled }) => unsettled.has(name));
  }

  /** Starts a new generation between two groups, and drops the ones nothing needs. */
  async rotate(): Promise<void> {
    this.#rotationWanted = true;
    this.#running ??= this.#run();
    await this.#running;
  }

  /** Resolves when nothing waits to be written. */
  async idle(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  async close(): Promise<void> {
    await this.idle();
    await this.#journal?.close();
    this.#journal = undefined;
  }

  async #run(): Promise<void> {
    // Let everything that arrived in this turn of the event loop share one sync.
    await Promise.resolve();
    while (this.#waiting.length > 0 || this.#rotationWanted) {
      const group = this.#waiting.splice(0, groupRecordsMax);
      try {
        await this.#ensureGeneration();
        if (group.length > 0) await this.#commit(group);
      } catch (cause) {
        this.#failed = true;
        this.#rotationWanted = false;
        for (const { reject } of group) reject(storeWriteError("the batch log", cause));
      }
    }
    this.#running = undefined;
  }

  async #commit(group: readonly Waiting[]): Promise<void> {
    const journal = this.#journal as Journal;
    const generation = this.#generations.at(-1) as Generation;
    const first = this.#lsnUsed + 1;
    this.#lsnUsed += group.length;
    await journal.append(group.map(({ entry }, index) => encodeBatch(first + index, entry)));
    this.#failed = false;
    generation.size = journal.size;
    for (const [index, { entry, apply, resolve, reject }] of group.entries()) {
      this.#lsn = first + index;
      if (entry.window !== undefined) {
        generation.unsettled.set(nameOf(entry.window), this.#lsn);
      }
      try {
        apply(this.#lsn);
        resolve();
      } catch (cause) {
        reject(cause as Error);
      }
    }
  }

  async #ensureGeneration(): Promise<void> {
    const journal = this.#journal;
    const full = (journal?.size ?? 0) >= this.#options.generationBytesMax;
    const wanted = this.#rotationWanted || this.#generationBegun;
    if (journal !== undefined && !journal.broken && !full && !wanted) return;
    this.#rotationWanted = false;
    await this.#startGeneration();
  }

  /** Starts the next file, which says from where on files are needed; older ones go then. */
  async #startGeneration(): Promise<void> {
    const { disk, directory } = this.#options;
    const generation = (this.#generations.at(-1)?.number ?? 0) + 1;
    const path = `${directory}/${nameOfNumber(logFiles, generation)}`;
    const isNeeded = this.#generations.findIndex(({ unsettled }) => unsettled.size > 0);
    // The newest before this one stays in any case.
    const last = Math.max(0, this.#generations.length - 1);
    const needed = isNeeded < 0 ? last : Math.min(isNeeded, last);
    const oldest = this.#generations[needed]?.number ?? generation;
    const [validLsn, firstLsn] = [this.#lsn, this.#lsnUsed + 1];
    const preamble = encodePreamble({ generation, oldest, validLsn, firstLsn });
    const state = encodeState(this.#headState());
    this.#generationBegun = true;
    const journal = await createJournal(disk, path, [preamble, preamble, state, state]);
    this.#generationBegun = false;
    await this.#endGeneration(generation);
    this.#journal = journal;
    const size = journal.size;
    this.#generations.push({ number: generation, path, size, unsettled: new Map() });
    for (const { path: settled } of this.#generations.splice(0, needed)) {
      await disk.remove(settled);
    }
  }

  /** Says in the current file which one follows, so that its loss would be noticed. */
  async #endGeneration(next: number): Promise<void> {
    const journal = this.#journal;
    if (journal === undefined) return;
    if (!journal.broken) await journal.append([encodeEnd(next)]).catch(() => undefined);
    await journal.close();
    this.#journal = undefined;
  }
}

/** How many of the oldest files that are needed are not there. */
function goneFromHead(files: readonly GenerationFile[]): number {
  const preamble = files.findLast(({ content }) => content !== undefined)?.content;
  const first = files[0]?.number ?? 0;
  return preamble === undefined ? 0 : Math.max(0, first - preamble.oldest);
}

function nameOf({ startMs, lengthMs }: WindowPlace): string {
  return `${lengthMs}/${startMs}`;
}
