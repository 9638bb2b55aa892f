/** A billion spans a day through one agent: the mean rate, and three times that. */
import { startAgentProcess } from "../agent/agent-process.ts";
import { startLoadProcess } from "../agent/load-process.ts";
import { startNullCollector } from "../agent/null-collector.ts";
import type { Figure, Table } from "../table.ts";
import { steady } from "./memory.ts";

const spansPerDay = 1e9;
const meanRate = Math.round(spansPerDay / 86_400);
const phases = [
  { name: "mean", rate: meanRate },
  { name: "peak", rate: 3 * meanRate },
] as const;
const batch = 512;
const seconds = 10;
const mebibyte = 2 ** 20;
const gigabyte = 1e9;

export async function dayArea(): Promise<Table> {
  const figures: Figure[] = [];
  const load = startLoadProcess();
  for (const phase of phases) figures.push(...(await phaseFigures(phase, load)));
  load.stop();
  return { area: "day", title: "A billion spans a day through one agent", figures };
}

async function phaseFigures(
  { name, rate }: (typeof phases)[number],
  load: ReturnType<typeof startLoadProcess>,
): Promise<Figure[]> {
  const collector = await startNullCollector();
  const agent = await startAgentProcess({ collectorUrl: collector.url });
  const seen = await steady(agent, load, { rate, batch, seconds });
  // Ending, the agent sends what it has not sent yet, so that every span is in some batch.
  await agent.stop();
  await collector.close();
  const shippedPerSpan = collector.bytes / (rate * (seconds + 2));
  const at = `at ${rate.toLocaleString("en-US")} spans/s`;
  return [
    {
      metric: `${name}_cpu_pct`,
      label: `share of a core ${at}`,
      value: seen.cpuShare * 100,
      unit: "%",
    },
    {
      metric: `${name}_rss_mib`,
      label: `RSS ${at}`,
      value: seen.rssBytes / mebibyte,
      unit: "MiB",
    },
    {
      metric: `${name}_received_gb_day`,
      label: `OTLP received ${at}`,
      value: ((seen.bytes / seen.spans) * rate * 86_400) / gigabyte,
      unit: "GB/day",
    },
    {
      metric: `${name}_shipped_gb_day`,
      label: `sketches shipped ${at}`,
      value: (shippedPerSpan * rate * 86_400) / gigabyte,
      unit: "GB/day",
    },
  ];
}
