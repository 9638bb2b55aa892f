/**
 * Keeps what the collector refused, for whoever wants to know why: `quarantine/<number>.batch` in
 * the spool's directory, at most a mebibyte of it, the newest.
 */
import type { Disk } from "../../base/disk.ts";
import { numberedFiles, writeAtomically } from "../../base/files.ts";

const bytesMax = 2 ** 20;
const filePattern = /^(\d{1,15})\.batch$/;

export interface Quarantine {
  /** Keeps a batch; that it cannot is no harm. */
  add(batch: Uint8Array): Promise<void>;
}

export function createQuarantine(disk: Disk, spoolDirectory: string): Quarantine {
  const directory = `${spoolDirectory}/quarantine`;
  let busy = Promise.resolve();
  const keep = async (batch: Uint8Array): Promise<void> => {
    await disk.makeDirectory(directory);
    const files = await numberedFiles(disk, directory, filePattern);
    let size = batch.length;
    for (const { path } of files.toReversed()) {
      size += (await disk.read(path))?.length ?? 0;
      if (size > bytesMax) await disk.remove(path);
    }
    const number = (files.at(-1)?.number ?? 0) + 1;
    if (batch.length <= bytesMax) {
      await writeAtomically(disk, `${directory}/${number}.batch`, batch);
    }
  };
  return {
    add(batch) {
      if (spoolDirectory === "") return busy;
      busy = busy.then(() => keep(batch)).catch(() => {});
      return busy;
    },
  };
}
