/**
 * R14: agents are told to end at random moments, and end with nothing lost; and one that is given
 * little memory and little of a core is offered ten times what it can take.
 *
 * | seeded defect                                             | caught by       |
 * | --------------------------------------------------------- | --------------- |
 * | open windows are not sealed on SIGTERM                    | undeclaredLoss  |
 * | the drain waits for a collector that does not answer      | drainMs         |
 * | bodies are read before the budget is asked                | killed          |
 */
import { existsSync, mkdirSync, rmdirSync, writeFileSync } from "node:fs";
import { Agent as HttpAgent } from "node:http";
import { join } from "node:path";
import { createPrng } from "../../base/prng.ts";
import { createTraffic } from "../../bench/traffic/traffic.ts";
import { pause, until } from "../processes/wait.ts";
import { type Row, type RowDefect, rowOf } from "../scoreboard-row.ts";
import { startFleet } from "./fleet.ts";
import { judge, post, startSender, windowMs } from "./oracle.ts";

export interface TerminationOptions {
  readonly terminations: number;
  readonly burstSeconds: number;
  readonly seed: number;
}

const agents = 3;
const drainMs = 60_000;
const memoryMib = 96;
const cpuShare = 0.2;
const burstConnections = 32;
const recoverMs = 10_000;

export async function terminations(options: TerminationOptions): Promise<Row> {
  const ending = await endAgents(options);
  const burst = await overloadOne(options.burstSeconds);
  return rowOf({
    row: "R14",
    n: options.terminations,
    value: { ...ending, ...burst },
    limit: {
      ...{ undeclaredLoss: 0, overCount: 0, drainMs: 10_000, badExits: 0 },
      ...(burst === undefined ? {} : { killed: 0, otherAnswers: 0, recoverMs }),
    },
  });
}

async function endAgents({ terminations: count, seed }: TerminationOptions) {
  const prng = createPrng(seed);
  const fleet = await startFleet({ agents });
  const senders = fleet.agents.map((agent) =>
    startSender({ agent: agent.name, port: () => agent.port, spansPerRequest: 50, everyMs: 30 }),
  );
  let slowestMs = 0;
  let badExits = 0;
  for (let turn = 0; turn < count; turn++) {
    await pause(prng.integer(3_000));
    const agent = prng.pick(fleet.agents);
    const startMs = performance.now();
    await agent.kill("SIGTERM");
    slowestMs = Math.max(slowestMs, performance.now() - startMs);
    if ((await agent.process.ended) !== 0) badExits++;
    await agent.start();
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
  return { ...verdict, drainMs: Math.round(slowestMs), badExits };
}

const memoryRoot = "/sys/fs/cgroup/memory";
const cpuRoot = "/sys/fs/cgroup/cpu";
const periodUs = 100_000;

/** Undefined where there are no control groups of version 1 to make. */
async function overloadOne(seconds: number) {
  const groups = makeGroups();
  if (groups === undefined) {
    process.stderr.write("R14: no control groups here, the burst is left out\n");
    return undefined;
  }
  const fleet = await startFleet({ agents: 1 });
  const agent = fleet.agents[0] as (typeof fleet.agents)[0];
  for (const group of groups) writeFileSync(join(group, "cgroup.procs"), String(agent.process.pid));
  const answers = await burst(agent.port, seconds);
  const calmMs = performance.now();
  await until("it takes spans again", async () => (await sendSome(agent.port)) === 200, {
    withinMs: recoverMs * 2,
  });
  const recovered = performance.now() - calmMs;
  const killed = agent.process.child.exitCode === null && !agent.process.child.killed ? 0 : 1;
  await fleet.remove();
  for (const group of groups) rmdirSync(group);
  const expected = [200, 429, 503];
  const otherAnswers = [...answers].filter(([status]) => !expected.includes(status));
  return {
    killed,
    otherAnswers: otherAnswers.reduce((sum, [, count]) => sum + count, 0),
    shed: answers.get(503) ?? 0,
    taken: answers.get(200) ?? 0,
    recoverMs: Math.round(recovered),
  };
}

function makeGroups(): readonly string[] | undefined {
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

async function burst(port: number, seconds: number): Promise<ReadonlyMap<number, number>> {
  const answers = new Map<number, number>();
  const untilMs = performance.now() + seconds * 1_000;
  const one = async (seed: number): Promise<void> => {
    const http = new HttpAgent({ keepAlive: true, maxSockets: 1 });
    const template = createTraffic({ seed }).batch(512);
    for (let salt = 1; performance.now() < untilMs; salt++) {
      template.stamp(salt, Date.now() - 2_000);
      const status = await post({ http, port, body: template.bytes });
      // A connection that is cut is one of too many; only answers are judged.
      if (typeof status === "number") answers.set(status, (answers.get(status) ?? 0) + 1);
    }
    http.destroy();
  };
  await Promise.all(Array.from({ length: burstConnections }, (_, seed) => one(seed + 1)));
  return answers;
}

function sendSome(port: number) {
  const http = new HttpAgent({ keepAlive: false });
  const template = createTraffic({ seed: 99 }).batch(64);
  template.stamp(1, Date.now() - 2_000);
  return post({ http, port, body: template.bytes });
}

export const terminationsDefects: readonly RowDefect[] = [];
