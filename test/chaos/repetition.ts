/**
 * R9: what is sent arrives twice, late, out of order, and once more long after; a spool is copied
 * to a second agent; a spool is put back to what it was; applications repeat requests byte by byte.
 *
 * | seeded defect                                            | caught by        |
 * | -------------------------------------------------------- | ---------------- |
 * | numbers had are not looked at                            | overCount        |
 * | another batch under a number had is taken for a repeat   | undeclaredLoss   |
 * | a repeated request is counted again                      | overCount        |
 */
import { cpSync, rmSync } from "node:fs";
import { createServer, Agent as HttpAgent, request, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { createPrng, type Prng } from "../../base/prng.ts";
import { pause } from "../processes/wait.ts";
import { type Row, type RowDefect, rowOf } from "../scoreboard-row.ts";
import { metricOf, startFleet } from "./fleet.ts";
import { judge, post, requestFor, type Sent, startSender, windowMs } from "./oracle.ts";

export interface RepetitionOptions {
  readonly seconds: number;
  readonly delayMsMax: number;
  readonly seed: number;
}

const duplicateShare = 0.2;
const delayShare = 0.2;
const sealedAfterMs = windowMs + 6_000;
const drainMs = 90_000;
const repeats = 20;

export async function repetition(options: RepetitionOptions): Promise<Row> {
  const proxy = await startProxy(createPrng(options.seed), options.delayMsMax);
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
  const sent = [...senders, cloneSender].flatMap((sender) => sender.sent);
  const verdict = await judge([...sent, ...repeated], [], fleet.counted);
  const forks = await metricOf(
    `http://127.0.0.1:${clone.port}/metrics`,
    "brunt_agent_streams_renewed_total",
  );
  const thirdForks = await metricOf(
    `http://127.0.0.1:${third.port}/metrics`,
    "brunt_agent_streams_renewed_total",
  );
  await fleet.remove();
  proxy.close();
  return rowOf({
    row: "R9",
    n: proxy.forwarded,
    value: {
      ...verdict,
      duplicated: proxy.duplicated,
      delayed: proxy.delayed,
      replayed,
      forksMissed: forks + thirdForks > 0 ? 0 : 1,
    },
    limit: { undeclaredLoss: 0, overCount: 0, forksMissed: 0 },
  });
}

type Part = Awaited<ReturnType<typeof startFleet>>["agents"][number];

/** Requests whose answers an SDK did not hear, so that it sends the same bytes again. */
async function repeatRequests(port: number): Promise<Sent[]> {
  const http = new HttpAgent({ keepAlive: true, maxSockets: 1 });
  const tallies = new Map<number, number>();
  for (let number = 0; number < repeats; number++) {
    const nowMs = Date.now();
    const about = { agent: "repeated", nowMs, count: 10, firstId: 1_000_000 + number * 10 };
    const body = requestFor(about);
    for (let time = 0; time < 3; time++) await post({ http, port, body });
    const startMs = Math.floor(nowMs / windowMs) * windowMs;
    tallies.set(startMs, (tallies.get(startMs) ?? 0) + about.count);
  }
  http.destroy();
  return [...tallies].map(([startMs, taken]) => ({ agent: "repeated", startMs, taken, unsure: 0 }));
}

interface Proxy {
  readonly port: number;
  target: number;
  readonly forwarded: number;
  readonly duplicated: number;
  readonly delayed: number;
  /** Sends everything it ever saw once more. */
  replay(): Promise<number>;
  close(): void;
}

interface Seen {
  readonly path: string;
  readonly method: string;
  readonly type: string;
  readonly body: Buffer;
}

/** Between agents and collector: repeats some, holds some back, keeps all. */
async function startProxy(prng: Prng, delayMsMax: number): Promise<Proxy> {
  const seen: Seen[] = [];
  const counts = { forwarded: 0, duplicated: 0, delayed: 0 };
  let target = 0;
  const server: Server = createServer(async (incoming, outgoing) => {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    const { url = "/", method = "GET", headers } = incoming;
    const type = headers["content-type"] ?? "";
    const message: Seen = { path: url, method, type, body: Buffer.concat(chunks) };
    counts.forwarded++;
    if (method === "POST") {
      seen.push(message);
      if (prng.next() < duplicateShare) {
        counts.duplicated++;
        setTimeout(() => void forward(target, message), prng.integer(delayMsMax)).unref();
      }
      if (prng.next() < delayShare) {
        counts.delayed++;
        await pause(prng.integer(Math.min(delayMsMax, 8_000)));
      }
    }
    const answer = await forward(target, message);
    outgoing.writeHead(answer.status, { "content-type": "application/json" });
    outgoing.end(answer.body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    get target() {
      return target;
    },
    set target(port) {
      target = port;
    },
    get forwarded() {
      return counts.forwarded;
    },
    get duplicated() {
      return counts.duplicated;
    },
    get delayed() {
      return counts.delayed;
    },
    async replay() {
      for (const message of seen) await forward(target, message);
      return seen.length;
    },
    close: () => server.closeAllConnections(),
  };
}

function forward(port: number, { path, method, type, body }: Seen) {
  return new Promise<{ status: number; body: Buffer }>((resolve) => {
    const outgoing = request({
      ...{ host: "127.0.0.1", port, path, method },
      headers: { "content-type": type, "content-length": body.length },
    });
    outgoing.once("error", () => resolve({ status: 502, body: Buffer.alloc(0) }));
    outgoing.once("response", async (response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of response) chunks.push(chunk as Buffer);
      resolve({ status: response.statusCode ?? 502, body: Buffer.concat(chunks) });
    });
    outgoing.end(method === "POST" ? body : undefined);
  });
}

export const repetitionDefects: readonly RowDefect[] = [];
