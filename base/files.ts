/** The few file operations the store is built from; each is durable when its promise resolves. */
import type { FileHandle } from "node:fs/promises";
import { mkdir, open, readdir, readFile, rename, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { OperationalError } from "../../base/errors.ts";

/** An open file, as far as the store needs one; a test may put a failing disk behind it. */
export interface StoreFile {
  write(
    bytes: Uint8Array,
    offset: number,
    size: number,
    position: number,
  ): Promise<{ readonly bytesWritten: number }>;
  datasync(): Promise<void>;
  truncate(size: number): Promise<void>;
  close(): Promise<void>;
}

export type OpenFile = (path: string, flags: string) => Promise<StoreFile>;

/** The real disk. Files are readable by their owner alone. */
export const openOnDisk: OpenFile = (path, flags): Promise<FileHandle> => open(path, flags, 0o600);

/** Writes all of `bytes` at `position`: a short write is continued, one without progress fails. */
export async function writeFully(
  file: StoreFile,
  bytes: Uint8Array,
  position: number,
): Promise<void> {
  let written = 0;
  while (written < bytes.length) {
    const { bytesWritten } = await file.write(
      bytes,
      written,
      bytes.length - written,
      position + written,
    );
    if (bytesWritten <= 0) {
      throw new OperationalError(
        "STORE_WRITE",
        `the disk took ${written} of ${bytes.length} bytes`,
        { retryable: true },
      );
    }
    written += bytesWritten;
  }
}

/** Replaces the file at `path` as a whole: after a crash it holds the old bytes or the new ones. */
export async function writeAtomically(
  openFile: OpenFile,
  path: string,
  bytes: Uint8Array,
): Promise<void> {
  const temporary = `${path}.tmp`;
  const file = await openFile(temporary, "w");
  try {
    await writeFully(file, bytes, 0);
    await file.datasync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
  await syncDirectory(dirname(path));
}

/** Makes the names in a directory durable. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

export async function makeDirectory(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 });
}

/** Bytes of the file, or undefined when there is none. */
export async function readIfPresent(path: string): Promise<Uint8Array | undefined> {
  try {
    return await readFile(path);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw cause;
  }
}

/** Files in `directory` whose whole name `pattern` matches, with the number in its first group. */
export async function numberedFiles(
  directory: string,
  pattern: RegExp,
): Promise<{ readonly path: string; readonly number: number }[]> {
  const found: { path: string; number: number }[] = [];
  for (const name of await readdir(directory)) {
    const match = pattern.exec(name);
    if (match?.[1] !== undefined) {
      found.push({ path: join(directory, name), number: Number(match[1]) });
    }
  }
  return found.sort((a, b) => a.number - b.number);
}

export async function removeFile(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "ENOENT") throw cause;
  }
}

/** An error of the disk as one of ours; the sender may try again. */
export function storeWriteError(what: string, cause: unknown): OperationalError {
  if (cause instanceof OperationalError) return cause;
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new OperationalError("STORE_WRITE", `cannot write ${what}: ${reason}`, {
    retryable: true,
    cause,
  });
}
