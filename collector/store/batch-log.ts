/**
 * The log of accepted batches: what open windows and dedupe state are rebuilt from.
 *
 * Files are generations. Each opens with a head, written twice so that one damaged record does not
 * take it: the dedupe state after every earlier record. A batch record carries a log sequence
 * number (lsn). Records are applied to memory in lsn order, each only once it is durable; a
 * window's segment names the lsn up to which it holds the window's records, so replay after a
 * crash applies each of them exactly once. A generation is deleted once every window it holds is
 * in a segment, oldest first.
 *
 * After a failed write the log goes on in a new generation whose head voids the records the
 * failed write may have left behind: those above the head's lsn in earlier generations.
 */
import { createByteReader, createByteWriter } from "../../base/bytes.ts";
import type { Disk } from "../../base/disk.ts";
import { numberedFiles, storeWriteError } from "../../base/files.ts";
import { createJournal, type Journal } from "../../base/journal.ts";
import { scanRecords } from "../../base/records.ts";

export interface LogEntry {
  readonly bytes: Uint8Array;
  readonly receivedMs: number;
  /** The window the batch adds to; undefined when it adds to none. */
  readonly windowStartMs: number | undefined;
}

export interface LoggedBatch extends LogEntry {
  readonly lsn: number;
}

export interface LogVisitor {
  /** The dedupe state up to here, replacing whatever was visited before. */
  head(state: Uint8Array): void;
  /** Gives the window the batch adds to, or undefined. */
  batch(batch: Omit<LoggedBatch, "windowStartMs">): number | undefined;
  corrupt(records: number): void;
}

interface Generation {
  readonly number: number;
  readonly path: string;
  size: number;
  /** The last lsn of each window that is not yet in a segment. */
  readonly unsettled: Map<number, number>;
}

interface Waiting {
  readonly entry: LogEntry;
  readonly apply: (lsn: number) => void;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

const namePattern = /^batches-(\d{12})\.log$/;
const groupRecordsMax = 64;
const headKind = 1;
const batchKind = 2;

export class BatchLog {
  readonly #directory: string;
  readonly #disk: Disk;
  readonly #generationBytesMax: number;
  #headState: () => Uint8Array = () => new Uint8Array(0);
  #generations: Generation[] = [];
  #journal: Journal | undefined;
  #lsn = 0;
  #rotationWanted = false;
  /** A generation was begun, not finished: its head may be on disk, so only it may follow. */
  #generationBegun = false;
  #waiting: Waiting[] = [];
  #running: Promise<void> | undefined;
  #failed = false;

  constructor(options: { directory: string; disk: Disk; generationBytesMax: number }) {
    this.#directory = options.directory;
    this.#disk = options.disk;
    this.#generationBytesMax = options.generationBytesMax;
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

  /** Visits everything stored, in order, then starts a generation headed by `headState()`. */
  async recover(visitor: LogVisitor, headState: () => Uint8Array): Promise<void> {
    this.#headState = headState;
    const files = await numberedFiles(this.#disk, this.#directory, namePattern);
    let next = files[0] === undefined ? undefined : await readGeneration(this.#disk, files[0].path);
    for (const [index, file] of files.entries()) {
      const contents = next as GenerationContents;
      const following = files[index + 1];
      next = following === undefined ? undefined : await readGeneration(this.#disk, following.path);
      this.#visit(file, contents, next?.headLsn ?? Number.POSITIVE_INFINITY, visitor);
    }
    await this.#startGeneration();
  }

  #visit(
    file: { readonly path: string; readonly number: number },
    contents: GenerationContents,
    validToLsn: number,
    visitor: LogVisitor,
  ): void {
    const unsettled = new Map<number, number>();
    this.#generations.push({ ...file, size: contents.size, unsettled });
    visitor.corrupt(contents.corrupt);
    if (contents.head !== undefined) {
      visitor.head(contents.head);
      this.#lsn = Math.max(this.#lsn, contents.headLsn ?? 0);
    }
    for (const batch of contents.batches) {
      if (batch.lsn > validToLsn) continue;
      this.#lsn = Math.max(this.#lsn, batch.lsn);
      const windowStartMs = visitor.batch(batch);
      if (windowStartMs !== undefined) unsettled.set(windowStartMs, batch.lsn);
    }
  }

  /** Makes a batch durable, then applies it; resolves after that. @throws STORE_WRITE */
  append(entry: LogEntry, apply: (lsn: number) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ entry, apply, resolve, reject });
      this.#running ??= this.#run();
    });
  }

  /** Every record of the window up to `lsn` is in a durable segment. */
  async settle(windowStartMs: number, lsn: number): Promise<void> {
    for (const { unsettled } of this.#generations) {
      if ((unsettled.get(windowStartMs) ?? Number.POSITIVE_INFINITY) <= lsn) {
        unsettled.delete(windowStartMs);
      }
    }
    await this.#removeSettled();
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
        for (const { reject } of group) reject(storeWriteError("the batch log", cause));
      }
    }
    this.#running = undefined;
  }

  async #commit(group: readonly Waiting[]): Promise<void> {
    const journal = this.#journal as Journal;
    const generation = this.#generations.at(-1) as Generation;
    const payloads = group.map(({ entry }, index) => encodeBatch(this.#lsn + 1 + index, entry));
    await journal.append(payloads);
    this.#failed = false;
    generation.size = journal.size;
    for (const { entry, apply, resolve, reject } of group) {
      this.#lsn++;
      if (entry.windowStartMs !== undefined) {
        generation.unsettled.set(entry.windowStartMs, this.#lsn);
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
    const full = (journal?.size ?? 0) >= this.#generationBytesMax;
    const wanted = this.#rotationWanted || this.#generationBegun;
    if (journal !== undefined && !journal.broken && !full && !wanted) return;
    this.#rotationWanted = false;
    await this.#startGeneration();
    await this.#removeSettled();
  }

  async #startGeneration(): Promise<void> {
    const number = (this.#generations.at(-1)?.number ?? 0) + 1;
    const path = `${this.#directory}/batches-${String(number).padStart(12, "0")}.log`;
    const head = encodeHead(this.#lsn, this.#headState());
    this.#generationBegun = true;
    const journal = await createJournal(this.#disk, path, [head, head]);
    this.#generationBegun = false;
    await this.#journal?.close();
    this.#journal = journal;
    this.#generations.push({ number, path, size: journal.size, unsettled: new Map() });
  }

  async #removeSettled(): Promise<void> {
    while (this.#generations.length > 1 && this.#generations[0]?.unsettled.size === 0) {
      const generation = this.#generations.shift() as Generation;
      await this.#disk.remove(generation.path);
    }
  }
}

interface GenerationContents {
  readonly head: Uint8Array | undefined;
  readonly headLsn: number | undefined;
  readonly batches: readonly Omit<LoggedBatch, "windowStartMs">[];
  readonly corrupt: number;
  readonly size: number;
}

async function readGeneration(disk: Disk, path: string): Promise<GenerationContents> {
  const bytes = (await disk.read(path)) ?? new Uint8Array(0);
  const scan = scanRecords(bytes);
  let head: Uint8Array | undefined;
  let headLsn: number | undefined;
  const batches: Omit<LoggedBatch, "windowStartMs">[] = [];
  for (const payload of scan.payloads) {
    const reader = createByteReader(payload);
    const kind = reader.u8();
    const lsn = reader.varint();
    if (kind === headKind) {
      headLsn ??= lsn;
      head ??= reader.bytes(reader.remaining);
    } else if (kind === batchKind) {
      const receivedMs = reader.varint();
      batches.push({ lsn, receivedMs, bytes: reader.bytes(reader.remaining) });
    }
  }
  return { head, headLsn, batches, corrupt: scan.corrupt, size: bytes.length };
}

function encodeHead(lsn: number, state: Uint8Array): Uint8Array {
  const writer = createByteWriter();
  writer.u8(headKind);
  writer.varint(lsn);
  writer.bytes(state);
  return writer.finish();
}

function encodeBatch(lsn: number, entry: LogEntry): Uint8Array {
  const writer = createByteWriter();
  writer.u8(batchKind);
  writer.varint(lsn);
  writer.varint(entry.receivedMs);
  writer.bytes(entry.bytes);
  return writer.finish();
}
