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
import { Agent as HttpAgent, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createPrng } from "../../base/prng.ts";
import type { LedgerReport } from "../../wire/api-types.ts";
import { bytesOf, startMs as fixtureStartMs, windowMs } from "../collector/fixture.ts";
import { type BruntProcess, portOf, startBrunt } from "../processes/brunt-process.ts";
import { pause, until } from "../processes/wait.ts";
import { type Row, type RowDefect, rowOf } from "../scoreboard-row.ts";
import { readyAt } from "./fleet.ts";

export interface PowerCutOptions {
  readonly rounds: number;
  readonly seed: number;
}

const imageMib = 96;
const batchesPath = "/api/v1/batches";
const readyMsMax = 30_000;

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
  const writer = await startCollector(join(mount, "data"));
  const sender = startSending(writer.port);
  await pause(afterMs);
  writeFileSync(join(mount, "unsynced"), "x".repeat(100_000));
  writer.brunt.child.kill("SIGSTOP");
  const copy = join(folder, "copy.img");
  copyFileSync(image, copy);
  const sent = await sender.stop();
  await writer.brunt.kill("SIGKILL");
  execFileSync("umount", [mount]);
  mountImage(copy, mount);
  try {
    const reader = await startCollector(join(mount, "data"));
    const have = await lastRun(reader.port);
    await reader.brunt.kill("SIGKILL");
    const size = execFileSync("sh", ["-c", `wc -c < ${mount}/unsynced 2>/dev/null || echo 0`]);
    return {
      acknowledged: sent.acknowledged,
      lost: Math.max(0, sent.acknowledged - have),
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

async function startCollector(directory: string): Promise<{ brunt: BruntProcess; port: number }> {
  const brunt = startBrunt(["collector", "--port", "0", "--data-dir", directory]);
  const port = await portOf(brunt, "port");
  const url = `http://127.0.0.1:${port}/readyz`;
  await until("the collector is ready", () => readyAt(url), { withinMs: readyMsMax, everyMs: 20 });
  return { brunt, port };
}

/** Batches one after the other; the number of the last one that was acknowledged. */
function startSending(port: number) {
  const http = new HttpAgent({ keepAlive: true });
  let isOpen = true;
  let acknowledged = 0;
  const run = async (): Promise<void> => {
    for (let seq = 1; isOpen; seq++) {
      const window = (Math.floor(Date.now() / windowMs) * windowMs - fixtureStartMs) / windowMs;
      const body = bytesOf({ seq, window, streamSpans: seq, spans: [{ customer: seq }] });
      if (!(await sendOne(http, port, body))) return;
      acknowledged = seq;
    }
  };
  const running = run();
  return {
    async stop() {
      isOpen = false;
      http.destroy();
      await running;
      return { acknowledged };
    },
  };
}

function sendOne(http: HttpAgent, port: number, body: Uint8Array): Promise<boolean> {
  return new Promise((resolve) => {
    const outgoing = request({
      ...{ agent: http, host: "127.0.0.1", port, path: batchesPath, method: "POST" },
      headers: { "content-type": "application/vnd.brunt.sketch-batch" },
    });
    outgoing.once("error", () => resolve(false));
    outgoing.once("response", (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    outgoing.end(body);
  });
}

/** How many numbers from 1 on the collector has without a hole. */
async function lastRun(port: number): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${port}/api/v1/ledger`);
  const { streams } = (await response.json()) as LedgerReport;
  return streams[0]?.appliedRecords ?? 0;
}

export const powerCutsDefects: readonly RowDefect[] = [];
