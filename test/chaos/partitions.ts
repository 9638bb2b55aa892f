/**
 * R7: the network between agents and collector is cut for a while, again and again.
 *
 * | seeded defect                                        | caught by         |
 * | ---------------------------------------------------- | ----------------- |
 * | an unanswered record is dropped after some retries   | undeclaredLoss    |
 * | the backlog is sent oldest first, before the newest  | newestMs          |
 * | silence lowers no coverage                           | flaggedMs         |
 */
import type { Incident, WindowSummary } from "../../wire/api-types.ts";
import { pause, until } from "../processes/wait.ts";
import { type Row, type RowDefect, rowOf } from "../scoreboard-row.ts";
import { startFleet } from "./fleet.ts";
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
const newestMsMax = 5_000;

export async function partitions({ world, cutSeconds }: PartitionOptions): Promise<Row> {
  const fleet = await startFleet({
    agents,
    collectorHost: world.collectorAddress,
    collector: { wrapper: world.collectorWrapper },
  });
  const read = async <T>(path: string): Promise<T> => {
    const url = `http://${world.collectorAddress}:${fleet.collector.port}/api/v1/${path}`;
    return (await fetch(url)).json() as Promise<T>;
  };
  const senders = fleet.agents.map((agent) =>
    startSender({ agent: agent.name, port: () => agent.port, spansPerRequest: 50, everyMs: 30 }),
  );
  await pause(learningMs);
  const newestMs: number[] = [];
  let drainRatio = Number.POSITIVE_INFINITY;
  for (const seconds of cutSeconds) {
    world.impair("cut");
    await pause(seconds * 1_000);
    const healedAtMs = Date.now();
    const newest = Math.floor((healedAtMs - 5_000) / windowMs) * windowMs - windowMs;
    world.impair("none");
    for (const { name } of fleet.agents) {
      await until(
        "the newest window is there",
        async () => (await fleet.counted({ agent: name, startMs: newest })) > 0,
        { withinMs: drainMs, everyMs: 100 },
      );
    }
    newestMs.push(Date.now() - healedAtMs);
    await fleet.drained(drainMs);
    drainRatio = Math.min(drainRatio, (seconds * 1_000) / (Date.now() - healedAtMs));
    await pause(windowMs);
  }
  for (const sender of senders) await sender.stop();
  await pause(windowMs + 6_000);
  await fleet.drained(drainMs);
  const incidents = await read<Incident[]>("incidents");
  const windows = await read<WindowSummary[]>("windows?limit=1000");
  const verdict = await judge(
    senders.flatMap(({ sent }) => sent),
    [],
    fleet.counted,
  );
  await fleet.remove();
  return rowOf({
    row: "R7",
    n: cutSeconds.length,
    value: {
      ...verdict,
      newestMs: Math.max(...newestMs),
      slowDrain: Math.round((20 / drainRatio) * 100) / 100,
      incidents: incidents.length,
      // Nothing reached the collector in a cut, so its windows had no coverage at first.
      notFlagged: windows.some(({ revised }) => revised) ? 0 : 1,
    },
    limit: {
      ...{ undeclaredLoss: 0, overCount: 0, newestMs: newestMsMax, slowDrain: 1 },
      ...{ incidents: 0, notFlagged: 0 },
    },
  });
}

export const partitionsDefects: readonly RowDefect[] = [];
