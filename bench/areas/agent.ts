/**
 * An agent end to end: real sockets on loopback, requests from a process of its own, the processor
 * time of the agent's process alone. Nothing else of the agent is off: window, pairing, metrics.
 */
import { type AgentProcess, startAgentProcess } from "../agent/agent-process.ts";
import type { Protocol } from "../agent/connection.ts";
import { type LoadProcess, startLoadProcess } from "../agent/load-process.ts";
import { startNullCollector } from "../agent/null-collector.ts";
import type { Figure, Goal, Table } from "../table.ts";
import { median, runsDefault } from "../timing.ts";

const batchSizes = [64, 512, 8_192];
const plainSpansPerRun = 147_456;
/** Fewer, because making the bodies takes the load process longer than reading them the agent. */
const gzipSpansPerRun = 49_152;
/** Room for the spans of every run and for the largest message, so that nothing is refused. */
const environment = {
  BRUNT_AGENT_SPANS_REMEMBERED_MAX: "4000000",
  BRUNT_AGENT_GRPC_BYTES_MAX: String(16 * 2 ** 20),
};
/** Bodies made ahead are for a window that is not sealed meanwhile. */
const aheadMs = 12_000;

/** Million spans a second and core, at 512 a request. */
const goals: Readonly<Record<string, number>> = {
  "http plain": 1.5,
  "http gzip": 1.1,
  "grpc plain": 1.3,
  "grpc gzip": 1,
};

export async function agentArea(): Promise<Table> {
  const collector = await startNullCollector();
  const load = startLoadProcess();
  const figures: Figure[] = [];
  try {
    for (const protocol of ["http", "grpc"] as const) {
      for (const gzip of [false, true]) {
        for (const batch of batchSizes) {
          const agent = await startAgentProcess({ collectorUrl: collector.url, environment });
          figures.push(...(await figuresOf({ agent, load, protocol, gzip, batch })));
          await agent.stop();
        }
      }
    }
  } finally {
    load.stop();
    await collector.close();
  }
  return { area: "agent", title: "Agent end to end over loopback, one core of the agent", figures };
}

async function figuresOf(options: {
  agent: AgentProcess;
  load: LoadProcess;
  protocol: Protocol;
  gzip: boolean;
  batch: number;
}): Promise<Figure[]> {
  const { agent, load, protocol, gzip, batch } = options;
  const requests = Math.round((gzip ? gzipSpansPerRun : plainSpansPerRun) / batch);
  const job = { protocol, gzip, batch, requests, ...(gzip ? { aheadMs } : {}) };
  const microseconds: number[] = [];
  for (let run = 0; run <= runsDefault; run++) {
    const { cpuMs } = await load.run(agent, job);
    if (run > 0) microseconds.push((cpuMs * 1e3) / requests);
  }
  const us = median(microseconds);
  const coding = gzip ? "gzip" : "plain";
  const goal: Goal | undefined =
    batch === 512 ? { min: goals[`${protocol} ${coding}`] as number } : undefined;
  const metric = `${protocol}.${coding}.b${batch}`;
  const label = `OTLP/${protocol === "http" ? "HTTP" : "gRPC"}, ${coding}, ${batch}`;
  return [
    { metric: `${metric}_us`, label: `${label}: CPU a request`, value: us, unit: "us" },
    {
      metric: `${metric}_mspans`,
      label: `${label}: spans`,
      value: batch / us,
      unit: "M/s/core",
      ...(goal === undefined ? {} : { goal }),
    },
  ];
}
