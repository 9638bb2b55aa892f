/**
 * R7: the network between agents and collector is cut for a while, again and again. The collector
 * has to see that it hears nobody, take it for no drop in traffic, and get what is newest first
 * once the network is back.
 */
import type { Incident, LedgerReport } from "../../wire/api-types.ts";
import { pause, until } from "../processes/wait.ts";
import { noRow, type Row, type RowDefect, rowOf } from "../scoreboard-row.ts";
import { type Fleet, metricIn, metricOf, type Part, startFleet } from "./fleet.ts";
import type { NetworkWorld } from "./network-world.ts";
import { judge, startSender, windowMs } from "./oracle.ts";

export interface PartitionOptions {
  readonly world: NetworkWorld;
  /** How long each cut lasts. */
  readonly cutSeconds: readonly number[];
}

const agents = 3;
const learningMs = 40_000;
const drainMs = 60_000;
/** A window is sealed five seconds after its end, and written. */
const sealedAfterMs = 6_000;
const newestMsMax = 5_000;
const flaggedMsMax = 15_000;
const drainRatioMin = 20;
const pollMs = 50;
/** Below this share a window says nothing about traffic. */
const coverageMin = 0.95;

export async function partitions({ world, cutSeconds }: PartitionOptions): Promise<Row> {
  const fleet = await startFleet({
    agents,
    collectorHost: world.collectorAddress,
    collector: { wrapper: world.collectorWrapper },
  });
  try {
    return await cutAll(fleet, { world, cutSeconds });
  } finally {
    await fleet.remove();
  }
}

async function cutAll(fleet: Fleet, { world, cutSeconds }: PartitionOptions): Promise<Row> {
  const senders = fleet.agents.map((agent) =>
    startSender({ agent: agent.name, port: () => agent.port, spansPerRequest: 50, everyMs: 30 }),
  );
  await pause(learningMs);
  const cuts: Cut[] = [];
  for (const seconds of cutSeconds) {
    cuts.push(await cutOnce(fleet, { world, seconds }));
    await pause(windowMs);
  }
  for (const sender of senders) await sender.stop();
  await pause(windowMs + sealedAfterMs);
  await fleet.settled(drainMs);
  const incidents = JSON.parse(
    await world.readAtCollector(`${urlOf(fleet, world)}/api/v1/incidents`),
  ) as Incident[];
  const sent = senders.flatMap((sender) => sender.sent);
  const verdict = await judge(sent, [], fleet.counted);
  const { streams } = await fleet.ledger();
  return rowOf({
    row: "R7",
    n: cutSeconds.length,
    value: {
      ...verdict,
      declared: streams.reduce((sum, { lostSpans }) => sum + lostSpans, 0),
      flaggedMs: Math.max(...cuts.map(({ flaggedMs }) => flaggedMs)),
      newestMs: Math.max(...cuts.map(({ newestMs }) => newestMs)),
      slowDrain: Math.max(...cuts.map(({ slowDrain }) => slowDrain)),
      incidents: incidents.length,
    },
    limit: {
      // Spools are far from full, so there is nothing to declare either.
      ...{ undeclaredLoss: 0, overCount: 0, declared: 0, flaggedMs: flaggedMsMax },
      ...{ newestMs: newestMsMax, slowDrain: 1, incidents: 0 },
    },
  });
}

interface Cut {
  /** From the cut to when the collector says that it hears too few. */
  readonly flaggedMs: number;
  /** From the heal to when the newest window of every agent is at the collector. */
  readonly newestMs: number;
  /** How long the backlog took, in twentieths of the time it is of. */
  readonly slowDrain: number;
}

async function cutOnce(
  fleet: Fleet,
  { world, seconds }: { readonly world: NetworkWorld; readonly seconds: number },
): Promise<Cut> {
  const metric = async (name: string): Promise<number> =>
    metricIn(await world.readAtCollector(`${urlOf(fleet, world)}/metrics`), name);
  world.impair("cut");
  const cutAtMs = Date.now();
  const isFlagged = async (): Promise<boolean> =>
    (await metric("brunt_collector_coverage_now_ratio")) < coverageMin;
  await until("the collector says that agents are silent", isFlagged, {
    withinMs: seconds * 1_000,
    everyMs: 100,
  });
  const flaggedMs = Date.now() - cutAtMs;
  await pause(Math.max(0, cutAtMs + seconds * 1_000 - Date.now()));
  const before = JSON.parse(
    await world.readAtCollector(`${urlOf(fleet, world)}/api/v1/ledger`),
  ) as LedgerReport;
  world.impair("none");
  const healedAtMs = Date.now();
  const newest = Math.floor((healedAtMs - sealedAfterMs) / windowMs) * windowMs - windowMs;
  const returns = await Promise.all(
    fleet.agents.map((agent) => watchReturn(fleet, { agent, before, newest })),
  );
  const newestAtMs = Math.max(...returns.map((one) => one.newestAtMs));
  const drainedMs = Math.max(...returns.map((one) => one.drainedMs));
  const slowDrain = (drainedMs * drainRatioMin) / (seconds * 1_000);
  return {
    flaggedMs,
    newestMs: newestAtMs - healedAtMs,
    slowDrain: Math.round(slowDrain * 100) / 100,
  };
}

/** When the newest window of an agent is at the collector; from its first record to its last. */
async function watchReturn(
  fleet: Fleet,
  about: { readonly agent: Part; readonly before: LedgerReport; readonly newest: number },
): Promise<{ readonly newestAtMs: number; readonly drainedMs: number }> {
  const { agent, before, newest } = about;
  const { name } = agent;
  const wait = { withinMs: drainMs, everyMs: pollMs };
  const isBack = async (): Promise<boolean> =>
    appliedOf(await fleet.ledger(), name) > appliedOf(before, name);
  await until(`a record of ${name} comes`, isBack, wait);
  const backAtMs = Date.now();
  const isThere = async (): Promise<boolean> =>
    (await fleet.counted({ agent: name, startMs: newest })) > 0;
  await until(`the newest window of ${name} is there`, isThere, wait);
  const newestAtMs = Date.now();
  const metrics = `http://127.0.0.1:${agent.port}/metrics`;
  const isDrained = async (): Promise<boolean> =>
    (await metricOf(metrics, "brunt_agent_spool_records")) === 0;
  await until(`all of ${name} is there`, isDrained, wait);
  return { newestAtMs, drainedMs: Date.now() - backAtMs };
}

function appliedOf({ streams }: LedgerReport, name: string): number {
  return streams
    .filter(({ agent }) => agent === name)
    .reduce((sum, { appliedRecords }) => sum + appliedRecords, 0);
}

function urlOf({ collector }: Fleet, { collectorAddress }: NetworkWorld): string {
  return `http://${collectorAddress}:${collector.port}`;
}

export const partitionsDefects: readonly RowDefect[] = [
  {
    name: "silence is noticed ten seconds too late",
    caughtBy: "flaggedMs",
    patches: [
      {
        file: "collector/windows/liveness.js",
        find: "silentAfterMs = 15_000",
        replace: "silentAfterMs = 25_000",
      },
    ],
  },
  {
    name: "a record that is not answered is given up, so the newest never comes",
    caughtBy: noRow,
    patches: [
      {
        file: "agent/export/sender.js",
        find: 'remedyOf(cause.code) : "keep"',
        replace: '"lose" : "keep"',
      },
    ],
  },
];
