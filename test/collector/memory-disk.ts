/** A disk in memory: fast, can be copied, and says how many bytes were read. */
import type { Disk, DiskFile, DiskRange } from "../../base/disk.ts";

export class MemoryDisk implements Disk {
  readonly files = new Map<string, Uint8Array>();
  /** Files that are open go on under their new names. */
  readonly #open = new Set<MemoryFile>();
  bytesRead = 0;

  /** The same files, to go on apart from these. */
  copy(): MemoryDisk {
    const disk = new MemoryDisk();
    for (const [path, bytes] of this.files) disk.files.set(path, bytes.slice());
    return disk;
  }

  async open(path: string, flags: "w" | "r+"): Promise<DiskFile> {
    const known = this.files.get(path);
    if (flags === "r+" && known === undefined) throw new Error(`ENOENT: ${path}`);
    const file = new MemoryFile(path, flags === "w" ? new Uint8Array(0) : (known as Uint8Array));
    file.onChange = (bytes) => {
      if (this.files.get(file.path) === file.before) this.files.set(file.path, bytes);
    };
    file.onClose = () => this.#open.delete(file);
    this.#open.add(file);
    this.files.set(path, file.before);
    return file;
  }

  async read(path: string, range?: DiskRange): Promise<Uint8Array | undefined> {
    const bytes = this.files.get(path);
    if (bytes === undefined) return undefined;
    const { position = 0, size = bytes.length } = range ?? {};
    const part = bytes.slice(position, position + size);
    this.bytesRead += part.length;
    return part;
  }

  async list(directory: string): Promise<readonly string[]> {
    const prefix = `${directory}/`;
    return [...this.files.keys()]
      .filter((path) => path.startsWith(prefix) && !path.includes("/", prefix.length))
      .map((path) => path.slice(prefix.length));
  }

  async rename(from: string, to: string): Promise<void> {
    const bytes = this.files.get(from);
    if (bytes === undefined) throw new Error(`ENOENT: ${from}`);
    this.files.delete(from);
    this.files.set(to, bytes);
    for (const file of this.#open) if (file.path === from) file.path = to;
  }

  async remove(path: string): Promise<void> {
    this.files.delete(path);
  }

  async makeDirectory(): Promise<void> {}

  async syncDirectory(): Promise<void> {}

  async room() {
    return { freeBytes: 2 ** 40, totalBytes: 2 ** 41 };
  }

  async own(): Promise<() => Promise<void>> {
    return async () => {};
  }
}

class MemoryFile implements DiskFile {
  path: string;
  /** What the file holds, as its directory knows it. */
  before: Uint8Array;
  onChange: (bytes: Uint8Array) => void = () => {};
  onClose: () => void = () => {};

  constructor(path: string, bytes: Uint8Array) {
    this.path = path;
    this.before = bytes;
  }

  #replace(bytes: Uint8Array): void {
    this.onChange(bytes);
    this.before = bytes;
  }

  async write(bytes: Uint8Array, offset: number, size: number, position: number) {
    const grown = new Uint8Array(Math.max(this.before.length, position + size));
    grown.set(this.before);
    grown.set(bytes.subarray(offset, offset + size), position);
    this.#replace(grown);
    return { bytesWritten: size };
  }

  async datasync(): Promise<void> {}

  async truncate(size: number): Promise<void> {
    this.#replace(this.before.slice(0, size));
  }

  async close(): Promise<void> {
    this.onClose();
  }
}
