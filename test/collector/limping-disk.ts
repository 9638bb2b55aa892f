/** The real disk, taking a few bytes at a time, or writing but failing to sync. */
import type { Disk, DiskFile } from "../../base/disk.ts";
import { nodeDisk } from "../../cli/node-disk.ts";

export interface Limp {
  failing?: boolean;
  readonly bytesPerWrite?: number;
}

export function limpingDisk(limp: Limp): Disk {
  return {
    ...nodeDisk,
    open: async (path, flags): Promise<DiskFile> => {
      const file = await nodeDisk.open(path, flags);
      return {
        write: (bytes, offset, size, position) =>
          file.write(bytes, offset, Math.min(size, limp.bytesPerWrite ?? size), position),
        datasync: async () => {
          if (limp.failing === true) throw new Error("ENOSPC: no space left on device");
          await file.datasync();
        },
        truncate: (size) => file.truncate(size),
        close: () => file.close(),
      };
    },
  };
}
