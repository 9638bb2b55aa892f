/** A disk in memory that can be full, fail to sync, lose what was not synced, and be damaged. */
import type { Disk, DiskFile } from "../../base/disk.ts";
import { OperationalError } from "../../base/errors.ts";

interface File {
  bytes: Uint8Array;
  /** The bytes at the last sync. */
  synced: Uint8Array;
}

export class MemoryDisk implements Disk {
  readonly files = new Map<string, File>();
  /** Names as they were at the last sync of their directory, with what they named. */
  #names = new Map<string, File>();
  readonly #owners = new Set<string>();
  /** Thrown by every write, or sync. */
  writeError: Error | undefined;
  syncError: Error | undefined;
  readError: Error | undefined;
  /** Bytes a write takes at most. */
  writeBytesMax = Number.POSITIVE_INFINITY;
  freeBytes = 2 ** 40;
  reads = 0;
  bytesRead = 0;
  /** What was done, in order: "sync <path>", "remove <path>", "syncDirectory <path>". */
  readonly done: string[] = [];

  async open(path: string, flags: "w" | "r+"): Promise<DiskFile> {
    let file = this.files.get(path);
    if (file === undefined && flags === "r+") throw new Error(`ENOENT ${path}`);
    if (flags === "w" || file === undefined) {
      file = { bytes: new Uint8Array(0), synced: new Uint8Array(0) };
      this.files.set(path, file);
    }
    return this.#handle(path, file);
  }

  #handle(path: string, file: File): DiskFile {
    return {
      write: async (bytes, offset, size, position) => {
        if (this.writeError !== undefined) throw this.writeError;
        const count = Math.min(size, this.writeBytesMax);
        const end = position + count;
        const grown = new Uint8Array(Math.max(file.bytes.length, end));
        grown.set(file.bytes);
        grown.set(bytes.subarray(offset, offset + count), position);
        file.bytes = grown;
        return { bytesWritten: count };
      },
      datasync: async () => {
        if (this.syncError !== undefined) throw this.syncError;
        file.synced = file.bytes;
        this.done.push(`sync ${path}`);
      },
      truncate: async (size) => {
        file.bytes = file.bytes.slice(0, size);
      },
      close: async () => {},
    };
  }

  async read(path: string, range?: { position: number; size: number }) {
    if (this.readError !== undefined) throw this.readError;
    const bytes = this.files.get(path)?.bytes;
    if (bytes === undefined) return undefined;
    this.reads++;
    const { position = 0, size = bytes.length } = range ?? {};
    const found = bytes.slice(position, position + size);
    this.bytesRead += found.length;
    return found;
  }

  async list(directory: string): Promise<string[]> {
    const inside = `${directory}/`;
    return [...this.files.keys()]
      .filter((path) => path.startsWith(inside) && !path.slice(inside.length).includes("/"))
      .map((path) => path.slice(inside.length));
  }

  async rename(from: string, to: string): Promise<void> {
    this.files.set(to, this.files.get(from) as File);
    this.files.delete(from);
  }

  async remove(path: string): Promise<void> {
    this.files.delete(path);
    this.done.push(`remove ${path}`);
  }

  async makeDirectory(): Promise<void> {}

  async syncDirectory(path: string): Promise<void> {
    this.#names = new Map(this.files);
    this.done.push(`syncDirectory ${path}`);
  }

  async room() {
    return { freeBytes: this.freeBytes, totalBytes: 2 ** 40 };
  }

  async own(directory: string): Promise<() => Promise<void>> {
    if (this.#owners.has(directory)) throw new OperationalError("STORE_LOCKED", "taken");
    this.#owners.add(directory);
    return async () => void this.#owners.delete(directory);
  }

  /** The process is gone; what it wrote stays. */
  kill(): void {
    this.#owners.clear();
  }

  /** What was not synced is gone. */
  cutPower(): void {
    this.kill();
    this.files.clear();
    for (const [path, { synced }] of this.#names) this.files.set(path, { bytes: synced, synced });
  }

  /** Changes the bytes of a file. */
  damage(path: string, change: (bytes: Uint8Array) => Uint8Array): void {
    const file = this.files.get(path);
    if (file === undefined) throw new Error(`no file ${path}`);
    file.bytes = change(file.bytes.slice());
    file.synced = file.bytes;
  }

  /** A copy of all files, as of a directory that was copied to another machine. */
  copy(): MemoryDisk {
    const copy = new MemoryDisk();
    for (const [path, { bytes }] of this.files) {
      copy.files.set(path, { bytes: bytes.slice(), synced: bytes.slice() });
    }
    copy.#names = new Map(copy.files);
    return copy;
  }

  spoolFiles(): string[] {
    return [...this.files.keys()]
      .filter((path) => path.endsWith(".spool"))
      .sort((a, b) => Number.parseInt(a.slice(7), 10) - Number.parseInt(b.slice(7), 10));
  }
}
