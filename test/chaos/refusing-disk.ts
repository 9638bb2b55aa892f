/** Processes of the product whose disk refuses when it is told to. */
import { writeFileSync } from "node:fs";
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
const waitMsMax = 30_000;

/** One fault after the other under a stream of records, then SIGKILL and a look at what is left. */
export async function refuseCollector(folder: string, faultMs: number): Promise<RefusedCollector> {
  const directory = join(folder, "refused");
  const disk = createRefusingDisk(join(folder, "fault"));
  const { brunt, port } = await startLoneCollector(directory, disk.options);
  const stream = startStream(port);
  const ready = `http://127.0.0.1:${port}/readyz`;
  const result = { acknowledgedUnsynced: 0, degradedMs: 0, normalMs: 0 };
  const wait = { withinMs: waitMsMax, everyMs: 20 };
  for (const fault of faults) {
    await pause(settleMs);
    disk.set(fault);
    const sinceMs = Date.now();
    if (fault !== "short") {
      await until(`${fault} is told`, async () => !(await readyAt(ready)), wait);
      result.degradedMs = Math.max(result.degradedMs, Date.now() - sinceMs);
      await pause(settleMs);
      const before = stream.acknowledged;
      await pause(faultMs);
      result.acknowledgedUnsynced += stream.acknowledged - before;
    } else await pause(faultMs);
    disk.set("none");
    const overMs = Date.now();
    const { acknowledged } = stream;
    const isWell = async (): Promise<boolean> =>
      stream.acknowledged > acknowledged && (await readyAt(ready));
    await until(`all is well after ${fault}`, isWell, wait);
    result.normalMs = Math.max(result.normalMs, Date.now() - overMs);
  }
  const exits = brunt.child.exitCode === null ? 0 : 1;
  await brunt.kill("SIGKILL");
  await stream.stop();
  const { acknowledged } = stream;
  const again = await startLoneCollector(directory);
  const acknowledgedLost = Math.max(0, acknowledged - (await appliedRecords(again.port)));
  await again.brunt.kill("SIGKILL");
  return { ...result, exits, acknowledged, acknowledgedLost };
}
