/** What an agent's process takes: to start, at rest, with many keys, and under steady traffic. */
import { type AgentProcess, startAgentProcess } from "../agent/agent-process.ts";
import { type LoadProcess, startLoadProcess } from "../agent/load-process.ts";
import { startNullCollector } from "../agent/null-collector.ts";
import type { Figure, Table } from "../table.ts";
import { median, runsDefault } from "../timing.ts";

const keyCounts = [1_000, 10_000, 100_000];
const spansPerKey = 10;
const keyBatch = 500;
const steadyRate = 12_000;
const steadyBatch = 64;
const steadySeconds = 10;
/** Windows that are not sealed while their keys arrive. */
const aheadMs = 12_000;
const mebibyte = 2 ** 20;

export async function memoryArea(): Promise<Table> {
  const collector = await startNullCollector();
  const load = startLoadProcess();
  const { url } = collector;
  try {
    const figures = [
      await readyFigure(url),
      ...(await keyFigures(url, load)),
      ...(await steadyFigures(url, load)),
    ];
    return { area: "memory", title: "Memory and start of an agent's process", figures };
  } finally {
    load.stop();
    await collector.close();
  }
}

async function readyFigure(collectorUrl: string): Promise<Figure> {
  const taken: number[] = [];
  for (let run = 0; run < runsDefault; run++) {
    const agent = await startAgentProcess({ collectorUrl, probed: false });
    taken.push(agent.readyMs);
    await agent.stop();
  }
  return {
    metric: "ready_ms",
    label: "start of the process to ready",
    value: median(taken),
    unit: "ms",
    goal: { max: 100 },
  };
}

async function keyFigures(collectorUrl: string, load: LoadProcess): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const keys of keyCounts) {
    const agent = await startAgentProcess({ collectorUrl, environment: roomFor(keys) });
    const before = (await agent.usage()).rssBytes;
    const requests = Math.ceil(keys / keyBatch) * spansPerKey;
    const job = {
      protocol: "http",
      gzip: false,
      batch: keyBatch,
      requests,
      keys,
      aheadMs,
    } as const;
    const { rssBytes } = await load.run(agent, job);
    await agent.stop();
    if (keys === keyCounts[0]) figures.push(rssFigure("rss_idle_mib", "RSS, just started", before));
    const label = `RSS, ${keys.toLocaleString("en-US")} keys of ${spansPerKey} spans`;
    figures.push(rssFigure(`rss_${keys}_keys_mib`, label, rssBytes));
    figures.push({
      metric: `bytes_per_key_${keys}`,
      label: `the same, more than at rest, a key`,
      value: (rssBytes - before) / keys,
      unit: "B",
    });
  }
  return figures;
}

/** Limits that let so many keys through; spans are remembered as by default. */
function roomFor(keys: number): Record<string, string> {
  const max = String(Math.min(100_000, Math.max(2_000, Math.ceil(keys / 0.75))));
  return {
    BRUNT_AGENT_KEYS_MAX: max,
    BRUNT_AGENT_OPERATIONS_MAX: max,
  };
}

async function steadyFigures(collectorUrl: string, load: LoadProcess): Promise<Figure[]> {
  const agent = await startAgentProcess({ collectorUrl });
  const { cpuShare, rssBytes } = await steady(agent, load, {
    rate: steadyRate,
    batch: steadyBatch,
    seconds: steadySeconds,
  });
  await agent.stop();
  const traffic = `${steadyRate / 1e3}k spans/s in requests of ${steadyBatch}`;
  return [
    {
      metric: "steady_cpu_pct",
      label: `share of a core, ${traffic}`,
      value: cpuShare * 100,
      unit: "%",
      goal: { max: 6 },
    },
    { ...rssFigure("steady_rss_mib", `RSS, ${traffic}`, rssBytes), goal: { max: 70 } },
  ];
}

/** Steady traffic over HTTP, after two seconds of the same to get warm. */
export async function steady(
  agent: AgentProcess,
  load: LoadProcess,
  traffic: { rate: number; batch: number; seconds: number },
): Promise<{ cpuShare: number; rssBytes: number; spans: number; bytes: number }> {
  const { rate, batch, seconds } = traffic;
  const job = (length: number) => ({
    ...({ protocol: "http", gzip: false, batch, rate } as const),
    requests: Math.round((rate * length) / batch),
  });
  await load.run(agent, job(2));
  const sent = await load.run(agent, job(seconds));
  return {
    cpuShare: sent.cpuMs / 1e3 / sent.seconds,
    rssBytes: sent.rssBytes,
    spans: sent.requests * batch,
    bytes: sent.bytes,
  };
}

function rssFigure(metric: string, label: string, bytes: number): Figure {
  return { metric, label, value: bytes / mebibyte, unit: "MiB" };
}
