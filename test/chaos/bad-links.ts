/**
 * R8: a link that loses three packets in ten, one of a megabit, one whose far end goes down, which
 * the near one may notice, and one that dies without a word.
 */
import { pause, until } from "../processes/wait.ts";
import { type Row, type RowDefect, rowOf } from "../scoreboard-row.ts";
import { type Fleet, metricOf, type Part, startFleet } from "./fleet.ts";
import type { Impairment, NetworkWorld } from "./network-world.ts";
import { judge, startSender, windowMs } from "./oracle.ts";

export interface BadLinkOptions {
  readonly world: NetworkWorld;
  readonly secondsEach: number;
}

const agents = 3;
const warmMs = 30_000;
const drainMs = 120_000;
const sealedAfterMs = 6_000;
const pollMs = 50;
const halfOpenMsMax = 20_000;
const resumedMsMax = 5_000;
const growthMiBMax = 32;
const mebibyte = 2 ** 20;
const impairments: readonly Impairment[] = [
  { lossPercent: 30 },
  { kilobitsPerSecond: 1_000 },
  "down",
  "cut",
];

export async function badLinks({ world, secondsEach }: BadLinkOptions): Promise<Row> {
  const fleet = await startFleet({
    agents,
    collectorHost: world.collectorAddress,
    collector: { wrapper: world.collectorWrapper },
  });
  try {
    return await impairAll(fleet, { world, secondsEach });
  } finally {
    await fleet.remove();
  }
}

async function impairAll(fleet: Fleet, { world, secondsEach }: BadLinkOptions): Promise<Row> {
  const senders = fleet.agents.map((agent) =>
    startSender({ agent: agent.name, port: () => agent.port, spansPerRequest: 50, everyMs: 30 }),
  );
  await pause(warmMs);
  const before = fleet.agents.map(({ process }) => process.rssBytes());
  const growth = (): number =>
    Math.max(...fleet.agents.map(({ process }, at) => process.rssBytes() - (before[at] as number)));
  const worst = { halfOpenMs: 0, resumedMs: 0, drainedMs: 0, growthBytes: 0 };
  for (const impairment of impairments) {
    const failed = await Promise.all(fleet.agents.map(failuresOf));
    world.impair(impairment);
    const sinceMs = Date.now();
    if (impairment === "down" || impairment === "cut") {
      const areNoticed = fleet.agents.map((agent, at) =>
        until(`${agent.name} notices`, async () => (await failuresOf(agent)) > (failed[at] ?? 0), {
          withinMs: halfOpenMsMax * 3,
          everyMs: pollMs,
        }),
      );
      await Promise.all(areNoticed);
      worst.halfOpenMs = Math.max(worst.halfOpenMs, Date.now() - sinceMs);
    }
    await pause(Math.max(0, secondsEach * 1_000 - (Date.now() - sinceMs)));
    worst.growthBytes = Math.max(worst.growthBytes, growth());
    world.impair("none");
    const healedMs = Date.now();
    await resumed(fleet);
    worst.resumedMs = Math.max(worst.resumedMs, Date.now() - healedMs);
    await fleet.drained(drainMs);
    worst.drainedMs = Math.max(worst.drainedMs, Date.now() - healedMs);
    worst.growthBytes = Math.max(worst.growthBytes, growth());
  }
  for (const sender of senders) await sender.stop();
  await pause(windowMs + sealedAfterMs);
  await fleet.settled(drainMs);
  const sent = senders.flatMap((sender) => sender.sent);
  const verdict = await judge(sent, [], fleet.counted);
  const { growthBytes, ...times } = worst;
  return rowOf({
    row: "R8",
    n: impairments.length,
    value: { ...verdict, ...times, agentRssGrowthMiB: Math.round(growthBytes / mebibyte) },
    limit: {
      ...{ undeclaredLoss: 0, overCount: 0, halfOpenMs: halfOpenMsMax },
      ...{ resumedMs: resumedMsMax, agentRssGrowthMiB: growthMiBMax },
    },
  });
}

/** Every agent is heard again: what waits is going, or nothing does. */
async function resumed({ agents: parts }: Fleet): Promise<void> {
  const spoolOf = (part: Part): Promise<number> => metricAt(part, "brunt_agent_spool_records");
  const sentOf = (part: Part): Promise<number> => metricAt(part, "brunt_agent_records_sent_total");
  const areBack = parts.map(async (part) => {
    const before = await sentOf(part);
    const isBack = async (): Promise<boolean> =>
      (await metricAt(part, "brunt_agent_collector_up")) === 1 &&
      ((await spoolOf(part)) === 0 || (await sentOf(part)) > before);
    await until(`${part.name} is back`, isBack, { withinMs: drainMs, everyMs: pollMs });
  });
  await Promise.all(areBack);
}

/** Exchanges with the collector that failed so far. */
function failuresOf(part: Part): Promise<number> {
  return metricAt(part, "brunt_agent_send_failures_total");
}

function metricAt({ port }: Part, name: string): Promise<number> {
  return metricOf(`http://127.0.0.1:${port}/metrics`, name);
}

export const badLinksDefects: readonly RowDefect[] = [
  {
    name: "what is not answered is waited for half a minute",
    caughtBy: "halfOpenMs",
    patches: [
      {
        file: "agent/export/sender.js",
        find: "heartbeatAnswerMsMax = 4_000",
        replace: "heartbeatAnswerMsMax = 30_000",
      },
      {
        file: "agent/export/sender.js",
        find: "const answerMsMax = 15_000",
        replace: "const answerMsMax = 30_000",
      },
      {
        file: "agent/export/http-link.js",
        find: "timeoutMsDefault = 10_000",
        replace: "timeoutMsDefault = 30_000",
      },
    ],
  },
  {
    name: "a collector that is away is asked again after half a minute",
    caughtBy: "resumedMs",
    patches: [{ file: "agent/export/back-off.js", find: "bound * chance", replace: "30_000" }],
  },
];
