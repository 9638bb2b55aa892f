/**
 * R1: agents under load are killed at random moments and started again.
 *
 * | seeded defect                                          | caught by      |
 * | ------------------------------------------------------ | -------------- |
 * | the spool is not read at a start                       | undeclaredLoss |
 * | an empty spool's numbers begin at 1 under an old stream| overCount      |
 * | no gap is declared after a crash                       | gapsMissing    |
 */
import { createPrng } from "../../base/prng.ts";
import { pause } from "../processes/wait.ts";
import { type Row, type RowDefect, rowOf } from "../scoreboard-row.ts";
import { type Fleet, type Part, startFleet } from "./fleet.ts";
import { type Excuse, judge, startSender, windowMs } from "./oracle.ts";

const agents = 3;
const graceMs = 5_000;
/** Sealing, the write and its sync are not instant. */
const slackMs = 2_000;
const drainMs = 60_000;
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
  const readyMs: number[] = [];
  for (let kill = 0; kill < kills; kill++) {
    await pause(500 + prng.integer(5_000));
    const agent = prng.pick(fleet.agents);
    excuses.push(await killOne(agent));
    readyMs.push(await agent.start());
  }
  await pause(windowMs + graceMs);
  for (const sender of senders) await sender.stop();
  await pause(windowMs + graceMs);
  await fleet.drained(drainMs);
  const sent = senders.flatMap((sender) => sender.sent);
  const verdict = await judge(sent, excuses, fleet.counted);
  const gapsMissing = await missingGaps(fleet, excuses);
  await fleet.remove();
  readyMs.sort((a, b) => a - b);
  return rowOf({
    row: "R1",
    n: kills,
    value: {
      ...verdict,
      gapsMissing,
      readyMs: Math.round(readyMs[Math.floor(readyMs.length * percentile)] as number),
    },
    limit: { undeclaredLoss: 0, overCount: 0, gapsMissing: 0, readyMs: 2_000 },
  });
}

/** What was open at the kill may be gone: windows that ended less than the grace before it. */
async function killOne(agent: Part): Promise<Excuse> {
  const atMs = Date.now();
  await agent.kill("SIGKILL");
  return { agent: agent.name, fromMs: atMs - graceMs - slackMs, toMs: Date.now() };
}

/** Agents that were killed and declared no gap. */
async function missingGaps(fleet: Fleet, excuses: readonly Excuse[]): Promise<number> {
  const { streams } = await fleet.ledger();
  const killed = new Set(excuses.map(({ agent }) => agent));
  return [...killed].filter(
    (name) => !streams.some(({ agent, gapMs }) => agent === name && gapMs > 0),
  ).length;
}

export const agentKillsDefects: readonly RowDefect[] = [];
