/**
 * An append-only file of records. What `append` resolved for survives a power cut. After a failed
 * write or sync nothing of the file's end can be trusted, so the journal is broken for good and
 * its owner goes on in a new file.
 */
import { readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { assert } from "../../base/errors.ts";
import {
  type OpenFile,
  type StoreFile,
  storeWriteError,
  syncDirectory,
  writeFully,
} from "./files.ts";
import { frameRecord, type Scan, scanRecords } from "./records.ts";

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
  openFile: OpenFile,
  path: string,
  payloads: readonly Uint8Array[],
): Promise<Journal> {
  try {
    const journal = new FileJournal(path, await openFile(path, "w"), 0);
    await journal.append(payloads);
    await syncDirectory(dirname(path));
    return journal;
  } catch (cause) {
    throw storeWriteError(path, cause);
  }
}

/** Opens the journal at `path` for more, cutting off a torn tail, and gives what it holds. */
export async function openJournal(
  openFile: OpenFile,
  path: string,
): Promise<{ readonly journal: Journal; readonly scan: Scan }> {
  const bytes = await readFile(path);
  const scan = scanRecords(bytes);
  const file = await openFile(path, "r+");
  if (scan.endOffset < bytes.length) {
    await file.truncate(scan.endOffset);
    await file.datasync();
  }
  return { journal: new FileJournal(path, file, scan.endOffset), scan };
}

class FileJournal implements Journal {
  size: number;
  broken = false;
  readonly #path: string;
  readonly #file: StoreFile;
  #appending = false;

  constructor(path: string, file: StoreFile, size: number) {
    this.#path = path;
    this.#file = file;
    this.size = size;
  }

  async append(payloads: readonly Uint8Array[]): Promise<void> {
    assert(!this.#appending, "a journal has one writer");
    if (this.broken) throw storeWriteError(this.#path, new Error("an earlier write failed"));
    const bytes = Buffer.concat(payloads.map(frameRecord));
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
