/** What can befall the files of a store: one fault at a time, each says which bytes it changed. */
import type { Prng } from "../../base/prng.ts";

/** The bytes that are not what they were; none where files have only changed their names. */
export interface Damage {
  readonly how: "changed" | "cut" | "copied" | "deleted" | "renamed";
  readonly path: string;
  readonly start: number;
  readonly end: number;
}

export type Files = Map<string, Uint8Array>;

export type Fault = (files: Files, prng: Prng) => Damage;

/** How often each fault befalls a store; every file of it is deleted once beside that. */
export interface FaultCounts {
  readonly flips: number;
  readonly cuts: number;
  readonly pages: number;
  readonly exchanges: number;
  readonly copies: number;
}

const pageSize = 4_096;

/** All faults to be tried on a store of these files. */
export function faultsOf(counts: FaultCounts, paths: readonly string[]): readonly Fault[] {
  const { flips, cuts, pages, exchanges, copies } = counts;
  const chances: readonly (readonly [Fault, number])[] = [
    [flipBit, flips],
    [cutShort, cuts],
    [zeroPage, pages],
    [exchangeFiles, exchanges],
    [copyFile, copies],
  ];
  return [
    ...chances.flatMap(([fault, count]) => Array<Fault>(count).fill(fault)),
    ...paths.map(
      (path): Fault =>
        (files) =>
          deleteFile(files, path),
    ),
  ];
}

/** Half of them by file, as small files matter as much, half by the room they take. */
function pickFile(files: Files, prng: Prng): [string, Uint8Array] {
  const filled = [...files].filter(([, bytes]) => bytes.length > 0);
  if (prng.integer(2) === 0) return prng.pick(filled);
  let at = prng.integer(filled.reduce((sum, [, bytes]) => sum + bytes.length, 0));
  return filled.find(([, bytes]) => {
    at -= bytes.length;
    return at < 0;
  }) as [string, Uint8Array];
}

function flipBit(files: Files, prng: Prng): Damage {
  const [path, bytes] = pickFile(files, prng);
  const at = prng.integer(bytes.length);
  bytes[at] = (bytes[at] as number) ^ (1 << prng.integer(8));
  return { how: "changed", path, start: at, end: at + 1 };
}

function cutShort(files: Files, prng: Prng): Damage {
  const [path, bytes] = pickFile(files, prng);
  const size = prng.integer(bytes.length);
  files.set(path, bytes.slice(0, size));
  return { how: "cut", path, start: size, end: bytes.length };
}

function zeroPage(files: Files, prng: Prng): Damage {
  const [path, bytes] = pickFile(files, prng);
  const start = prng.integer(Math.ceil(bytes.length / pageSize)) * pageSize;
  const end = Math.min(bytes.length, start + pageSize);
  bytes.fill(0, start, end);
  return { how: "changed", path, start, end };
}

function deleteFile(files: Files, path: string): Damage {
  const size = files.get(path)?.length ?? 0;
  files.delete(path);
  return { how: "deleted", path, start: 0, end: size };
}

function siblingsOf(files: Files, path: string): string[] {
  const directory = path.slice(0, path.lastIndexOf("/"));
  return [...files.keys()].filter(
    (other) => other !== path && other.slice(0, other.lastIndexOf("/")) === directory,
  );
}

/** What both hold is still there, only under the other name. */
function exchangeFiles(files: Files, prng: Prng): Damage {
  const paths = [...files.keys()].filter((path) => siblingsOf(files, path).length > 0);
  const one = prng.pick(paths);
  const other = prng.pick(siblingsOf(files, one));
  const bytes = files.get(one) as Uint8Array;
  files.set(one, files.get(other) as Uint8Array);
  files.set(other, bytes);
  return { how: "renamed", path: one, start: 0, end: 0 };
}

/** Over a file of the same directory, or beside it under a number of its own. */
function copyFile(files: Files, prng: Prng): Damage {
  const paths = [...files.keys()].filter((path) => /\d[^/]*$/.test(path));
  const from = prng.pick(paths);
  const bytes = files.get(from) as Uint8Array;
  const beside = from.replace(/\d+(?=\D*$)/, (digits) =>
    String(Number(digits) + 7).padStart(12, "0"),
  );
  const to = prng.integer(2) === 0 ? beside : prng.pick(siblingsOf(files, from));
  const size = files.get(to)?.length ?? 0;
  files.set(to, bytes.slice());
  return { how: "copied", path: to, start: 0, end: size };
}
