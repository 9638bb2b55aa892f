/** The real disk. Files and directories are readable by their owner alone. */
import type { FileHandle } from "node:fs/promises";
import { mkdir, open, readdir, readFile, rename, statfs, unlink } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import type { Disk, DiskRange } from "../base/disk.ts";
import { ownDirectory } from "./directory-owner.ts";

const fileMode = 0o600;
const directoryMode = 0o700;

export const nodeDisk: Disk = {
  open: (path, flags) => open(path, flags, fileMode),
  read: (path, range) =>
    unlessMissing(() => (range === undefined ? readFile(path) : readRange(path, range))),
  list: (directory) => readdir(directory),
  rename,
  async remove(path) {
    await unlessMissing(() => unlink(path));
  },
  async makeDirectory(path) {
    const first = await mkdir(path, { recursive: true, mode: directoryMode });
    // Each name is durable once the directory it is in is. One made by a process that was killed
    // before it came to that looks like any other, so the last is always made sure of.
    const top = resolve(first ?? path);
    let made = resolve(path);
    await syncDirectory(dirname(made));
    while (made !== top) {
      made = dirname(made);
      await syncDirectory(dirname(made));
    }
  },
  syncDirectory,
  async room(path) {
    const { bsize, bavail, blocks } = await statfs(path);
    return { freeBytes: bavail * bsize, totalBytes: blocks * bsize };
  },
  own: ownDirectory,
};

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

async function readRange(path: string, { position, size }: DiskRange): Promise<Uint8Array> {
  const file = await open(path, "r");
  try {
    const bytes = new Uint8Array(size);
    return bytes.subarray(0, await fill(file, bytes, position));
  } finally {
    await file.close();
  }
}

async function fill(file: FileHandle, bytes: Uint8Array, position: number): Promise<number> {
  let filled = 0;
  while (filled < bytes.length) {
    const left = bytes.length - filled;
    const { bytesRead } = await file.read(bytes, filled, left, position + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return filled;
}

async function unlessMissing<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw cause;
  }
}
