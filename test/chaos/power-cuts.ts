/**
 * R3: the power goes. The collector writes to a filesystem in a file; it is stopped in the midst of
 * its work, and the file is copied as it is on the disk beneath: what was not synced is not in the
 * copy. The copy is mounted and a collector started on it.
 *
 * | seeded defect                                        | caught by          |
 * | ---------------------------------------------------- | ------------------ |
 * | a batch is acknowledged before it is synced          | acknowledgedLost   |
 * | a segment's directory is not synced before the log   | acknowledgedLost   |
 * | is cut                                               |                    |
 */
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createPrng } from "../../base/prng.ts";
import { pause } from "../processes/wait.ts";
import { type Row, type RowDefect, rowOf } from "../scoreboard-row.ts";
import { appliedRecords, startLoneCollector, startStream } from "./single-stream.ts";

export interface PowerCutOptions {
  readonly rounds: number;
  readonly seed: number;
}

const imageMib = 96;
const stoppedMs = 50;

export async function powerCuts({ rounds, seed }: PowerCutOptions): Promise<Row | undefined> {
  const prng = createPrng(seed);
  const folder = mkdtempSync(join(tmpdir(), "brunt-power-"));
  let acknowledged = 0;
  let acknowledgedLost = 0;
  let notBitten = 0;
  try {
    for (let round = 0; round < rounds; round++) {
      const result = await cutOnce(folder, 200 + prng.integer(3_000));
      acknowledged += result.acknowledged;
      acknowledgedLost += result.lost;
      if (!result.unsyncedGone) notBitten++;
    }
  } catch (error) {
    if (!(error instanceof NoMountError)) throw error;
    process.stderr.write(`R3: left out, no filesystem can be mounted here: ${error.message}\n`);
    return undefined;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return rowOf({
    row: "R3",
    n: rounds,
    value: { acknowledged, acknowledgedLost, notBittenPercent: (notBitten / rounds) * 100 },
    limit: { acknowledgedLost: 0, notBittenPercent: 5 },
  });
}

class NoMountError extends Error {}

interface Cut {
  readonly acknowledged: number;
  readonly lost: number;
  /** A file that nobody synced is not in the copy: the power really went. */
  readonly unsyncedGone: boolean;
}

async function cutOnce(folder: string, afterMs: number): Promise<Cut> {
  const image = join(folder, "disk.img");
  const mount = join(folder, "disk");
  writeFileSync(image, "");
  execFileSync("truncate", ["-s", `${imageMib}M`, image]);
  execFileSync("mkfs.ext4", ["-q", "-F", image]);
  mountImage(image, mount);
  const writer = await startLoneCollector(join(mount, "data"));
  const sender = startStream(writer.port);
  await pause(afterMs);
  writeFileSync(join(mount, "unsynced"), "x".repeat(100_000));
  writer.brunt.child.kill("SIGSTOP");
  // What it had sent is read now; it was synced before.
  await pause(stoppedMs);
  const { acknowledged } = sender;
  const copy = join(folder, "copy.img");
  copyFileSync(image, copy);
  await sender.stop();
  await writer.brunt.kill("SIGKILL");
  execFileSync("umount", [mount]);
  mountImage(copy, mount);
  try {
    const reader = await startLoneCollector(join(mount, "data"));
    const have = await appliedRecords(reader.port);
    await reader.brunt.kill("SIGKILL");
    const size = execFileSync("sh", ["-c", `wc -c < ${mount}/unsynced 2>/dev/null || echo 0`]);
    return {
      acknowledged,
      lost: Math.max(0, acknowledged - have),
      unsyncedGone: Number(size.toString()) < 100_000,
    };
  } finally {
    execFileSync("umount", [mount]);
  }
}

function mountImage(image: string, mount: string): void {
  mkdirSync(mount, { recursive: true });
  try {
    execFileSync("mount", ["-o", "loop", image, mount], { stdio: ["ignore", "ignore", "pipe"] });
  } catch (error) {
    throw new NoMountError((error as Error).message);
  }
}

export const powerCutsDefects: readonly RowDefect[] = [];
