/** Finds out what a directory of windows holds, and puts right what a crash or a hand put wrong. */
import type { Disk } from "../../base/disk.ts";
import type { CatalogueEntry } from "./catalogue.ts";
import { type Move, putInPlace } from "./put-in-place.ts";
import { readHead, type SegmentMeta, type Source } from "./segment-file.ts";

export interface Shelf {
  readonly disk: Disk;
  readonly directory: string;
  readonly lengthMs: number;
  readonly source: Source;
}

const namePattern = /^(\d{1,15})\.(\d{1,15})\.window$/;
const temporaryPattern = /\.tmp$/;
const movedPattern = /\.moved$/;
const damagedPattern = /\.damaged$/;
/** Files nothing is readable of, kept for a person to look at; then the first in order go. */
const damagedFilesMax = 16;
/** Files that are opened at one time. */
const openFilesMax = 32;

export interface SortedOut {
  /** One for each window. */
  readonly entries: readonly CatalogueEntry[];
  /** Files that are unreadable, missing or in the wrong place. */
  readonly damaged: number;
}

/** `known` spares opening the files it knows by name. */
export async function sortOut(
  shelf: Shelf,
  known: ReadonlyMap<string, CatalogueEntry>,
): Promise<SortedOut> {
  const { disk, directory } = shelf;
  const names = await disk.list(directory);
  for (const name of names) {
    if (temporaryPattern.test(name)) await disk.remove(`${directory}/${name}`);
  }
  const found: CatalogueEntry[] = [];
  const misplaced: Misplaced[] = [];
  let damaged = 0;
  const files = names.filter((name) => namePattern.test(name) || movedPattern.test(name));
  for (let at = 0; at < files.length; at += openFilesMax) {
    const part = files.slice(at, at + openFilesMax);
    const heads = await Promise.all(part.map((name) => known.get(name) ?? headOf(shelf, name)));
    for (const [index, head] of heads.entries()) {
      const name = part[index] as string;
      if (head === undefined || !belongsTo(shelf, head.meta)) {
        damaged++;
        await disk.rename(`${directory}/${name}`, `${directory}/${name}.damaged`);
      } else if (head.name === nameOf(head.meta)) found.push(head);
      else misplaced.push({ name, head });
    }
  }
  damaged += misplaced.length;
  found.push(...(await takeMisplaced(shelf, misplaced, found)));
  await dropOldDamaged(shelf, names);
  const entries = await newestRevisions(shelf, found);
  return { entries, damaged: damaged + missing(known, entries) };
}

interface Misplaced {
  readonly name: string;
  readonly head: CatalogueEntry;
}

async function headOf(shelf: Shelf, name: string): Promise<CatalogueEntry | undefined> {
  const head = await readHead(shelf.disk, `${shelf.directory}/${name}`);
  return head === undefined ? undefined : { name, ...head };
}

function belongsTo({ lengthMs, source }: Shelf, meta: SegmentMeta): boolean {
  return meta.source === source && meta.windowEndMs - meta.summary.windowStartMs === lengthMs;
}

function nameOf(meta: SegmentMeta): string {
  return `${meta.summary.windowStartMs}.${meta.revision}.window`;
}

/** Gives files the names of what they hold; copies go. */
async function takeMisplaced(
  { disk, directory }: Shelf,
  misplaced: readonly Misplaced[],
  found: readonly CatalogueEntry[],
): Promise<CatalogueEntry[]> {
  const taken = new Set(found.map(({ name }) => name));
  const moved: CatalogueEntry[] = [];
  const moves: Move[] = [];
  for (const { name, head } of misplaced) {
    const right = nameOf(head.meta);
    if (taken.has(right)) await disk.remove(`${directory}/${name}`);
    else {
      moves.push({ from: name, to: right });
      moved.push({ ...head, name: right });
    }
    taken.add(right);
  }
  await putInPlace(disk, directory, moves);
  return moved;
}

async function dropOldDamaged(shelf: Shelf, names: readonly string[]): Promise<void> {
  const files = names.filter((name) => damagedPattern.test(name)).sort();
  for (const name of files.slice(0, -damagedFilesMax)) {
    await shelf.disk.remove(`${shelf.directory}/${name}`);
  }
}

/** Of several contents of a window the newest counts; a crash left the others. */
async function newestRevisions(
  { disk, directory }: Shelf,
  found: readonly CatalogueEntry[],
): Promise<readonly CatalogueEntry[]> {
  const newest = new Map<number, CatalogueEntry>();
  for (const entry of found) {
    const { windowStartMs } = entry.meta.summary;
    const other = newest.get(windowStartMs);
    const [keep, drop] =
      other !== undefined && other.meta.revision > entry.meta.revision
        ? [other, entry]
        : [entry, other];
    newest.set(windowStartMs, keep);
    if (drop !== undefined) await disk.remove(`${directory}/${drop.name}`);
  }
  return [...newest.values()];
}

/** Windows whose newest known content is not there. */
function missing(
  known: ReadonlyMap<string, CatalogueEntry>,
  entries: readonly CatalogueEntry[],
): number {
  const revisions = new Map<number, number>();
  for (const { meta } of known.values()) {
    const { windowStartMs } = meta.summary;
    revisions.set(windowStartMs, Math.max(revisions.get(windowStartMs) ?? 0, meta.revision));
  }
  for (const { meta } of entries) {
    const { windowStartMs } = meta.summary;
    if ((revisions.get(windowStartMs) ?? 0) <= meta.revision) revisions.delete(windowStartMs);
  }
  return revisions.size;
}
