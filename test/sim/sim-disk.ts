/**
 * `Disk` in virtual time, of one machine. Each operation takes a while; when the machine dies in
 * between, the operation may be done, half done or not done. A killed process leaves what it wrote
 * (the page cache lives on); a power cut leaves what was synced and any part of the rest.
 *
 * It takes writes only partly now and then, and refuses while it is full or broken.
 */
import { basename, dirname } from "node:path";
import type { Disk, DiskFile, DiskRange } from "../../base/disk.ts";
import { OperationalError } from "../../base/errors.ts";
import type { Prng } from "../../base/prng.ts";
import { between, chanceOf, happens, spread } from "./chance.ts";
import { DirectoryImage } from "./directory-image.ts";
import { FileImage } from "./file-image.ts";
import type { Incarnation } from "./incarnation.ts";

export type DiskHealth =
  /** Takes everything. */
  | "well"
  /** No room: writes take a part or nothing. */
  | "full"
  /** Writes and syncs fail now and then. */
  | "broken";

export interface DiskOperation {
  readonly operation: DiskOperationName;
  readonly path: string;
  readonly takesMs: number;
}

export type DiskOperationName = Exclude<keyof (Disk & DiskFile), "open"> | "open w" | "open r+";

export interface SimDiskOptions {
  readonly seed: number;
  readonly name: string;
  /** Of writes, how many take fewer bytes than offered. */
  readonly shortWrites: number;
  /** Told of each operation as it begins. */
  onOperation?(begun: DiskOperation): void;
}

interface InFlight {
  readonly owner: Incarnation;
  /** Does the work, or with `part` below 1 a part of it where that can be. */
  readonly effect: (part: number) => unknown;
}

const stallProbability = 0.01;
const failProbability = 0.3;
/** A small disk, so that the share that must stay free is a number too. */
const totalBytes = 2 ** 30;

export class SimDisk {
  health: DiskHealth = "well";
  readonly #options: SimDiskOptions;
  readonly #prng: Prng;
  readonly #root = new DirectoryImage();
  readonly #inFlight = new Set<InFlight>();
  readonly #owners = new Map<string, Incarnation>();
  /** Of paths seen before. */
  readonly #parts = new Map<string, readonly string[]>();

  constructor(options: SimDiskOptions) {
    this.#options = options;
    this.#prng = chanceOf(options.seed, `disk ${options.name}`);
  }

  /** The disk as one life of the machine's process sees it. */
  mount(owner: Incarnation): Disk {
    const op = <T>(
      operation: DiskOperationName,
      path: string,
      effect: (part: number) => T,
    ): Promise<T> => this.#operate(owner, { operation, path, effect });
    return {
      open: async (path, flags) => this.#open(owner, path, flags),
      read: (path, range) => op("read", path, () => this.#read(path, range)),
      list: (directory) => op("list", directory, () => this.#directory(directory).names()),
      rename: (from, to) => op("rename", from, () => this.#rename(from, to)),
      remove: (path) => op("remove", path, () => this.#remove(path)),
      makeDirectory: (path) => op("makeDirectory", path, (part) => this.#makeDirectory(path, part)),
      syncDirectory: (path) => this.#syncDirectory(owner, path),
      room: (path) => op("room", path, () => this.#room()),
      own: (directory) => op("own", directory, () => this.#own(owner, directory)),
    };
  }

  /** The process was killed: what was on its way is done or not, everything else stays. */
  kill(): void {
    for (const { effect } of this.#inFlight) {
      const part = this.#prng.pick([0, 1, this.#prng.next()]);
      if (part === 0) continue;
      try {
        effect(part);
      } catch {
        // It failed, and nobody is left to be told.
      }
    }
    this.#inFlight.clear();
  }

  cutPower(): void {
    this.kill();
    this.#root.cutPower(this.#prng);
  }

  async #operate<T>(
    owner: Incarnation,
    work: { operation: DiskOperationName; path: string; effect: (part: number) => T },
  ): Promise<T> {
    const takesMs = this.#latencyMs();
    this.#options.onOperation?.({ operation: work.operation, path: work.path, takesMs });
    const inFlight: InFlight = { owner, effect: work.effect };
    this.#inFlight.add(inFlight);
    return owner.later(takesMs, () => {
      this.#inFlight.delete(inFlight);
      return work.effect(1);
    });
  }

  #latencyMs(): number {
    const prng = this.#prng;
    return happens(prng, stallProbability) ? spread(prng, 20, 2_000) : between(prng, 0.05, 2);
  }

  async #open(owner: Incarnation, path: string, flags: "w" | "r+"): Promise<DiskFile> {
    const image = await this.#operate(owner, {
      operation: `open ${flags}`,
      path,
      effect: () => this.#openImage(path, flags),
    });
    const op = <T>(operation: DiskOperationName, effect: (part: number) => T): Promise<T> =>
      this.#operate(owner, { operation, path, effect });
    return {
      write: (bytes, offset, size, position) => {
        // The caller may use its buffer again once the promise has settled, not before.
        const data = bytes.subarray(offset, offset + size);
        return op("write", (part) => this.#write(image, position, data, part));
      },
      datasync: () => {
        const begun = image.changeCount;
        return op("datasync", () => this.#datasync(image, begun));
      },
      truncate: (size) => op("truncate", () => image.truncate(size)),
      close: () => op("close", () => undefined),
    };
  }

  #openImage(path: string, flags: "w" | "r+"): FileImage {
    const directory = this.#directory(dirname(path));
    const found = directory.find(basename(path));
    if (found instanceof DirectoryImage) throw systemError("EISDIR", path);
    if (flags === "r+") {
      if (found === undefined) throw systemError("ENOENT", path);
      return found;
    }
    if (this.health === "full" && happens(this.#prng, 0.5)) throw systemError("ENOSPC", path);
    if (found !== undefined) {
      found.truncate(0);
      return found;
    }
    const image = new FileImage();
    directory.add(basename(path), image);
    return image;
  }

  #write(image: FileImage, position: number, data: Uint8Array, part: number) {
    const prng = this.#prng;
    if (this.health === "broken" && happens(prng, failProbability)) throw systemError("EIO", "");
    const isFull = this.health === "full";
    const isShort = isFull || happens(prng, this.#options.shortWrites);
    const share = isShort ? Math.min(part, prng.next()) : part;
    const size = Math.floor(data.length * share);
    if (isFull && (size === 0 || happens(prng, 0.5))) throw systemError("ENOSPC", "");
    // Without an error at least one byte is taken.
    const bytesWritten = part === 1 ? Math.max(size, Math.min(1, data.length)) : size;
    if (bytesWritten > 0) image.write(position, data.subarray(0, bytesWritten));
    return { bytesWritten };
  }

  #datasync(image: FileImage, changes: number): void {
    if (this.health === "broken" && happens(this.#prng, failProbability)) {
      image.failSync(this.#prng);
      throw systemError("EIO", "");
    }
    image.sync(changes);
  }

  #read(path: string, range: DiskRange | undefined): Uint8Array | undefined {
    const found = this.#directory(dirname(path)).find(basename(path));
    if (!(found instanceof FileImage)) return undefined;
    const from = range?.position ?? 0;
    return found.read(from, range === undefined ? found.size : from + range.size);
  }

  #rename(from: string, to: string): void {
    const directory = this.#directory(dirname(from));
    if (dirname(to) !== dirname(from)) throw systemError("EXDEV", to);
    if (directory.find(basename(from)) === undefined) throw systemError("ENOENT", from);
    directory.rename(basename(from), basename(to));
  }

  #remove(path: string): void {
    const directory = this.#directory(dirname(path));
    if (directory.find(basename(path)) !== undefined) directory.remove(basename(path));
  }

  /** Half done, the directories are there, but their names are not durable. */
  #makeDirectory(path: string, part: number): void {
    let directory = this.#root;
    const parts = partsOf(path);
    for (const [index, name] of parts.entries()) {
      let next = directory.find(name);
      const isNew = next === undefined;
      if (next === undefined) {
        next = new DirectoryImage();
        directory.add(name, next);
      }
      if (part === 1 && (isNew || index === parts.length - 1)) {
        directory.sync(directory.changeCount);
      }
      if (next instanceof FileImage) throw systemError("ENOTDIR", path);
      directory = next;
    }
  }

  async #syncDirectory(owner: Incarnation, path: string): Promise<void> {
    const directory = this.#directory(path);
    const begun = directory.changeCount;
    const effect = (): void => {
      if (this.health === "broken" && happens(this.#prng, failProbability)) {
        throw systemError("EIO", path);
      }
      directory.sync(begun);
    };
    await this.#operate(owner, { operation: "syncDirectory", path, effect });
  }

  #room(): { readonly freeBytes: number; readonly totalBytes: number } {
    const freeBytes = this.health === "full" ? 0 : totalBytes - this.#root.size;
    return { freeBytes, totalBytes };
  }

  #own(owner: Incarnation, directory: string): () => Promise<void> {
    if (this.#owners.get(directory)?.isAlive === true) {
      throw new OperationalError("STORE_LOCKED", `${directory} is in use`);
    }
    this.#owners.set(directory, owner);
    return async () => {
      this.#owners.delete(directory);
    };
  }

  #directory(path: string): DirectoryImage {
    let directory = this.#root;
    const parts = this.#parts.get(path) ?? partsOf(path);
    this.#parts.set(path, parts);
    for (const name of parts) {
      const next = directory.find(name);
      if (!(next instanceof DirectoryImage)) throw systemError("ENOENT", path);
      directory = next;
    }
    return directory;
  }
}

function partsOf(path: string): string[] {
  return path.split("/").filter((part) => part !== "" && part !== ".");
}

function systemError(code: string, path: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}, ${path}`), { code });
}

/** Whether an error is one a process may end with: a refusing disk, not a defect. */
export function isOfTheWorld(cause: unknown): boolean {
  if (cause instanceof OperationalError) return true;
  const { code } = cause as NodeJS.ErrnoException;
  return code === "EIO" || code === "ENOSPC";
}
