/**
 * R9: what is sent arrives twice, late, out of order, and once more long after; a spool is copied
 * to a second agent; a spool is put back to what it was; applications repeat requests byte by byte.
 *
 * What the collector has taken goes to another one as well, once and in good order; in the end both
 * have to know the same.
 */
import { cpSync, rmSync } from "node:fs";
import { Agent as HttpAgent } from "node:http";
import { createPrng } from "../../base/prng.ts";
import type { KeySummary } from "../../wire/api-types.ts";
import { fixtureStartMs, requestOf } from "../agent/fixture.ts";
import { pause } from "../processes/wait.ts";
import { type Row, type RowDefect, rowOf } from "../scoreboard-row.ts";
import { type Fleet, metricOf, type Part, startFleet } from "./fleet.ts";
import { judge, post, type Sent, startSender, type Window, windowMs } from "./oracle.ts";
import { startRepeatingProxy } from "./repeating-proxy.ts";

export interface RepetitionOptions {
  readonly seconds: number;
  readonly delayMsMax: number;
  readonly seed: number;
}

const sealedAfterMs = windowMs + 6_000;
const drainMs = 90_000;
const repeats = 20;
const repeatedSpans = 10;
const slowestMs = 1_000;
/** What is replayed has been merged by then, should anybody merge it. */
const mergedWithinMs = 3_000;

export async function repetition(options: RepetitionOptions): Promise<Row> {
  const proxy = await startRepeatingProxy(createPrng(options.seed), options.delayMsMax);
  const clean = await startFleet({ agents: 0 });
  proxy.clean = clean.collector.port;
  const fleet = await startFleet({
    agents: 3,
    collectorUrl: (port) => {
      proxy.target = port;
      return `http://127.0.0.1:${proxy.port}`;
    },
  });
  const senders = fleet.agents.map((agent) =>
    startSender({ agent: agent.name, port: () => agent.port, spansPerRequest: 20, everyMs: 50 }),
  );
  const [first, second, third] = fleet.agents as [Part, Part, Part];
  const repeated = await repeatRequests(first.port);
  await pause((options.seconds * 1_000) / 2);
  // An image of the second agent's disk, from before half of what it will do.
  await second.kill("SIGTERM");
  const image = `${second.directory}.image`;
  cpSync(second.directory, image, { recursive: true });
  await second.start();
  await pause((options.seconds * 1_000) / 2);
  await second.kill("SIGTERM");
  rmSync(second.directory, { recursive: true });
  cpSync(image, second.directory, { recursive: true });
  await second.start();
  // The third agent's disk appears under another agent, and both go on.
  await third.kill("SIGTERM");
  const clone = await fleet.addAgent("agent-clone", (directory) => {
    cpSync(third.directory, directory, { recursive: true });
  });
  await third.start();
  const cloneSender = startSender({
    ...{ agent: clone.name, port: () => clone.port, spansPerRequest: 20, everyMs: 50 },
  });
  await pause(sealedAfterMs);
  for (const sender of [...senders, cloneSender]) await sender.stop();
  await pause(sealedAfterMs);
  await fleet.drained(drainMs);
  const replayed = await proxy.replay();
  await pause(mergedWithinMs);
  const sent = [...[...senders, cloneSender].flatMap((sender) => sender.sent), ...repeated];
  const verdict = await judge(sent, [], fleet.counted);
  const difference = await differenceOf({ fleet, clean, sent });
  // Of the two that share a spool one has to take a new stream, and so has the one set back.
  const renewed = await Promise.all([second, third, clone].map(renewedStreams));
  const [bySetBack, byThird, byClone] = renewed as [number, number, number];
  const forksMissed = Number(bySetBack === 0) + Number(byThird + byClone === 0);
  await fleet.remove();
  await clean.remove();
  proxy.close();
  const { duplicated, delayed } = proxy;
  return rowOf({
    row: "R9",
    n: proxy.forwarded,
    value: {
      ...{ ...verdict, duplicated, delayed, replayed, ...difference },
      forksMissed,
    },
    limit: {
      ...{ undeclaredLoss: 0, overCount: 0, forksMissed: 0 },
      ...{ keysOff: 0, p99OffShare: 0.005 },
    },
  });
}

function renewedStreams({ port }: Part): Promise<number> {
  return metricOf(`http://127.0.0.1:${port}/metrics`, "brunt_agent_streams_renewed_total");
}

/**
 * How the keys of two collectors differ: in any count or in the estimate of customers, which is the
 * same number only where all registers are, and by how much in the 99th percentile.
 */
async function differenceOf(about: {
  readonly fleet: Fleet;
  readonly clean: Fleet;
  readonly sent: readonly Sent[];
}): Promise<{ keysOff: number; p99OffShare: number }> {
  let [keysOff, p99OffShare] = [0, 0];
  for (const window of about.sent) {
    const have = await keysOf(about.fleet, window);
    const wanted = await keysOf(about.clean, window);
    for (const name of new Set([...have.keys(), ...wanted.keys()])) {
      const [one, other] = [have.get(name), wanted.get(name)];
      if (exactOf(one) !== exactOf(other)) keysOff++;
      if (one === undefined || other === undefined) continue;
      p99OffShare = Math.max(p99OffShare, Math.abs(one.p99Ms / other.p99Ms - 1));
    }
  }
  return { keysOff, p99OffShare };
}

function exactOf(summary: KeySummary | undefined): string {
  if (summary === undefined) return "";
  const { count, errors, slow, customers } = summary;
  return JSON.stringify({ count, errors, slow, customers });
}

async function keysOf({ collector }: Fleet, { agent, startMs }: Window) {
  const query = `service=${agent}&from=${startMs}&to=${startMs + windowMs}&limit=1000`;
  const response = await fetch(`http://127.0.0.1:${collector.port}/api/v1/keys?${query}`);
  const keys = (await response.json()) as readonly KeySummary[];
  return new Map(keys.map((summary) => [JSON.stringify(summary.key), summary]));
}

/** Requests whose answers an SDK did not hear, so that it sends the same bytes again. */
async function repeatRequests(port: number): Promise<Sent[]> {
  const http = new HttpAgent({ keepAlive: true, maxSockets: 1 });
  const tallies = new Map<number, number>();
  for (let number = 0; number < repeats; number++) {
    const nowMs = Date.now();
    const at = nowMs - fixtureStartMs;
    const body = requestOf(
      Array.from({ length: repeatedSpans }, (_, index) => {
        const id = 1_000_000 + number * repeatedSpans + index;
        const from = at - ((id * 7) % slowestMs);
        const attributes = { "customer.id": `customer-${id}` };
        return { service: "repeated", name: "work", trace: id, id, from, to: at, attributes };
      }),
    );
    for (let time = 0; time < 3; time++) await post({ http, port, body });
    const startMs = Math.floor(nowMs / windowMs) * windowMs;
    tallies.set(startMs, (tallies.get(startMs) ?? 0) + repeatedSpans);
  }
  http.destroy();
  return [...tallies].map(([startMs, taken]) => ({ agent: "repeated", startMs, taken, unsure: 0 }));
}

export const repetitionDefects: readonly RowDefect[] = [
  {
    name: "numbers that are there are not looked at",
    caughtBy: "overCount",
    patches: [
      {
        file: "collector/ingest/streams.js",
        find: "!hasNumber(stream.intervals, record.seq)",
        replace: "true",
      },
    ],
  },
  {
    name: "another batch under a number that is there passes for a repetition",
    caughtBy: "undeclaredLoss",
    patches: [
      {
        file: "collector/ingest/streams.js",
        find: '"duplicate" : "forked"',
        replace: '"duplicate" : "duplicate"',
      },
      {
        file: "agent/spool/stream-numbers.js",
        find: "return lastNumber(have) > lastSeq ||",
        replace: "return",
      },
    ],
  },
  {
    name: "a request that comes again is counted again",
    caughtBy: "overCount",
    patches: [
      { file: "agent/reduce/retry-memory.js", find: "retryMs === 0 ||", replace: "true ||" },
    ],
  },
];
