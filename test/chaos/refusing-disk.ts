/** Processes of the product whose disk refuses when it is told to. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { BruntOptions } from "../processes/brunt-process.ts";
import { pause, until } from "../processes/wait.ts";
import { readyAt } from "./fleet.ts";
import { appliedRecords, startLoneCollector, startStream } from "./single-stream.ts";

const faults = ["short", "full", "write-error", "sync-error"] as const;

export type DiskFault = (typeof faults)[number] | "none";

export interface RefusingDisk {
  /** For the start of a process that has this disk. */
  readonly options: BruntOptions;
  set(fault: DiskFault): void;
}

/** `path` is of a file that says what is wrong with the disk. */
export function createRefusingDisk(path: string): RefusingDisk {
  const set = (fault: DiskFault): void => writeFileSync(path, fault);
  set("none");
  const program = fileURLToPath(new URL("./failing-files.js", import.meta.url));
  const options = { nodeOptions: ["--import", program], environment: { FAILING_FILES: path } };
  return { options, set };
}

export interface RefusedCollector {
  readonly acknowledged: number;
  readonly acknowledgedLost: number;
  /** Acknowledged while the disk took nothing. */
  readonly acknowledgedUnsynced: number;
  readonly exits: number;
  /** The longest, from the fault to `/readyz` saying so, and from its end to all being well. */
  readonly degradedMs: number;
  readonly normalMs: number;
}

/** What was under way when a fault begins is over. */
const settleMs = 500;
const waitMsMax = 15_000;

/** Each fault under a stream of records, then SIGKILL and a look at what is left. */
export async function refuseCollector(folder: string, faultMs: number): Promise<RefusedCollector> {
  const sum = { acknowledged: 0, acknowledgedLost: 0, acknowledgedUnsynced: 0, exits: 0 };
  const longest = { degradedMs: 0, normalMs: 0 };
  for (const fault of faults) {
    const one = await refuseOnce(join(folder, `refused ${fault}`), { fault, faultMs });
    for (const name of keysOf(sum)) sum[name] += one[name];
    for (const name of keysOf(longest)) longest[name] = Math.max(longest[name], one[name]);
  }
  return { ...sum, ...longest };
}

function keysOf<T extends object>(object: T): (keyof T)[] {
  return Object.keys(object) as (keyof T)[];
}

async function refuseOnce(
  folder: string,
  { fault, faultMs }: { readonly fault: DiskFault; readonly faultMs: number },
): Promise<RefusedCollector> {
  mkdirSync(folder);
  const directory = join(folder, "data");
  const disk = createRefusingDisk(join(folder, "fault"));
  const { brunt, port } = await startLoneCollector(directory, disk.options);
  const stream = startStream(port);
  const ready = `http://127.0.0.1:${port}/readyz`;
  const wait = { withinMs: waitMsMax, everyMs: 20 };
  let degradedMs = 0;
  let acknowledgedUnsynced = 0;
  await pause(settleMs);
  disk.set(fault);
  const sinceMs = Date.now();
  if (fault !== "short") {
    const isTold = async (): Promise<boolean> => !(await readyAt(ready));
    // Who never says so has taken too long as well.
    await until(`${fault} is told`, isTold, wait).catch(() => {});
    degradedMs = Date.now() - sinceMs;
    await pause(settleMs);
    acknowledgedUnsynced = -stream.acknowledged;
  }
  await pause(faultMs);
  if (fault !== "short") acknowledgedUnsynced += stream.acknowledged;
  disk.set("none");
  const overMs = Date.now();
  const before = stream.acknowledged;
  const isWell = async (): Promise<boolean> =>
    stream.acknowledged > before && (await readyAt(ready));
  await until(`all is well after ${fault}`, isWell, wait);
  const normalMs = Date.now() - overMs;
  const exits = brunt.child.exitCode === null ? 0 : 1;
  await brunt.kill("SIGKILL");
  await stream.stop();
  const { acknowledged } = stream;
  const again = await startLoneCollector(directory);
  const acknowledgedLost = Math.max(0, acknowledged - (await appliedRecords(again.port)));
  await again.brunt.kill("SIGKILL");
  const result = { acknowledged, acknowledgedLost, acknowledgedUnsynced, exits };
  return { ...result, degradedMs, normalMs };
}
