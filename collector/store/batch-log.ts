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
 *
 * What a killed process wrote last, and did not sync or synced in vain, is read like any other and
 * may be gone after a power cut: it is written again at a start, and nothing acknowledged before.
 */
import type { Disk } from "../../base/disk.ts";
import { storeWriteError } from "../../base/files.ts";
import { createJournalWhole, type Journal } from "../../base/journal.ts";
import { type Generation, Generations, nameOfWindow } from "./generations.ts";
import type { WindowPlace } from "./levels.ts";
import {
  encodeBatch,
  encodeBeginning,
  encodeEnd,
  findGenerations,
  type GenerationContents,
  type GenerationFile,
  goneFromHead,
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

interface Waiting {
  readonly entry: LogEntry;
  readonly apply: (lsn: number) => void;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** The newest records found at a start, and what was before them. */
interface Unproven {
  readonly validLsn: number;
  readonly state: Uint8Array;
  readonly batches: readonly LoggedBatch[];
}

export interface BatchLogOptions {
  readonly directory: string;
  readonly disk: Disk;
  readonly generationBytesMax: number;
}

/** Written and synced at one time, so no more than these can have been written in vain. */
const groupRecordsMax = 64;

export class BatchLog {
  readonly #options: BatchLogOptions;
  #headState: () => Uint8Array = () => new Uint8Array(0);
  readonly #generations = new Generations();
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
  #unproven: Unproven | undefined;

  constructor(options: BatchLogOptions) {
    this.#options = options;
  }

  /** The last lsn that is durable and applied. */
  get lsn(): number {
    return this.#lsn;
  }

  get bytes(): number {
    return this.#generations.bytes;
  }

  /** The last write failed; the next append tries a new file. */
  get failed(): boolean {
    return this.#failed;
  }

  /** What was found at the start may not survive a power cut. */
  get isUnproven(): boolean {
    return this.#unproven !== undefined;
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
    // A file that is there may lack a durable name, and what it voids must stay void.
    await disk.syncDirectory(directory);
    const { files, misplaced } = await findGenerations(disk, directory);
    visitor.corrupt(misplaced + goneFromHead(files));
    const newest = files.findLastIndex(({ content }) => content !== undefined);
    for (const [index, file] of files.entries()) {
      const contents = await readGeneration(disk, file.path);
      const { length } = contents.batches;
      const provenCount = index === newest ? Math.max(0, length - groupRecordsMax) : length;
      const following = files[index + 1];
      const validLsn = following?.content?.validLsn;
      this.#visit(file, { ...contents, provenCount }, validLsn, visitor);
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
    contents: GenerationContents & { readonly provenCount: number },
    validToLsn: number | undefined,
    visitor: LogVisitor,
  ): void {
    const unsettled = new Map<string, number>();
    this.#generations.add({ ...file, size: contents.size, unsettled });
    if (contents.state !== undefined) visitor.head(contents.state);
    this.#lsn = Math.max(this.#lsn, contents.preamble?.validLsn ?? 0);
    for (const [index, batch] of contents.batches.entries()) {
      if (index === contents.provenCount) {
        const batches = contents.batches.slice(index);
        this.#unproven = { validLsn: this.#lsn, state: this.#headState(), batches };
      }
      this.#lsnUsed = Math.max(this.#lsnUsed, batch.lsn);
      if (batch.lsn > (validToLsn ?? Number.POSITIVE_INFINITY)) continue;
      this.#lsn = Math.max(this.#lsn, batch.lsn);
      const window = visitor.batch(batch);
      if (window !== undefined) unsettled.set(nameOfWindow(window), batch.lsn);
    }
  }

  /** Makes a batch durable, then applies it; resolves after that. @throws STORE_WRITE */
  append(entry: LogEntry, apply: (lsn: number) => void): Promise<void> {
    const { window } = entry;
    if (window !== undefined) this.#countComing(nameOfWindow(window), 1);
    const written = new Promise<void>((resolve, reject) => {
      this.#waiting.push({ entry, apply, resolve, reject });
      this.#running ??= this.#run();
    });
    return written.finally(() => {
      if (window !== undefined) this.#countComing(nameOfWindow(window), -1);
    });
  }

  #countComing(name: string, change: number): void {
    const count = (this.#coming.get(name) ?? 0) + change;
    if (count > 0) this.#coming.set(name, count);
    else this.#coming.delete(name);
  }

  /** Every record of the window up to `lsn` is in a durable segment. */
  settle(window: WindowPlace, lsn: number): void {
    this.#generations.settle(window, lsn);
  }

  /** Whether records of the window are in no segment yet. */
  holds(window: WindowPlace): boolean {
    return this.#coming.has(nameOfWindow(window)) || this.#generations.holds(window);
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
    const generation = this.#generations.newest as Generation;
    const first = this.#lsnUsed + 1;
    this.#lsnUsed += group.length;
    await journal.append(group.map(({ entry }, index) => encodeBatch(first + index, entry)));
    this.#failed = false;
    generation.size = journal.size;
    for (const [index, { entry, apply, resolve, reject }] of group.entries()) {
      this.#lsn = first + index;
      if (entry.window !== undefined) {
        generation.unsettled.set(nameOfWindow(entry.window), this.#lsn);
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
    const before = this.#generations.newest;
    const generation = (before?.number ?? 0) + 1;
    const path = `${directory}/${nameOfNumber(logFiles, generation)}`;
    // The newest before this one stays in any case.
    const oldest = this.#generations.oldestNeeded?.number ?? generation;
    const again = this.#unproven?.batches ?? [];
    const validLsn = this.#unproven?.validLsn ?? this.#lsn;
    const firstLsn = again[0]?.lsn ?? this.#lsnUsed + 1;
    const preamble = { generation, oldest, validLsn, firstLsn };
    const state = this.#unproven?.state ?? this.#headState();
    this.#generationBegun = true;
    const beginning = encodeBeginning({ preamble, state, again });
    const journal = await createJournalWhole(disk, path, beginning);
    this.#generationBegun = false;
    this.#unproven = undefined;
    await this.#endGeneration(generation);
    this.#journal = journal;
    const size = journal.size;
    const unsettled = [...(before?.unsettled ?? [])].filter(([, lsn]) => lsn >= firstLsn);
    this.#generations.add({ number: generation, path, size, unsettled: new Map(unsettled) });
    for (const settled of this.#generations.takeBefore(oldest)) await disk.remove(settled.path);
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
