/**
 * R5: disks are full, or refuse. Of three agents one finds its disk full while the collector is
 * away, one has no memory to speak of beside that, and one has a disk whose syncs fail and lose
 * what was written; then the collector's own disk is full. Beside them a collector alone goes
 * through short writes, ENOSPC, EIO of a write and EIO of a sync, under a stream of records.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pause, until } from "../processes/wait.ts";
import { type Row, type RowDefect, rowOf, type Size } from "../scoreboard-row.ts";
import { type Fleet, readyAt, startFleet } from "./fleet.ts";
import { judge, startSender, windowMs } from "./oracle.ts";
import { createRefusingDisk, type RefusingDisk, refuseCollector } from "./refusing-disk.ts";

const spoolMib = 8;
const storeMib = 64;
const mebibyte = 2 ** 20;
/** Less than a record. */
const smallMemory = { BRUNT_AGENT_MEMORY_BYTES_MAX: "1024" };
const degradedMsMax = 5_000;
const normalMsMax = 10_000;
const drainMs = 60_000;
const greetedMs = 2_000;
/** Makes records of some kilobytes. */
const operations = 300;
/** From a window's end to its sealing, and to the collector having it. */
const graceMs = 5_000;
const sealedAfterMs = 7_000;
/** For how long disks refuse once it was noticed, and how long each fault of the other lasts. */
const spans = {
  ci: { refusedMs: 2_000, faultMs: 2_000 },
  whole: { refusedMs: 60_000, faultMs: 20_000 },
} as const;

interface Disks {
  readonly full: readonly string[];
  readonly collector: string;
  readonly refusing: RefusingDisk;
}

export async function fullDisks(size: Size): Promise<Row | undefined> {
  const folder = mkdtempSync(join(tmpdir(), "brunt-full-"));
  const full = [join(folder, "agent-1"), join(folder, "forgetful")];
  const collector = join(folder, "collector");
  const undo = mountAll([
    ...full.map((path) => ({ path, mib: spoolMib })),
    { path: collector, mib: storeMib },
  ]);
  if (undo === undefined) {
    process.stderr.write("R5: left out, no tmpfs can be mounted here\n");
    return undefined;
  }
  const refusing = createRefusingDisk(join(folder, "fault of an agent"));
  const fleet = await startFleet({ agents: 1, directoryOf: (name) => join(folder, name) });
  try {
    await fleet.addAgent("forgetful", () => {}, { environment: smallMemory });
    await fleet.addAgent("unsynced", () => {}, refusing.options);
    const { refusedMs, faultMs } = spans[size];
    const [fleetResult, refused] = await Promise.all([
      fillAll(fleet, { full, collector, refusing }, refusedMs),
      refuseCollector(folder, faultMs),
    ]);
    return report(fleetResult, refused);
  } finally {
    await fleet.remove();
    undo();
    rmSync(folder, { recursive: true, force: true });
  }
}

function report(
  fleet: Awaited<ReturnType<typeof fillAll>>,
  refused: Awaited<ReturnType<typeof refuseCollector>>,
): Row {
  return rowOf({
    row: "R5",
    n: 7,
    value: {
      ...fleet,
      acknowledged: refused.acknowledged,
      acknowledgedLost: refused.acknowledgedLost,
      acknowledgedUnsynced: refused.acknowledgedUnsynced,
      exits: fleet.exits + refused.exits,
      degradedMs: Math.max(fleet.degradedMs, refused.degradedMs),
      normalMs: Math.max(fleet.normalMs, refused.normalMs),
    },
    limit: {
      ...{ undeclared: 0, overCount: 0, needlesslyLost: 0, notDeclared: 0 },
      ...{ acknowledgedLost: 0, acknowledgedUnsynced: 0, exits: 0 },
      ...{ agentDegradedMs: degradedMsMax, agentNormalMs: normalMsMax },
      ...{ degradedMs: degradedMsMax, normalMs: normalMsMax },
    },
  });
}

async function fillAll(fleet: Fleet, disks: Disks, refusedMs: number) {
  const senders = fleet.agents.map((agent) =>
    startSender({
      ...{ agent: agent.name, port: () => agent.port, operations },
      ...{ spansPerRequest: 50, everyMs: 20 },
    }),
  );
  await pause(greetedMs);
  await fleet.collector.kill("SIGKILL");
  const agents = await watchDegraded(
    fleet.agents.map(({ port }) => port),
    () => {
      disks.refusing.set("sync-error");
      const ballasts = disks.full.map((path) => fill(path, spoolMib));
      return () => {
        for (const ballast of ballasts) ballast.remove();
        disks.refusing.set("none");
      };
    },
    refusedMs,
  );
  await fleet.collector.start();
  await fleet.drained(drainMs);
  const own = await watchDegraded(
    [fleet.collector.port],
    () => fill(disks.collector, storeMib).remove,
    refusedMs,
  );
  for (const sender of senders) await sender.stop();
  await pause(windowMs + sealedAfterMs);
  await fleet.settled(drainMs);
  const sent = senders.flatMap((sender) => sender.sent);
  const verdict = await judge(sent, [], fleet.counted);
  const { streams } = await fleet.ledger();
  const lostOf = (isMeant: (name: string) => boolean): number =>
    streams
      .filter(({ agent }) => isMeant(agent))
      .reduce((sum, { lostSpans }) => sum + lostSpans, 0);
  const declared = lostOf(() => true);
  const parts = [...fleet.agents, fleet.collector];
  return {
    ...verdict,
    declared,
    // As many as are missing, no more and no less.
    undeclared: Math.abs(verdict.undeclaredLoss - declared),
    // The others have memory enough; who has none has to declare, or this row shows nothing.
    needlesslyLost: lostOf((name) => name !== "forgetful"),
    notDeclared: lostOf((name) => name === "forgetful") > 0 ? 0 : 1,
    exits: parts.filter(({ process }) => process.child.exitCode !== null).length,
    agentDegradedMs: agents.degradedMs,
    degradedMs: own.degradedMs,
    agentNormalMs: agents.normalMs,
    normalMs: own.normalMs,
  };
}

/**
 * Spoils disks, and mends them a while after all have said that they are degraded. What is not
 * written cannot be known to fail: time counts from when the next window has to be.
 */
async function watchDegraded(
  ports: readonly number[],
  spoil: () => () => void,
  refusedMs: number,
): Promise<{ readonly degradedMs: number; readonly normalMs: number }> {
  const wait = { withinMs: 2 * windowMs + degradedMsMax, everyMs: 50 };
  const areAll = (isWanted: boolean) => async (): Promise<boolean> => {
    const states = await Promise.all(ports.map(isWell));
    return states.every((state) => state === isWanted);
  };
  const dueMs = Math.ceil((Date.now() - graceMs) / windowMs) * windowMs + graceMs;
  const mend = spoil();
  // Who never says so has taken too long as well.
  await until("all say that they are degraded", areAll(false), wait).catch(() => {});
  const degradedMs = Math.max(0, Date.now() - dueMs);
  await pause(refusedMs);
  mend();
  const mendedAtMs = Date.now();
  await until("all are back to normal", areAll(true), wait);
  return { degradedMs, normalMs: Date.now() - mendedAtMs };
}

/** An agent that is degraded takes spans, so it answers 200 and says why. */
async function isWell(port: number): Promise<boolean> {
  const url = `http://127.0.0.1:${port}/readyz`;
  return (await readyAt(url)) && (await (await fetch(url)).text()) === "ok\n";
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

/** A file that takes all room there is. */
function fill(directory: string, mib: number): { remove(): void } {
  const path = join(directory, "ballast");
  const remove = (): void => rmSync(path, { force: true });
  try {
    writeFileSync(path, new Uint8Array((mib + 1) * mebibyte));
  } catch {
    return { remove };
  }
  remove();
  throw new Error(`there is still room in ${directory}`);
}

export const fullDisksDefects: readonly RowDefect[] = [
  {
    name: "a short write is taken for a whole one",
    caughtBy: "acknowledgedLost",
    patches: [
      {
        file: "base/files.js",
        find: "while (written < bytes.length)",
        replace: "while (written === 0 && bytes.length > 0)",
      },
    ],
  },
  {
    name: "a sync that fails is taken for one that did not",
    caughtBy: "acknowledgedUnsynced",
    patches: [
      {
        file: "base/journal.js",
        find: "await this.#file.datasync();",
        replace: "await this.#file.datasync().catch(() => {});",
      },
    ],
  },
  {
    name: "a spool that refused is tried again after twenty seconds",
    caughtBy: "agentNormalMs",
    patches: [
      { file: "agent/spool/spool.js", find: "retryMs = 5_000", replace: "retryMs = 20_000" },
    ],
  },
];
