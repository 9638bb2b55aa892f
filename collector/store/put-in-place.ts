/** Gives files the names that belong to what is in them. */
import type { Disk } from "../../base/disk.ts";

export interface Move {
  /** Names within the directory. */
  readonly from: string;
  readonly to: string;
}

/** Ends the name of a file on its way, in case a crash leaves it there. */
export const movedMark = ".moved";

/** Renames files in two steps, as two may have changed places. Nothing else has the new names. */
export async function putInPlace(
  disk: Disk,
  directory: string,
  moves: readonly Move[],
): Promise<void> {
  if (moves.length === 0) return;
  for (const { from, to } of moves) {
    if (from === `${to}${movedMark}`) continue;
    await disk.rename(`${directory}/${from}`, `${directory}/${to}${movedMark}`);
  }
  for (const { to } of moves) {
    await disk.rename(`${directory}/${to}${movedMark}`, `${directory}/${to}`);
  }
  await disk.syncDirectory(directory);
}
