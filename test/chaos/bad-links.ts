/**
 * R8: a link that loses three packets in ten, one of a megabit, and one that dies without a word.
 *
 * | seeded defect                                     | caught by          |
 * | ------------------------------------------------- | ------------------ |
 * | a request has no timeout                          | halfOpenMs         |
 * | pauses grow without end                           | resumedMs          |
 * | what waits is kept in memory                      | agentRssGrowthMiB  |
 */
import { pause, until } from "../processes/wait.ts";
import { type Row, type RowDefect, rowOf } from "../scoreboard-row.ts";
import { metricOf, startFleet } from "./fleet.ts";
import type { Impairment, NetworkWorld } from "./network-world.ts";
import { judge, startSender, windowMs } from "./oracle.ts";

export interface BadLinkOptions {
  readonly world: NetworkWorld;
  readonly secondsEach: number;
}

const agents = 3;
const warmMs = 30_000;
const drainMs = 120_000;
const halfOpenMsMax = 20_000;
/** The longest pause between two probes, and the answer to it. */
const resumedMsMax = 35_000;
const mebibyte = 2 ** 20;
const impairments: readonly Impairment[] = [
  { lossPercent: 30 },
  { kilobitsPerSecond: 1_000 },
  "down",
];

export async function badLinks({ world, secondsEach }: BadLinkOptions): Promise<Row> {
  const fleet = await startFleet({
    agents,
    collectorHost: world.collectorAddress,
    collector: { wrapper: world.collectorWrapper },
  });
  const senders = fleet.agents.map((agent) =>
    startSender({ agent: agent.name, port: () => agent.port, spansPerRequest: 50, everyMs: 30 }),
  );
  await pause(warmMs);
  const rss = () => Math.max(...fleet.agents.map(({ process }) => process.rssBytes()));
  const before = rss();
  let growth = 0;
  let halfOpenMs = 0;
  let resumedMs = 0;
  for (const impairment of impairments) {
    const retried = await retries(fleet.agents);
    world.impair(impairment);
    const sinceMs = Date.now();
    if (impairment === "down") {
      await until("a dead link is noticed", async () => (await retries(fleet.agents)) > retried, {
        withinMs: halfOpenMsMax * 3,
        everyMs: 100,
      });
      halfOpenMs = Date.now() - sinceMs;
    }
    await pause(Math.max(0, secondsEach * 1_000 - (Date.now() - sinceMs)));
    growth = Math.max(growth, rss() - before);
    world.impair("none");
    const healedMs = Date.now();
    await fleet.drained(drainMs);
    resumedMs = Math.max(resumedMs, Date.now() - healedMs);
  }
  for (const sender of senders) await sender.stop();
  await pause(windowMs + 6_000);
  await fleet.drained(drainMs);
  const verdict = await judge(
    senders.flatMap(({ sent }) => sent),
    [],
    fleet.counted,
  );
  await fleet.remove();
  return rowOf({
    row: "R8",
    n: impairments.length,
    value: {
      ...verdict,
      halfOpenMs,
      resumedMs,
      agentRssGrowthMiB: Math.round(growth / mebibyte),
    },
    limit: {
      ...{ undeclaredLoss: 0, overCount: 0, halfOpenMs: halfOpenMsMax },
      ...{ resumedMs: resumedMsMax, agentRssGrowthMiB: 32 },
    },
  });
}

/** Sends that failed so far, over all agents. */
async function retries(parts: readonly { readonly port: number }[]): Promise<number> {
  const counts = await Promise.all(
    parts.map(({ port }) =>
      metricOf(`http://127.0.0.1:${port}/metrics`, "brunt_agent_requests_retried_total"),
    ),
  );
  return counts.reduce((sum, count) => sum + count, 0);
}

export const badLinksDefects: readonly RowDefect[] = [];
