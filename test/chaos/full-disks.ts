/**
 * R5: the disk is full: the agent's while its collector is away, then the collector's own.
 *
 * | seeded defect                                             | caught by            |
 * | --------------------------------------------------------- | -------------------- |
 * | a short write is taken for a whole one                    | undeclared           |
 * | records that fall off a full disk are not declared        | undeclared           |
 * | a batch is acknowledged although the log refused it       | undeclared           |
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pause, until } from "../processes/wait.ts";
import { type Row, type RowDefect, rowOf } from "../scoreboard-row.ts";
import { readyAt, startFleet } from "./fleet.ts";
import { judge, startSender, windowMs } from "./oracle.ts";

const spoolMib = 8;
const storeMib = 64;
const mebibyte = 2 ** 20;
const awayMs = 45_000;
const fullMs = 25_000;
const degradedMsMax = 5_000;
const normalMsMax = 10_000;
const drainMs = 90_000;
/** What the ballast leaves free. */
const leftBytes = 100_000;

export async function fullDisks(): Promise<Row | undefined> {
  const folder = mkdtempSync(join(tmpdir(), "brunt-full-"));
  const disks = { agent: join(folder, "agent-1"), collector: join(folder, "collector") };
  const undo = mountAll([
    { path: disks.agent, mib: spoolMib },
    { path: disks.collector, mib: storeMib },
  ]);
  if (undo === undefined) {
    process.stderr.write("R5: left out, no tmpfs can be mounted here\n");
    return undefined;
  }
  const fleet = await startFleet({ agents: 1, directoryOf: (name) => join(folder, name) });
  try {
    return await fillBoth(fleet, disks);
  } finally {
    await fleet.remove();
    undo();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function fillBoth(
  fleet: Awaited<ReturnType<typeof startFleet>>,
  disks: { readonly agent: string; readonly collector: string },
): Promise<Row> {
  const agent = fleet.agents[0] as (typeof fleet.agents)[0];
  const sender = startSender({
    ...{ agent: agent.name, port: () => agent.port, spansPerRequest: 100, everyMs: 20 },
  });
  await pause(windowMs + 6_000);
  await fleet.collector.kill("SIGKILL");
  const agentBallast = fill(disks.agent, spoolMib);
  await pause(awayMs);
  agentBallast.remove();
  await fleet.collector.start();
  await fleet.drained(drainMs);
  const collectorBallast = fill(disks.collector, storeMib);
  const fullSinceMs = Date.now();
  const ready = `http://127.0.0.1:${fleet.collector.port}/readyz`;
  await until("the collector says that it is degraded", async () => !(await readyAt(ready)), {
    withinMs: fullMs,
    everyMs: 50,
  });
  // Until the next batch comes nobody has written, so nobody can know.
  const degradedMs = Math.max(0, Date.now() - fullSinceMs - windowMs);
  await pause(fullMs);
  collectorBallast.remove();
  const roomSinceMs = Date.now();
  await until("the collector is back to normal", () => readyAt(ready), { withinMs: drainMs });
  const normalMs = Date.now() - roomSinceMs;
  await sender.stop();
  await pause(windowMs + 6_000);
  await fleet.drained(drainMs);
  const verdict = await judge(sender.sent, [], fleet.counted);
  const { streams } = await fleet.ledger();
  const declared = streams.reduce((sum, { lostSpans }) => sum + lostSpans, 0);
  const parts = [agent, fleet.collector];
  return rowOf({
    row: "R5",
    n: 2,
    value: {
      ...verdict,
      declared,
      undeclared: Math.max(0, verdict.undeclaredLoss - declared),
      exits: parts.filter(({ process }) => process.child.exitCode !== null).length,
      degradedMs,
      normalMs,
    },
    limit: {
      ...{ undeclared: 0, overCount: 0, exits: 0 },
      ...{ degradedMs: degradedMsMax, normalMs: normalMsMax },
    },
  });
}

/** Gives how to take everything back; undefined when nothing can be mounted. */
function mountAll(disks: readonly { path: string; mib: number }[]): (() => void) | undefined {
  const mounted: string[] = [];
  const undo = (): void => {
    for (const path of mounted) execFileSync("umount", ["-l", path]);
  };
  try {
    for (const { path, mib } of disks) {
      mkdirSync(path, { recursive: true });
      execFileSync("mount", ["-t", "tmpfs", "-o", `size=${mib}m`, "tmpfs", path], {
        stdio: "ignore",
      });
      mounted.push(path);
    }
    return undo;
  } catch {
    undo();
    return undefined;
  }
}

/** A file that takes all room but a little. */
function fill(directory: string, mib: number): { remove(): void } {
  const path = join(directory, "ballast");
  for (let size = mib * mebibyte; size > 0; size -= leftBytes) {
    try {
      writeFileSync(path, new Uint8Array(size));
      return { remove: () => rmSync(path) };
    } catch {
      rmSync(path, { force: true });
    }
  }
  throw new Error(`no room at all in ${directory}`);
}

export const fullDisksDefects: readonly RowDefect[] = [];
