/**
 * R1: agents under load are killed at random moments and started again; every fifth time with
 * a record in the spool that the collector, which is away, has not taken.
 */
import { createPrng } from "../../base/prng.ts";
import { pause } from "../processes/wait.ts";
import { type Row, type RowDefect, rowOf } from "../scoreboard-row.ts";
import { type Fleet, type Part, startFleet } from "./fleet.ts";
import { type Excuse, judge, type Sender, startSender, windowMs } from "./oracle.ts";

const agents = 3;
const graceMs = 5_000;
/** Sealing, the write and its sync are not instant. */
const slackMs = 2_000;
const drainMs = 60_000;
/** It listens a little before it is seen to be ready. */
const readySlackMs = 250;
const awayEvery = 5;
const percentile = 0.99;

export interface KillOptions {
  readonly kills: number;
  readonly seed: number;
}

export async function agentKills({ kills, seed }: KillOptions): Promise<Row> {
  const prng = createPrng(seed);
  const fleet = await startFleet({ agents });
  const senders = fleet.agents.map((agent) =>
    startSender({ agent: agent.name, port: () => agent.port, spansPerRequest: 50, everyMs: 30 }),
  );
  const excuses: Excuse[] = [];
  const downs: Down[] = [];
  const readyMs: number[] = [];
  for (let kill = 0; kill < kills; kill++) {
    const isAway = kill % awayEvery === 0;
    if (isAway) await fleet.collector.kill("SIGKILL");
    await pause(isAway ? untilSealedMs() : 500 + prng.integer(5_000));
    const at = prng.integer(agents);
    const agent = fleet.agents[at] as Part;
    const atMs = Date.now();
    excuses.push(await killOne(agent, senders[at] as Sender));
    if (isAway) await fleet.collector.start();
    readyMs.push(await agent.start());
    downs.push({ agent: agent.name, downMs: Date.now() - atMs - readySlackMs });
  }
  for (const sender of senders) await sender.stop();
  await pause(windowMs + graceMs);
  await fleet.settled(drainMs);
  const sent = senders.flatMap((sender) => sender.sent);
  const verdict = await judge(sent, excuses, fleet.counted);
  const gapMissingMs = await missingGap(fleet, downs);
  await fleet.remove();
  readyMs.sort((a, b) => a - b);
  return rowOf({
    row: "R1",
    n: kills,
    value: {
      ...verdict,
      gapMissingMs,
      readyMs: Math.round(readyMs[Math.floor(readyMs.length * percentile)] as number),
    },
    limit: { undeclaredLoss: 0, overCount: 0, gapMissingMs: 0, readyMs: 2_000 },
  });
}

/** Until the next window is sealed and in the spool. */
function untilSealedMs(): number {
  return windowMs - ((Date.now() - graceMs) % windowMs) + 2 * slackMs;
}

/** What was open at the kill may be gone: windows that ended less than the grace before it. */
async function killOne(agent: Part, sender: Sender): Promise<Excuse> {
  const atMs = Date.now();
  await agent.kill("SIGKILL");
  const takenBefore = new Map(sender.sent.map(({ startMs, taken }) => [startMs, taken]));
  return { agent: agent.name, fromMs: atMs - graceMs - slackMs, toMs: Date.now(), takenBefore };
}

interface Down {
  readonly agent: string;
  /** From the kill to when it listens again, at least. */
  readonly downMs: number;
}

/** Time in which killed agents did not listen, and of which they have not said so. */
async function missingGap(fleet: Fleet, downs: readonly Down[]): Promise<number> {
  const { streams } = await fleet.ledger();
  return fleet.agents.reduce((sum, { name }) => {
    const ofAgent = downs.filter(({ agent }) => agent === name);
    const downMs = ofAgent.reduce((ms, one) => ms + Math.max(0, one.downMs), 0);
    const saidMs = streams
      .filter(({ agent }) => agent === name)
      .reduce((ms, { gapMs }) => ms + gapMs, 0);
    return sum + Math.max(0, downMs - saidMs);
  }, 0);
}

export const agentKillsDefects: readonly RowDefect[] = [
  {
    name: "what a killed process left in the spool is not read",
    caughtBy: "undeclaredLoss",
    patches: [
      {
        file: "agent/spool/spool.js",
        find: "await this.#files.open((segment) => reading.add(segment));",
        replace: "",
      },
    ],
  },
  {
    name: "no gap is declared after a kill",
    caughtBy: "gapMissingMs",
    patches: [{ file: "agent/outlet.js", find: "if (isGap)", replace: "if (false)" }],
  },
];
