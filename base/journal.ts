/**
 * An append-only file of records. What `append` resolved for survives a power cut. After a failed
 * write or sync nothing of the file's end can be trusted, so the journal is broken for good and
 * its owner goes on in a new file.
 */
import type { Disk, DiskFile } from "./disk.ts";
import { assert } from "./errors.ts";
import { parentOf, storeWriteError, writeFully } from "./files.ts";
import { frameRecords, type Scan, scanRecords } from "./records.ts";

export interface Journal {
  /** Bytes written and synced. */
  readonly size: number;
  readonly broken: boolean;
  /** @throws STORE_WRITE, after which the journal is broken. */
  append(payloads: readonly Uint8Array[]): Promise<void>;
  close(): Promise<void>;
}

/** A new journal at `path`, holding `payloads`; its name is durable. */
export async function createJournal(
  disk: Disk,
  path: string,
  payloads: readonly Uint8Array[],
): Promise<Journal> {
  try {
    const journal = new FileJournal(path, await disk.open(path, "w"), 0);
    try {
      await journal.append(payloads);
      await disk.syncDirectory(parentOf(path));
    } catch (cause) {
      await journal.close();
      throw cause;
    }
    return journal;
  } catch (cause) {
    throw storeWriteError(path, cause);
  }
}

/**
 * As `createJournal`, but there is no file at `path` before it holds all of `payloads`, for who
 * draws conclusions from there being one.
 */
export async function createJournalWhole(
  disk: Disk,
  path: string,
  payloads: readonly Uint8Array[],
): Promise<Journal> {
  const temporary = `${path}.tmp`;
  try {
    const journal = new FileJournal(path, await disk.open(temporary, "w"), 0);
    try {
      await journal.append(payloads);
      await disk.rename(temporary, path);
      await disk.syncDirectory(parentOf(path));
    } catch (cause) {
      await journal.close();
      throw cause;
    }
    return journal;
  } catch (cause) {
    throw storeWriteError(path, cause);
  }
}

/** Opens the journal at `path` for more, cutting off a torn tail, and gives what it holds. */
export async function openJournal(
  disk: Disk,
  path: string,
): Promise<{ readonly journal: Journal; readonly scan: Scan }> {
  const bytes = (await disk.read(path)) ?? new Uint8Array(0);
  const scan = scanRecords(bytes);
  const file = await disk.open(path, "r+");
  try {
    if (scan.endOffset < bytes.length) await file.truncate(scan.endOffset);
    // What a killed process wrote last is read, and would be gone after a power cut all the same.
    await file.datasync();
  } catch (cause) {
    await file.close();
    throw cause;
  }
  return { journal: new FileJournal(path, file, scan.endOffset), scan };
}

class FileJournal implements Journal {
  size: number;
  broken = false;
  readonly #path: string;
  readonly #file: DiskFile;
  #appending = false;

  constructor(path: string, file: DiskFile, size: number) {
    this.#path = path;
    this.#file = file;
    this.size = size;
  }

  async append(payloads: readonly Uint8Array[]): Promise<void> {
    assert(!this.#appending, "a journal has one writer");
    if (this.broken) throw storeWriteError(this.#path, new Error("an earlier write failed"));
    const bytes = frameRecords(payloads);
    this.#appending = true;
    try {
      await writeFully(this.#file, bytes, this.size);
      await this.#file.datasync();
      this.size += bytes.length;
    } catch (cause) {
      this.broken = true;
      throw storeWriteError(this.#path, cause);
    } finally {
      this.#appending = false;
    }
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}
