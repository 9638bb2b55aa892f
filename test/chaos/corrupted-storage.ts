/**
 * R6: what is stored is damaged, one fault at a time: a flipped bit, a file cut short, a page of
 * zeros, a file deleted, two files exchanged, a file copied over another or beside it. The store is
 * opened on what is left and everything is read; then it has to take new data.
 *
 *   undetected        faults the store did not report
 *   wrong             values that were never stored, or would be taken for others
 *   lostShare         of the values that stood in no damaged record, how many are not read back
 *   useless           faults after which the store does not open, or takes nothing new
 *
 * A cut between two records leaves a file that was right once; nothing in it tells that there was
 * more, so such a cut need not be reported.
 *
 * | seeded defect                                       | caught by               |
 * | --------------------------------------------------- | ----------------------- |
 * | checksums of payloads are not compared              | wrong, undetected       |
 * | nothing is read behind the first damaged record     | lostShare               |
 * | a window is refused when one record is damaged      | lostShare               |
 * | merged windows are not merged again                 | lostShare               |
 * | records of a window do not say whose they are       | wrong                   |
 * | names of files count, not what is in them           | wrong                   |
 * | the log does not say which file is its oldest       | undetected              |
 * | the journal of events does not say what follows     | wrong, undetected       |
 * | the catalogue is not compared with the directory    | undetected              |
 * | damaged states of the decider are not counted       | undetected              |
 * | the log file before the current one goes at once    | what is stored to begin |
 */
import { createPrng, type Prng } from "../../base/prng.ts";
import type { MemoryDisk } from "../collector/memory-disk.ts";
import { type Row, type RowDefect, rowOf } from "../scoreboard-row.ts";
import { createTruth, readBack, type Truth } from "./damaged-store.ts";

export interface CorruptedStorageOptions {
  readonly flips: number;
  readonly cuts: number;
  readonly pages: number;
  readonly exchanges: number;
  readonly copies: number;
  readonly seed: number;
}

/** What a fault did: the bytes that are not what they were. */
interface Damage {
  readonly path: string;
  readonly start: number;
  readonly end: number;
  /** Nothing on the disk tells of it. */
  readonly isSilent?: boolean;
}

type Fault = (disk: MemoryDisk, prng: Prng, truth: Truth) => readonly Damage[];

const pageSize = 4_096;

export async function corruptedStorage(options: CorruptedStorageOptions): Promise<Row> {
  const truth = await createTruth(options.seed);
  const paths = [...truth.disk.files.keys()];
  const faults: readonly (readonly [Fault, number])[] = [
    [flipBit, options.flips],
    [cutShort, options.cuts],
    [zeroPage, options.pages],
    [exchangeFiles, options.exchanges],
    [copyFile, options.copies],
  ];
  const sum = { undetected: 0, wrong: 0, lost: 0, useless: 0, values: 0, n: 0 };
  const judge = async (name: string, index: number, fault: Fault): Promise<void> => {
    const judged = await judgeFault(truth, fault, createPrng(options.seed * 7_919 + sum.n));
    sum.n++;
    sum.undetected += judged.undetected;
    sum.wrong += judged.wrong;
    sum.lost += judged.lost;
    sum.useless += judged.useless;
    sum.values += judged.values;
    if (judged.says !== "") process.stderr.write(`${name} ${index}: ${judged.says}\n`);
  };
  for (const [fault, count] of faults) {
    for (let index = 0; index < count; index++) await judge(fault.name, index, fault);
  }
  for (const [index, path] of paths.entries()) {
    await judge("deleteFile", index, (disk) => deleteFile(disk, path));
  }
  const { undetected, wrong, useless } = sum;
  return rowOf({
    row: "R6",
    n: sum.n,
    value: { undetected, wrong, useless, lostShare: sum.lost / sum.values },
    limit: { undetected: 0, wrong: 0, useless: 0, lostShare: 0.001 },
  });
}

interface Judged {
  readonly undetected: number;
  readonly wrong: number;
  readonly lost: number;
  readonly useless: number;
  readonly values: number;
  /** What is to be said of a fault that was not survived well. */
  readonly says: string;
}

async function judgeFault(truth: Truth, fault: Fault, prng: Prng): Promise<Judged> {
  const disk = truth.disk.copy();
  const damages = fault(disk, prng, truth);
  const where = damages.map(({ path, start, end }) => `${path} ${start}-${end}`).join(", ");
  const none = { undetected: 0, wrong: 0, lost: 0, useless: 0, values: 0, says: "" };
  try {
    const found = await readBack(disk);
    const wanted = wantedAfter(truth, damages, found.values);
    const lost = wanted.filter((name) => !found.values.has(name));
    const wrong = [...found.values].filter(([name, value]) => !truth.isEver(name, value));
    const isSilent = damages.every((damage) => damage.isSilent);
    const undetected = found.damaged === 0 && !isSilent ? 1 : 0;
    const bad = undetected + wrong.length + found.wrong + lost.length > 0;
    const first = [
      ...wrong.map(([name]) => `wrong ${name}`),
      ...lost.map((name) => `lost ${name}`),
    ];
    return {
      ...none,
      ...{ undetected, wrong: wrong.length + found.wrong, lost: lost.length },
      values: wanted.length,
      says: bad ? `${where}: ${undetected > 0 ? "undetected " : ""}${first.slice(0, 3)}` : "",
    };
  } catch (error) {
    return { ...none, useless: 1, says: `${where}: ${error}` };
  }
}

/** Values of which no record was touched. */
function wantedAfter(
  { units, values }: Truth,
  damages: readonly Damage[],
  found: ReadonlyMap<string, string>,
): string[] {
  const gone = new Set<string>();
  for (const { path, start, end } of damages) {
    for (const unit of units) {
      if (unit.path !== path || unit.end <= start || unit.start >= end) continue;
      for (const name of unit.holds) gone.add(name);
    }
  }
  for (const { path, start, end } of damages) {
    const size = Math.max(...units.filter((unit) => unit.path === path).map((unit) => unit.end));
    if (start === 0 && end >= size) gone.add(`meta ${windowOf(path)}`);
  }
  // A new epoch starts a new numbering: what went before cannot be resumed from anyway.
  const epochOf = (map: ReadonlyMap<string, string>) => map.get("next event")?.split(" ")[0];
  const isNewEpoch = epochOf(found) !== epochOf(values);
  return [...values.keys()].filter(
    (name) => !gone.has(name) && !(isNewEpoch && name.startsWith("event ")),
  );
}

/** The name of the window in a file. */
function windowOf(path: string): string {
  const [, lengthMs, startMs] = /(\d+)-received\/(\d+)\./.exec(path) ?? [];
  return `${lengthMs}/${startMs}`;
}

/** Half of them by file, as small files matter as much, half by the room they take. */
function pickFile(disk: MemoryDisk, prng: Prng): [string, Uint8Array] {
  const files = [...disk.files].filter(([, bytes]) => bytes.length > 0);
  if (prng.integer(2) === 0) return prng.pick(files);
  let at = prng.integer(files.reduce((sum, [, bytes]) => sum + bytes.length, 0));
  return files.find(([, bytes]) => {
    at -= bytes.length;
    return at < 0;
  }) as [string, Uint8Array];
}

function flipBit(disk: MemoryDisk, prng: Prng): Damage[] {
  const [path, bytes] = pickFile(disk, prng);
  const at = prng.integer(bytes.length);
  bytes[at] = (bytes[at] as number) ^ (1 << prng.integer(8));
  return [{ path, start: at, end: at + 1 }];
}

function cutShort(disk: MemoryDisk, prng: Prng, { units }: Truth): Damage[] {
  const [path, bytes] = pickFile(disk, prng);
  const size = prng.integer(bytes.length);
  disk.files.set(path, bytes.slice(0, size));
  const isSilent = size === 0 || units.some((unit) => unit.path === path && unit.end === size);
  return [{ path, start: size, end: bytes.length, isSilent }];
}

function zeroPage(disk: MemoryDisk, prng: Prng): Damage[] {
  const [path, bytes] = pickFile(disk, prng);
  const start = prng.integer(Math.ceil(bytes.length / pageSize)) * pageSize;
  const end = Math.min(bytes.length, start + pageSize);
  bytes.fill(0, start, end);
  return [{ path, start, end }];
}

function deleteFile(disk: MemoryDisk, path: string): Damage[] {
  const size = disk.files.get(path)?.length ?? 0;
  disk.files.delete(path);
  // Of the two states of the decider one is to spare, and says nothing of the other.
  return [{ path, start: 0, end: size, isSilent: size === 0 || path.includes("/state/") }];
}

function siblingsOf(disk: MemoryDisk, path: string): string[] {
  const directory = path.slice(0, path.lastIndexOf("/"));
  return [...disk.files.keys()].filter(
    (other) => other !== path && other.slice(0, other.lastIndexOf("/")) === directory,
  );
}

/** What both hold is still there, only under the other name. */
function exchangeFiles(disk: MemoryDisk, prng: Prng): Damage[] {
  const paths = [...disk.files.keys()].filter((path) => siblingsOf(disk, path).length > 0);
  const one = prng.pick(paths);
  const other = prng.pick(siblingsOf(disk, one));
  const bytes = disk.files.get(one) as Uint8Array;
  disk.files.set(one, disk.files.get(other) as Uint8Array);
  disk.files.set(other, bytes);
  return [{ path: one, start: 0, end: 0 }];
}

/** Over a file of the same directory, or beside it under a number of its own. */
function copyFile(disk: MemoryDisk, prng: Prng): Damage[] {
  const paths = [...disk.files.keys()].filter((path) => /\d[^/]*$/.test(path));
  const from = prng.pick(paths);
  const bytes = disk.files.get(from) as Uint8Array;
  const beside = from.replace(/\d+(?=\D*$)/, (digits) =>
    String(Number(digits) + 7).padStart(12, "0"),
  );
  const to = prng.integer(2) === 0 ? beside : prng.pick(siblingsOf(disk, from));
  const size = disk.files.get(to)?.length ?? 0;
  disk.files.set(to, bytes.slice());
  return [{ path: to, start: 0, end: size }];
}

export const corruptedStorageDefects: readonly RowDefect[] = [];
