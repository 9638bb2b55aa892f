/** Files that are numbered one after the other, by what is in them and not by their names. */
import type { Disk } from "../../base/disk.ts";
import { numberedFiles } from "../../base/files.ts";
import { type Move, movedMark, putInPlace } from "./put-in-place.ts";

export interface NumberedKind {
  /** Before and after the number in a name. */
  readonly prefix: string;
  readonly suffix: string;
}

export interface OwnFile<T> {
  readonly path: string;
  readonly number: number;
  readonly content: T;
}

export interface OwnFiles<T> {
  /** In the order of their numbers. */
  readonly files: readonly OwnFile<T>[];
  /** Files that were under another name, and copies, which are gone now. */
  readonly misplaced: number;
}

const digits = 12;

export function nameOfNumber({ prefix, suffix }: NumberedKind, number: number): string {
  return `${prefix}${String(number).padStart(digits, "0")}${suffix}`;
}

/** Reads every file with `read`, which gives its number unless that is unreadable. */
export async function findOwnFiles<T>(
  disk: Disk,
  directory: string,
  kind: NumberedKind,
  read: (path: string) => Promise<{ readonly number: number | undefined; readonly content: T }>,
): Promise<OwnFiles<T>> {
  const { prefix, suffix } = kind;
  const pattern = new RegExp(
    `^${prefix}(\\d{${digits}})${escaped(suffix)}(?:${escaped(movedMark)})?$`,
  );
  const found = new Map<number, OwnFile<T>>();
  const moves: Move[] = [];
  let misplaced = 0;
  for (const { path, number: named } of await numberedFiles(disk, directory, pattern)) {
    const { number = named, content } = await read(path);
    const right = nameOfNumber(kind, number);
    const name = path.slice(directory.length + 1);
    if (name !== right) misplaced++;
    if (found.has(number)) {
      await disk.remove(path);
      continue;
    }
    if (name !== right) moves.push({ from: name, to: right });
    found.set(number, { path: `${directory}/${right}`, number, content });
  }
  await putInPlace(disk, directory, moves);
  const files = [...found.values()].sort((a, b) => a.number - b.number);
  return { files, misplaced };
}

function escaped(text: string): string {
  return text.replaceAll(".", "\\.");
}
