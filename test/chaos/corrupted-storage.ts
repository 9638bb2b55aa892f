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
 */
import { createPrng, type Prng } from "../../base/prng.ts";
import { type Row, type RowDefect, rowOf } from "../scoreboard-row.ts";
import { damageSpools } from "./damaged-spool.ts";
import { createTruth, readBack, type Truth } from "./damaged-store.ts";
import { type Damage, type Fault, type FaultCounts, faultsOf } from "./storage-faults.ts";

export interface CorruptedStorageOptions {
  readonly store: FaultCounts;
  readonly spool: FaultCounts;
  readonly seed: number;
}

export async function corruptedStorage(options: CorruptedStorageOptions): Promise<Row> {
  const { seed } = options;
  const spool = await damageSpools(options.spool, seed);
  const truth = await createTruth(seed);
  const sum = { undetected: 0, wrong: 0, lost: 0, useless: 0, values: 0, n: 0 };
  for (const fault of faultsOf(options.store, [...truth.disk.files.keys()])) {
    const judged = await judgeFault(truth, fault, createPrng(seed * 7_919 + sum.n));
    sum.n++;
    sum.undetected += judged.undetected;
    sum.wrong += judged.wrong;
    sum.lost += judged.lost;
    sum.useless += judged.useless;
    sum.values += judged.values;
    if (judged.says !== "") process.stderr.write(`store ${sum.n}: ${judged.says}\n`);
  }
  return rowOf({
    row: "R6",
    n: sum.n + spool.n,
    value: {
      undetected: sum.undetected + spool.undetected,
      wrong: sum.wrong + spool.wrong,
      useless: sum.useless + spool.useless,
      undeclared: spool.undeclared,
      lostShare: sum.lost / sum.values,
      spoolLostShare: spool.lost / spool.records,
    },
    limit: {
      ...{ undetected: 0, wrong: 0, useless: 0, undeclared: 0 },
      ...{ lostShare: 0.001, spoolLostShare: 0.001 },
    },
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
  const damage = fault(disk.files, prng);
  const where = `${damage.path} ${damage.start}-${damage.end}`;
  const none = { undetected: 0, wrong: 0, lost: 0, useless: 0, values: 0, says: "" };
  try {
    const found = await readBack(disk);
    const wanted = wantedAfter(truth, damage, found.values);
    const lost = wanted.filter((name) => !found.values.has(name));
    const wrong = [...found.values].filter(([name, value]) => !truth.isEver(name, value));
    const undetected = found.damaged === 0 && !isSilent(truth, damage) ? 1 : 0;
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

/** Nothing tells of what a file had behind a record, nor of a state that another stands in for. */
function isSilent({ units }: Truth, { how, path, start, end }: Damage): boolean {
  const isEdge = start === 0 || units.some((unit) => unit.path === path && unit.end === start);
  if (how === "cut") return isEdge;
  return how === "deleted" && (end === 0 || path.includes("/state/"));
}

/** Values of which no record was touched. */
function wantedAfter(
  { units, values }: Truth,
  { path, start, end }: Damage,
  found: ReadonlyMap<string, string>,
): string[] {
  const own = units.filter((unit) => unit.path === path);
  const touched = own.filter((unit) => unit.end > start && unit.start < end);
  const gone = new Set(touched.flatMap(({ holds }) => holds));
  const size = Math.max(...own.map((unit) => unit.end));
  if (start === 0 && end >= size) gone.add(`meta ${windowOf(path)}`);
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

export const corruptedStorageDefects: readonly RowDefect[] = [
  {
    name: "checksums of payloads are not compared",
    caughtBy: "wrong",
    patches: [{ file: "base/records.js", find: "crc32(payload) === sum ?", replace: "true ?" }],
  },
  {
    name: "nothing is read behind the first damaged record of a file",
    caughtBy: "lostShare",
    patches: [
      {
        file: "base/records.js",
        find: "at = nextHeader(bytes, end);",
        replace: "at = corrupt > 0 ? -1 : nextHeader(bytes, end);",
      },
    ],
  },
  {
    name: "names of files count, not what is in them",
    caughtBy: "wrong",
    patches: [
      {
        file: "collector/store/own-files.js",
        find: "const { number = named, content } = await read(path);",
        replace: "const number = named, { content } = await read(path);",
      },
    ],
  },
  {
    name: "records that are missing in a spool are not declared lost",
    caughtBy: "undeclared",
    patches: [
      {
        file: "agent/spool/recover-spool.js",
        find: "stream === undefined ? [] : this.#missing(stream)",
        replace: "[]",
      },
    ],
  },
];
