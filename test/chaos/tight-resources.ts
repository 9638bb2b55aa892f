/**
 * One agent in control groups that give it 96 MiB and a fifth of a core, under ten times what it
 * can take, over HTTP and gRPC. What it cannot take it has to refuse so that the sender comes back,
 * and what it took has to reach the collector.
 */
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createTraffic } from "../../bench/traffic/traffic.ts";
import { portOf } from "../processes/brunt-process.ts";
import { until } from "../processes/wait.ts";
import { type Fleet, startFleet } from "./fleet.ts";
import { createGrpcPoster, createHttpPoster, type Outcome, type Poster } from "./otlp-posters.ts";

const memoryMib = 96;
const cpuShare = 0.2;
const periodUs = 100_000;
const memoryRoot = "/sys/fs/cgroup/memory";
const cpuRoot = "/sys/fs/cgroup/cpu";
/** Of each protocol; together their requests are many times the bytes the agent holds. */
const connections = 32;
const spansPerRequest = 2_048;
/** What an agent of this size is given: fewer bytes in flight, a small heap, less to pair. */
const small = {
  nodeOptions: ["--max-old-space-size=48", "--semi-space-growth-factor=1"],
  environment: {
    BRUNT_AGENT_BYTES_IN_FLIGHT_MAX: String(4 * 2 ** 20),
    BRUNT_AGENT_SPANS_REMEMBERED_MAX: "50000",
  },
} as const;
const recoverMsMax = 60_000;
const drainMs = 60_000;

/** Undefined where there are no control groups of version 1 to make. */
export async function overloadOne(seconds: number) {
  const groups = makeGroups();
  if (groups === undefined) {
    process.stderr.write("R14: no control groups here, the burst is left out\n");
    return undefined;
  }
  try {
    const join = `${groups.map((group) => `echo $$ > ${group}/cgroup.procs`).join(" && ")}`;
    const wrapper = ["sh", "-c", `${join} && exec "$@"`, "sh"];
    const fleet = await startFleet({ agents: 1, agent: { ...small, wrapper } });
    try {
      return await burst(fleet, { seconds, oomKills: () => oomKillsOf(groups[0]) });
    } finally {
      await fleet.remove();
    }
  } finally {
    for (const group of groups) rmdirSync(group);
  }
}

function makeGroups(): readonly [string, string] | undefined {
  if (!existsSync(memoryRoot) || !existsSync(cpuRoot)) return undefined;
  try {
    const name = `brunt-${process.pid}`;
    const memory = join(memoryRoot, name);
    const cpu = join(cpuRoot, name);
    for (const path of [memory, cpu]) mkdirSync(path);
    writeFileSync(join(memory, "memory.limit_in_bytes"), String(memoryMib * 2 ** 20));
    writeFileSync(join(cpu, "cpu.cfs_period_us"), String(periodUs));
    writeFileSync(join(cpu, "cpu.cfs_quota_us"), String(periodUs * cpuShare));
    return [memory, cpu];
  } catch {
    return undefined;
  }
}

function oomKillsOf(memory: string): number {
  const control = readFileSync(join(memory, "memory.oom_control"), "utf8");
  return Number(/^oom_kill (\d+)$/m.exec(control)?.[1] ?? 0);
}

async function burst(
  fleet: Fleet,
  { seconds, oomKills }: { readonly seconds: number; readonly oomKills: () => number },
) {
  const agent = fleet.agents[0] as (typeof fleet.agents)[0];
  const grpcPort = await portOf(agent.process, "grpcPort");
  const counts = { taken: 0, shed: 0, unsure: 0, other: 0 };
  const count = (outcome: Outcome): void => {
    counts[outcome]++;
  };
  const untilMs = performance.now() + seconds * 1_000;
  const posters = Array.from({ length: connections }, () => [
    createHttpPoster(agent.port),
    createGrpcPoster(grpcPort),
  ]).flat();
  await Promise.all(
    posters.map((poster, at) =>
      sendAll(poster, { seed: at + 1, untilMs, count }).finally(() => poster.close()),
    ),
  );
  const calmMs = performance.now();
  const isTaken = async (): Promise<boolean> => {
    const poster = createHttpPoster(agent.port);
    const outcome = await sendOne(poster, { seed: 99, salt: 1 });
    poster.close();
    count(outcome);
    return outcome === "taken";
  };
  await until("it takes spans again", isTaken, { withinMs: recoverMsMax });
  const recoverMs = Math.round(performance.now() - calmMs);
  const hasEnded = agent.process.child.exitCode !== null || agent.process.child.signalCode !== null;
  const oom = oomKills();
  await agent.kill("SIGTERM");
  await agent.start();
  await fleet.drained(drainMs);
  const { totals } = await fleet.ledger();
  const spans = { taken: counts.taken * spansPerRequest, unsure: counts.unsure * spansPerRequest };
  return {
    oomKills: oom + (hasEnded ? 1 : 0),
    otherAnswers: counts.other,
    shed: counts.shed,
    burstTaken: spans.taken,
    burstLoss: Math.max(0, spans.taken - totals.appliedSpans),
    burstOverCount: Math.max(0, totals.appliedSpans - spans.taken - spans.unsure),
    // A burst that it can take whole shows nothing.
    notShed: counts.shed > 0 ? 0 : 1,
    recoverMs,
  };
}

async function sendAll(
  poster: Poster,
  about: { readonly seed: number; readonly untilMs: number; count(outcome: Outcome): void },
): Promise<void> {
  const { seed, untilMs, count } = about;
  for (let salt = 1; performance.now() < untilMs; salt++) {
    count(await sendOne(poster, { seed, salt }));
  }
}

const templates = new Map<number, ReturnType<ReturnType<typeof createTraffic>["batch"]>>();

function sendOne(
  poster: Poster,
  { seed, salt }: { readonly seed: number; readonly salt: number },
): Promise<Outcome> {
  const template = templates.get(seed) ?? createTraffic({ seed }).batch(spansPerRequest);
  templates.set(seed, template);
  template.stamp(salt, Date.now() - 2_000);
  return poster.post(template.bytes);
}
