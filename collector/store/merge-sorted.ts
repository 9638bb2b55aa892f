/** Merges streams of entries, each in ascending order of key, into one; equal keys become one. */
import { type CompositeKey, compareKeys } from "../../sketch/key.ts";

export interface Entry<T> {
  readonly key: CompositeKey;
  readonly value: T;
}

export type EntrySource<T> = AsyncIterator<readonly Entry<T>[]>;

export interface MergeSortedOptions<T> {
  /** Lists of entries; a key may repeat within a source. */
  readonly sources: readonly EntrySource<T>[];
  /** Merges `source` into `target`. */
  readonly merge: (target: T, source: T) => void;
  /** Takes the next entry; false stops the merge. */
  readonly emit: (entry: Entry<T>) => boolean;
}

interface Cursor<T> {
  readonly source: EntrySource<T>;
  entries: readonly Entry<T>[];
  at: number;
}

/** Whether all sources were merged to their end. */
export async function mergeSorted<T>(options: MergeSortedOptions<T>): Promise<boolean> {
  const { sources, merge, emit } = options;
  let cursors = await refill(sources.map((source) => ({ source, entries: [], at: 0 })));
  let current: Entry<T> | undefined;
  while (cursors.length > 0) {
    const least = leastOf(cursors);
    const next = least.entries[least.at++] as Entry<T>;
    if (least.at >= least.entries.length) cursors = await refill(cursors);
    if (current !== undefined && compareKeys(current.key, next.key) === 0) {
      merge(current.value, next.value);
    } else {
      if (current !== undefined && !emit(current)) {
        for (const { source } of cursors) await source.return?.();
        return false;
      }
      current = next;
    }
  }
  return current === undefined || emit(current);
}

/** Gives every cursor an entry to stand on; those at their end go. */
async function refill<T>(cursors: readonly Cursor<T>[]): Promise<Cursor<T>[]> {
  const left: Cursor<T>[] = [];
  for (const cursor of cursors) {
    while (cursor.at >= cursor.entries.length) {
      const { done, value } = await cursor.source.next();
      if (done === true) break;
      cursor.entries = value;
      cursor.at = 0;
    }
    if (cursor.at < cursor.entries.length) left.push(cursor);
  }
  return left;
}

function leastOf<T>(cursors: readonly Cursor<T>[]): Cursor<T> {
  let least = cursors[0] as Cursor<T>;
  for (const cursor of cursors) {
    if (compareKeys(keyAt(cursor), keyAt(least)) < 0) least = cursor;
  }
  return least;
}

function keyAt<T>({ entries, at }: Cursor<T>): CompositeKey {
  return (entries[at] as Entry<T>).key;
}
