/** What a spool may hold, and which file it gives up first when that is too much. */
import type { Disk } from "../../base/disk.ts";
import type { LossCause } from "../../wire/sketch-batch.ts";
import { isHeld, type SpoolEntry } from "./spool-entry.ts";
import type { Segment } from "./spool-files.ts";

export interface SpoolLimits {
  readonly bytesMax: number;
  readonly ageMsMax: number;
}

/** About 300 bytes of memory each. */
export const recordsMax = 100_000;
/** Left to others on the filesystem: a tenth, and of a large one a gibibyte. */
const reserveShare = 0.1;
const reserveBytesMax = 2 ** 30;

/** Records held of the oldest file that has any, when there is too much or they are too old. */
export function recordsToGiveUp(
  segments: readonly Segment[],
  options: {
    readonly limits: SpoolLimits;
    readonly nowMs: number;
    readonly isShortOfRoom: boolean;
  },
): { readonly entries: readonly SpoolEntry[]; readonly cause: LossCause } | undefined {
  const { limits, nowMs, isShortOfRoom } = options;
  const held = segments.filter(({ entries }) => entries.some(isHeld));
  const oldest = held[0];
  // The newest file stays, as it holds the numbers of the stream.
  if (oldest === undefined || oldest === segments.at(-1)) return undefined;
  const entries = oldest.entries.filter(isHeld);
  // What is on its way may be there already; whether it is, will soon be known.
  if (entries.some(({ state }) => state === "sending")) return undefined;
  const newestMs = entries.reduce((newest, { facts }) => Math.max(newest, facts.sealedMs), 0);
  if (nowMs - newestMs > limits.ageMsMax) return { entries, cause: "expired" };
  const size = held.reduce((sum, segment) => sum + segment.size, 0);
  const records = held.reduce((sum, segment) => sum + segment.entries.length, 0);
  const isTooMuch = size > limits.bytesMax || records > recordsMax || isShortOfRoom;
  return isTooMuch ? { entries, cause: "evicted" } : undefined;
}

/** Whether so little of the filesystem is left that others should have it. */
export async function isShortOfRoom(disk: Disk, directory: string): Promise<boolean> {
  const { freeBytes, totalBytes } = await disk.room(directory);
  return freeBytes < Math.min(totalBytes * reserveShare, reserveBytesMax);
}

/** The oldest records in memory that do not fit; tombstones stay, as they say what is lost. */
export function memoryToGiveUp(
  held: Iterable<SpoolEntry>,
  options: { readonly bytesMax: number; readonly oldestMs: number },
): { readonly evicted: readonly SpoolEntry[]; readonly expired: readonly SpoolEntry[] } {
  const inMemory = [...held].filter(({ place }) => place === undefined);
  let size = inMemory.reduce((sum, entry) => sum + entry.size, 0);
  const evicted: SpoolEntry[] = [];
  const expired: SpoolEntry[] = [];
  for (const entry of inMemory) {
    if (entry.state !== "waiting" || entry.facts.kind === "tombstone") continue;
    const isOld = entry.facts.sealedMs < options.oldestMs;
    if (!isOld && size <= options.bytesMax) continue;
    (isOld ? expired : evicted).push(entry);
    size -= entry.size;
  }
  return { evicted, expired };
}
