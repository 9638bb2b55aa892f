/**
 * R3: the power goes. A collector, or an agent whose collector is away, writes to a filesystem in a
 * file; it is stopped in the midst of its work, and the file is copied as it is on the disk
 * beneath: what was not synced is not in the copy. The copy is mounted and the same started on it.
 */
import { execFileSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createPrng } from "../../base/prng.ts";
import { type BruntProcess, portOf, startBrunt } from "../processes/brunt-process.ts";
import { pause, until } from "../processes/wait.ts";
import { noRow, type Row, type RowDefect, rowOf } from "../scoreboard-row.ts";
import { metricOf } from "./fleet.ts";
import { startSender } from "./oracle.ts";
import { appliedRecords, startLoneCollector, startStream } from "./single-stream.ts";

export interface PowerCutOptions {
  readonly rounds: number;
  readonly seed: number;
}

const imageMib = 96;
const unsyncedBytes = 100_000;
const stoppedMs = 50;
/** What a spool counts is synced by then. */
const syncedMs = 500;
const sealedMsMax = 30_000;

export async function powerCuts({ rounds, seed }: PowerCutOptions): Promise<Row | undefined> {
  const folder = mkdtempSync(join(tmpdir(), "brunt-power-"));
  try {
    const ofLog = cutAgain(join(folder, "log"), { subject: collector, rounds, seed });
    const ofSpool = cutAgain(join(folder, "spool"), { subject: agent, rounds, seed: seed + 1 });
    // One that fails waits for the other, whose filesystem is in use.
    await Promise.allSettled([ofLog, ofSpool]);
    const [log, spool] = [await ofLog, await ofSpool];
    return rowOf({
      row: "R3",
      n: 2 * rounds,
      value: {
        acknowledged: log.promised,
        acknowledgedLost: log.lost,
        spooledSpans: spool.promised,
        spooledLost: spool.lost,
        notBittenPercent: ((log.notBitten + spool.notBitten) / (2 * rounds)) * 100,
      },
      limit: { acknowledgedLost: 0, spooledLost: 0, notBittenPercent: 5 },
    });
  } catch (error) {
    if (!(error instanceof NoMountError)) throw error;
    process.stderr.write(`R3: left out, no filesystem can be mounted here: ${error.message}\n`);
    return undefined;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

class NoMountError extends Error {}

/** Who writes, and what it has promised to have after a cut. */
interface Subject {
  /** Works for a while; `promised` is how much is durable, by its own word. */
  work(directory: string, forMs: number): Promise<Working>;
  /** How much of it there is for who starts on what is left. */
  find(directory: string): Promise<number>;
}

interface Working {
  readonly brunt: BruntProcess;
  promised(): number;
  stop(): Promise<void>;
}

const collector: Subject = {
  async work(directory, forMs) {
    const { brunt, port } = await startLoneCollector(directory);
    const stream = startStream(port);
    await pause(forMs);
    return { brunt, promised: () => stream.acknowledged, stop: () => stream.stop() };
  },
  async find(directory) {
    const { brunt, port } = await startLoneCollector(directory);
    const have = await appliedRecords(port);
    await brunt.kill("SIGKILL");
    return have;
  },
};

const agent: Subject = {
  async work(directory, forMs) {
    const { brunt, port } = await startLoneAgent(directory);
    const sender = startSender({
      ...{ agent: "agent", port: () => port, spansPerRequest: 50, everyMs: 30 },
    });
    const spooled = (): Promise<number> => metricOf(metricsOf(port), "brunt_agent_spool_spans");
    await until("a window is sealed", async () => (await spooled()) > 0, {
      withinMs: sealedMsMax,
    });
    await pause(forMs);
    const spans = await spooled();
    await pause(syncedMs);
    return { brunt, promised: () => spans, stop: () => sender.stop() };
  },
  async find(directory) {
    const { brunt, port } = await startLoneAgent(directory);
    const have = await metricOf(metricsOf(port), "brunt_agent_spans_recovered_total");
    await brunt.kill("SIGKILL");
    return have;
  },
};

function metricsOf(port: number): string {
  return `http://127.0.0.1:${port}/metrics`;
}

/** An agent whose collector is away. */
async function startLoneAgent(directory: string) {
  const ports = ["--http-port", "0", "--grpc-port", "0", "--collector", "http://127.0.0.1:9"];
  const brunt = startBrunt(["agent", ...ports, "--data-dir", directory]);
  return { brunt, port: await portOf(brunt, "httpPort") };
}

async function cutAgain(
  folder: string,
  about: { readonly subject: Subject; readonly rounds: number; readonly seed: number },
) {
  const prng = createPrng(about.seed);
  const sums = { promised: 0, lost: 0, notBitten: 0 };
  mkdirSync(folder);
  for (let round = 0; round < about.rounds; round++) {
    const cut = await cutOnce(folder, about.subject, 200 + prng.integer(3_000));
    sums.promised += cut.promised;
    sums.lost += cut.lost;
    if (!cut.unsyncedGone) sums.notBitten++;
  }
  return sums;
}

interface Cut {
  readonly promised: number;
  readonly lost: number;
  /** A file that nobody synced is not in the copy: the power really went. */
  readonly unsyncedGone: boolean;
}

async function cutOnce(folder: string, subject: Subject, forMs: number): Promise<Cut> {
  const image = join(folder, "disk.img");
  const copy = join(folder, "copy.img");
  const mount = join(folder, "disk");
  writeFileSync(image, "");
  execFileSync("truncate", ["-s", `${imageMib}M`, image]);
  execFileSync("mkfs.ext4", ["-q", "-F", image]);
  const promised = await onMounted(image, mount, async () => {
    const working = await subject.work(join(mount, "data"), forMs);
    writeFileSync(unsyncedIn(mount), new Uint8Array(unsyncedBytes));
    working.brunt.child.kill("SIGSTOP");
    // What it had sent is read now; it was synced before.
    await pause(stoppedMs);
    const spans = working.promised();
    copyFileSync(image, copy);
    const stopping = working.stop();
    await working.brunt.kill("SIGKILL");
    await stopping;
    return spans;
  });
  return onMounted(copy, mount, async () => {
    const have = await subject.find(join(mount, "data"));
    const size = existsSync(unsyncedIn(mount)) ? statSync(unsyncedIn(mount)).size : 0;
    return { promised, lost: Math.max(0, promised - have), unsyncedGone: size < unsyncedBytes };
  });
}

function unsyncedIn(mount: string): string {
  return join(mount, "unsynced");
}

async function onMounted<T>(image: string, mount: string, work: () => Promise<T>): Promise<T> {
  mountImage(image, mount);
  try {
    return await work();
  } finally {
    // Also when a process that failed still has it.
    execFileSync("umount", ["-l", mount]);
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

export const powerCutsDefects: readonly RowDefect[] = [
  {
    name: "a batch is acknowledged before it is synced",
    caughtBy: "acknowledgedLost",
    patches: [{ file: "base/journal.js", find: "await this.#file.datasync();", replace: "" }],
  },
  {
    name: "a record is taken for safe before it is synced",
    caughtBy: "spooledLost",
    patches: [{ file: "base/journal.js", find: "await this.#file.datasync();", replace: "" }],
  },
  {
    name: "a hash key is not synced, and its agent does not start again",
    caughtBy: noRow,
    patches: [{ file: "cli/hash-key.js", find: "sync(temporary);", replace: "" }],
  },
];
