/**
 * What an agent costs while its collector is away: gone, so that connections are refused, and mute,
 * so that connections are taken and nothing is answered; each beside the healthy time before it.
 */
import { type AgentProcess, startAgentProcess } from "../agent/agent-process.ts";
import { type LoadProcess, startLoadProcess } from "../agent/load-process.ts";
import { type NullCollector, startNullCollector } from "../agent/null-collector.ts";
import type { Figure, Table } from "../table.ts";
import { median } from "../timing.ts";
import { steady } from "./memory.ts";

const rounds = 3;
const traffic = { rate: 10_000, batch: 512, seconds: 20 };
const mebibyte = 2 ** 20;
const ratioMax = 1.3;

type Absence = "gone" | "mute";

interface Seen {
  readonly cpuShare: number;
  readonly rssBytes: number;
}

export async function awayArea(): Promise<Table> {
  const load = startLoadProcess();
  const figures = [...(await figuresOf("gone", load)), ...(await figuresOf("mute", load))];
  load.stop();
  return { area: "away", title: "An agent whose collector is away, 10,000 spans/s", figures };
}

async function figuresOf(absence: Absence, load: LoadProcess): Promise<Figure[]> {
  let collector = await startNullCollector();
  const { port } = collector;
  const agent = await startAgentProcess({ collectorUrl: collector.url });
  const healthy: Seen[] = [];
  const away: Seen[] = [];
  for (let round = 0; round < rounds; round++) {
    healthy.push(await steady(agent, load, traffic));
    away.push(await whileAway(absence, collector, { agent, load }));
    if (absence === "gone") collector = await startNullCollector(port);
  }
  await agent.stop();
  await collector.close();
  const ratios = away.map(({ cpuShare }, round) => cpuShare / (healthy[round] as Seen).cpuShare);
  const growth = Math.max(...away.map(rssOf)) - Math.max(...healthy.map(rssOf));
  return [
    {
      metric: `${absence}_cpu_pct`,
      label: `${absence}: share of a core`,
      value: median(away.map(({ cpuShare }) => cpuShare)) * 100,
      unit: "%",
    },
    {
      metric: `${absence}_cpu_ratio`,
      label: `${absence}: times the share while it is there`,
      value: median(ratios),
      unit: "x",
      goal: { max: ratioMax },
    },
    {
      metric: `${absence}_rss_mib`,
      label: `${absence}: RSS, more than while it is there`,
      value: growth / mebibyte,
      unit: "MiB",
    },
  ];
}

async function whileAway(
  absence: Absence,
  collector: NullCollector,
  { agent, load }: { readonly agent: AgentProcess; readonly load: LoadProcess },
): Promise<Seen> {
  if (absence === "gone") await collector.close();
  else collector.answer(false);
  const seen = await steady(agent, load, traffic);
  collector.answer(true);
  return seen;
}

function rssOf({ rssBytes }: Seen): number {
  return rssBytes;
}
