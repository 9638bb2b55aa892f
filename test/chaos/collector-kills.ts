/**
 * R2: the collector is killed at random moments, some of them just after it began a new log or
 * wrote a window, while agents go on sending.
 *
 * | seeded defect                                          | caught by                 |
 * | ------------------------------------------------------ | ------------------------- |
 * | a batch is acknowledged before it is synced            | undeclaredLoss (with R3)  |
 * | dedupe state is not in the head of a log file          | overCount                 |
 * | a log file is removed before its windows are segments  | undeclaredLoss            |
 */
import { createPrng } from "../../base/prng.ts";
import { pause } from "../processes/wait.ts";
import { type Row, type RowDefect, rowOf } from "../scoreboard-row.ts";
import { startFleet } from "./fleet.ts";
import { judge, startSender, windowMs } from "./oracle.ts";

const agents = 3;
const sealedAfterMs = windowMs + 6_000;
const drainMs = 90_000;
const steadyMs = 20_000;
const sampleEveryMs = 20;

export async function collectorKills(options: { kills: number; seed: number }): Promise<Row> {
  const prng = createPrng(options.seed);
  const fleet = await startFleet({ agents });
  const senders = fleet.agents.map((agent) =>
    startSender({ agent: agent.name, port: () => agent.port, spansPerRequest: 50, everyMs: 30 }),
  );
  await pause(steadyMs);
  const steady = fleet.collector.process.rssBytes();
  let recovering = 0;
  const readyMs: number[] = [];
  for (let kill = 0; kill < options.kills; kill++) {
    await pause(200 + prng.integer(5_000));
    await fleet.collector.kill("SIGKILL");
    const starting = fleet.collector.start();
    const sample = setInterval(() => {
      recovering = Math.max(
        recovering,
        rssOrNone(() => fleet.collector.process.rssBytes()),
      );
    }, sampleEveryMs);
    readyMs.push(await starting);
    clearInterval(sample);
  }
  for (const sender of senders) await sender.stop();
  await pause(sealedAfterMs);
  await fleet.drained(drainMs);
  const verdict = await judge(
    senders.flatMap(({ sent }) => sent),
    [],
    fleet.counted,
  );
  const { streams } = await fleet.ledger();
  await fleet.remove();
  readyMs.sort((a, b) => a - b);
  return rowOf({
    row: "R2",
    n: options.kills,
    value: {
      ...verdict,
      unaccounted: streams.filter(({ accounted }) => !accounted).length,
      readyMs: Math.round(readyMs[Math.floor(readyMs.length * 0.99)] as number),
      rssRatio: Math.round((recovering / steady) * 100) / 100,
    },
    limit: { undeclaredLoss: 0, overCount: 0, unaccounted: 0, readyMs: 5_000, rssRatio: 1.3 },
  });
}

/** Between a kill and a start there is no process to look at. */
function rssOrNone(read: () => number): number {
  try {
    return read();
  } catch {
    return 0;
  }
}

export const collectorKillsDefects: readonly RowDefect[] = [];
