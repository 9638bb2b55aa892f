/** The few file operations storage is built from; each is durable when its promise resolves. */
import type { Disk, DiskFile } from "./disk.ts";
import { OperationalError } from "./errors.ts";

/** Writes all of `bytes` at `position`: a short write is continued, one without progress fails. */
export async function writeFully(
  file: DiskFile,
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
  disk: Disk,
  path: string,
  ...parts: readonly Uint8Array[]
): Promise<void> {
  const temporary = `${path}.tmp`;
  const file = await disk.open(temporary, "w");
  try {
    let at = 0;
    for (const part of parts) {
      await writeFully(file, part, at);
      at += part.length;
    }
    await file.datasync();
  } finally {
    await file.close();
  }
  await disk.rename(temporary, path);
  await disk.syncDirectory(parentOf(path));
}

/** The directory a file is in; paths are joined with "/" everywhere. */
export function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/"));
}

/** Files in `directory` whose whole name `pattern` matches, with the number in its first group. */
export async function numberedFiles(
  disk: Disk,
  directory: string,
  pattern: RegExp,
): Promise<{ readonly path: string; readonly number: number }[]> {
  const found: { path: string; number: number }[] = [];
  for (const name of await disk.list(directory)) {
    const match = pattern.exec(name);
    if (match?.[1] !== undefined) {
      found.push({ path: `${directory}/${name}`, number: Number(match[1]) });
    }
  }
  return found.sort((a, b) => a.number - b.number);
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
