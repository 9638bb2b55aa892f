/**
 * The two sides of a call at different agents: every true edge is found and none invented, with
 * one agent and with eight, whichever process reports to which.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type Agent, createAgent } from "../../agent/agent.ts";
import { parseAgentConfig } from "../../agent/config.ts";
import { createVirtualClock } from "../../base/clock.ts";
import { silentLog } from "../../base/log.ts";
import { createMeter } from "../../base/meter.ts";
import { createPrng } from "../../base/prng.ts";
import { nodeDisk } from "../../cli/node-disk.ts";
import { createCollector } from "../../collector/collector.ts";
import { defaultCollectorConfig } from "../../collector/config.ts";
import { createDecider } from "../../collector/stages/decider.ts";
import { transcodeOtlpJson } from "../../wire/otlp-json.ts";
import { createSystem, requestOf, type Spans, traceRequest, trueEdges } from "./traces.ts";

const startMs = 1_800_000_000_000;
const requestsPerWindow = 40;
const windows = 3;

interface Found {
  readonly edges: readonly string[];
  readonly truth: readonly string[];
  readonly calls: number;
  readonly paired: number;
}

async function check({ seed, agentsCount }: { seed: number; agentsCount: number }): Promise<Found> {
  const prng = createPrng(seed);
  const system = createSystem(prng, 12);
  const clock = createVirtualClock(startMs);
  const dataDir = mkdtempSync(join(tmpdir(), "brunt-edges-"));
  const decider = createDecider({ customersMin: 5, falsePagesPerWeek: 1 });
  const shared = { clock, log: silentLog };
  const collector = createCollector(
    { ...defaultCollectorConfig(), port: 0, dataDir, uiDir: "" },
    { ...shared, meter: createMeter(), decider, disk: nodeDisk },
  );
  await collector.start();
  const agents = Array.from({ length: agentsCount }, () => {
    const config = parseAgentConfig({ listen: false, hashKey: "0f".repeat(16) });
    if (!config.ok) throw new Error(config.error.join());
    const randomBytes = (size: number) =>
      Uint8Array.from({ length: size }, () => prng.integer(256));
    return createAgent(config.value, {
      ...shared,
      meter: createMeter(),
      link: collector.link,
      disk: nodeDisk,
      randomBytes,
    });
  });
  for (const agent of agents) await agent.start();
  const flush = () => Promise.all(agents.map((agent) => agent.flush()));
  const home = new Map<string, Agent>();
  for (let window = 0; window < windows; window++) {
    const spans: Spans = new Map();
    for (let request = 0; request < requestsPerWindow; request++) {
      traceRequest({ system, prng, spans }, clock.nowMs() + prng.integer(9_000));
    }
    for (let second = 0; second < 10; second++) {
      clock.advance(1_000);
      await flush();
    }
    for (const [process, list] of spans) {
      const agent = home.get(process) ?? prng.pick(agents);
      home.set(process, agent);
      const bytes = transcodeOtlpJson(requestOf(process, list));
      if (!bytes.ok) throw new Error(bytes.error.message);
      const taken = agent.ingest(bytes.value);
      expect(taken.ok && taken.value.rejected).toBe(0);
    }
    await flush();
  }
  for (let second = 0; second < 30; second++) {
    clock.advance(1_000);
    await flush();
    await collector.settled();
  }
  const graph = decider.graph();
  await Promise.all(agents.map((agent) => agent.shutdown()));
  await collector.shutdown();
  rmSync(dataDir, { recursive: true });
  const calls = graph.edges.filter(
    ({ caller, callee }) =>
      !/^(kafka|postgresql)/.test(caller) && !/^(kafka|postgresql)/.test(callee),
  );
  return {
    edges: graph.edges.map(({ caller, callee }) => `${caller} -> ${callee}`).sort(),
    truth: trueEdges(system),
    calls: calls.length,
    paired: calls.filter(({ paired }) => paired === 1).length,
  };
}

test.each([1, 8].flatMap((agentsCount) => [1, 2, 3, 4, 5].map((seed) => ({ agentsCount, seed }))))(
  "$agentsCount agents, seed $seed",
  async ({ agentsCount, seed }) => {
    const { edges, truth, calls, paired } = await check({ seed, agentsCount });
    expect(edges).toEqual(truth);
    expect(paired).toBe(calls);
  },
);
