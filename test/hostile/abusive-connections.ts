/**
 * D7: connections that never finish what they begin, and HTTP/2 sessions that flood, against an
 * agent and a collector as processes, while an honest client goes on sending.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openConnections } from "../../bench/agent/connection.ts";
import { createTraffic } from "../../bench/traffic/traffic.ts";
import { portOf, startBrunt } from "../processes/brunt-process.ts";
import { pause } from "../processes/wait.ts";
import { type Row, type RowDefect, rowOf } from "../scoreboard-row.ts";

export interface ConnectionOptions {
  /** Of each kind of slow connection. */
  readonly slow: number;
  /** Frames of one flood. */
  readonly frames: number;
}

const closedWithinMs = 32_000;
const dripEveryMs = 4_000;
const floodMsMax = 1_000;
const healthyEveryMs = 20;
const baselineMs = 3_000;
const mebibyte = 2 ** 20;

export async function abusiveConnections({ slow, frames }: ConnectionOptions): Promise<Row> {
  const folder = mkdtempSync(join(tmpdir(), "brunt-abuse-"));
  const collector = startBrunt(["collector", "--port", "0", "--data-dir", join(folder, "c")]);
  const api = await portOf(collector, "port");
  const agent = startBrunt([
    ...["agent", "--collector", `http://127.0.0.1:${api}`, "--data-dir", join(folder, "a")],
    ...["--grpc-port", "0", "--http-port", "0"],
  ]);
  const [http, grpc] = [await portOf(agent, "httpPort"), await portOf(agent, "grpcPort")];
  const healthy = await startHealthy(http);
  await pause(baselineMs);
  const before = healthy.takeP99Ms();
  const rss = () => agent.rssBytes() + collector.rssBytes();
  const rssBefore = rss();
  const kinds = [
    ...["POST /v1/traces HTTP/1.1\r\nHost: a\r\n"].map((text) => ({ port: http, text })),
    { port: http, text: bodyless("/v1/traces", "application/x-protobuf") },
    { port: api, text: "POST /api/v1/batches HTTP/1.1\r\nHost: localhost\r\n" },
    { port: api, text: bodyless("/api/v1/batches", "application/vnd.brunt.sketch-batch") },
    { port: api, text: upgrade() },
  ];
  const opened = kinds.flatMap((kind) =>
    Array.from({ length: slow }, () => openSlow(kind.port, kind.text)),
  );
  await pause(closedWithinMs);
  const rssGrowthMiB = Math.round((rss() - rssBefore) / mebibyte);
  const slowOpen = opened.filter(({ isOpen }) => isOpen()).length;
  for (const { socket } of opened) socket.destroy();
  const floods = [];
  for (const flood of [rapidResets, continuations, pings, settings, windowUpdates]) {
    floods.push(await runFlood(grpc, flood, frames));
  }
  const during = healthy.takeP99Ms();
  const errors = await healthy.stop();
  const alive = [agent, collector].filter(({ child }) => child.exitCode === null).length;
  await agent.kill("SIGKILL");
  await collector.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
  return rowOf({
    row: "D7",
    n: opened.length + floods.length * frames,
    value: {
      slowOpen,
      floodsOpen: floods.filter(({ isClosed }) => !isClosed).length,
      floodMs: Math.max(...floods.map(({ ms }) => ms)),
      rssGrowthMiB,
      healthyErrors: errors,
      healthyP99Ratio: Math.round((during / before) * 100) / 100,
      crashes: 2 - alive,
    },
    limit: {
      ...{ slowOpen: 0, floodsOpen: 0, floodMs: floodMsMax, rssGrowthMiB: 64 },
      ...{ healthyErrors: 0, healthyP99Ratio: 2, crashes: 0 },
    },
  });
}

function bodyless(path: string, type: string): string {
  return `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: ${type}\r\nContent-Length: 900\r\n\r\n`;
}

function upgrade(): string {
  return (
    "GET /api/v1/stream HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n" +
    "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
  );
}

interface Slow {
  readonly socket: Socket;
  isOpen(): boolean;
}

/** Begins, then gives a byte now and then, which keeps timers of idleness from firing. */
function openSlow(port: number, text: string): Slow {
  const socket = connect(port, "127.0.0.1");
  let open = true;
  const isUpgrade = text.includes("Upgrade");
  const drip = setInterval(() => socket.write(isUpgrade ? "" : "x"), dripEveryMs);
  socket.on("error", () => {});
  socket.on("data", () => {});
  socket.once("end", () => socket.destroy());
  socket.once("close", () => {
    open = false;
    clearInterval(drip);
  });
  socket.write(text);
  return { socket, isOpen: () => open };
}

interface Healthy {
  /** Of the answers since it was last asked. */
  takeP99Ms(): number;
  /** Stops; gives how many requests were not answered well. */
  stop(): Promise<number>;
}

async function startHealthy(port: number): Promise<Healthy> {
  const template = createTraffic({ seed: 7 }).batch(64);
  const [connection] = await openConnections({ protocol: "http", port, gzip: false, count: 1 });
  let times: number[] = [];
  let errors = 0;
  let isOpen = true;
  const run = async (): Promise<void> => {
    for (let salt = 1; isOpen; salt++) {
      template.stamp(salt, Date.now() - 2_000);
      const startMs = performance.now();
      await connection?.send(template.bytes).catch(() => errors++);
      times.push(performance.now() - startMs);
      await pause(healthyEveryMs);
    }
    connection?.close();
  };
  const running = run();
  return {
    takeP99Ms() {
      const sorted = times.sort((a, b) => a - b);
      times = [];
      return sorted[Math.floor(sorted.length * 0.99)] ?? 0;
    },
    async stop() {
      isOpen = false;
      await running;
      return errors;
    },
  };
}

const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
const frameTypes = {
  headers: 1,
  resetStream: 3,
  settings: 4,
  ping: 6,
  windowUpdate: 8,
  continuation: 9,
} as const;
const endHeaders = 4;

/** RFC 9113, section 4.1: length, type, flags, stream, payload. */
function frame(
  type: keyof typeof frameTypes,
  stream: number,
  about: { readonly flags?: number; readonly payload?: Uint8Array } = {},
): Buffer {
  const { flags = 0, payload = new Uint8Array(0) } = about;
  const bytes = Buffer.alloc(9 + payload.length);
  bytes.writeUIntBE(payload.length, 0, 3);
  bytes[3] = frameTypes[type];
  bytes[4] = flags;
  bytes.writeUInt32BE(stream, 5);
  bytes.set(payload, 9);
  return bytes;
}

/** `:method POST`, `:scheme http`, `:path /`, from the static table of RFC 7541. */
const requestHeaders = Uint8Array.of(0x83, 0x86, 0x84);

type Flood = (index: number) => Buffer;

const rapidResets: Flood = (index) => {
  const stream = 1 + index * 2;
  return Buffer.concat([
    frame("headers", stream, { flags: endHeaders, payload: requestHeaders }),
    frame("resetStream", stream, { payload: Uint8Array.of(0, 0, 0, 8) }),
  ]);
};
const continuations: Flood = (index) =>
  index === 0
    ? frame("headers", 1, { payload: requestHeaders })
    : frame("continuation", 1, { payload: Uint8Array.of(0x40, 1, 0x61, 1, 0x62) });
const pings: Flood = () => frame("ping", 0, { payload: new Uint8Array(8) });
const settings: Flood = () => frame("settings", 0);
const windowUpdates: Flood = () => frame("windowUpdate", 0, { payload: Uint8Array.of(0, 0, 0, 0) });

/** Sends frames as fast as they are taken; how long until the session was closed. */
async function runFlood(
  port: number,
  flood: Flood,
  frames: number,
): Promise<{ readonly isClosed: boolean; readonly ms: number }> {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {});
  socket.on("data", () => {});
  let isClosed = false;
  socket.once("end", () => {
    isClosed = true;
  });
  socket.once("close", () => {
    isClosed = true;
  });
  socket.write(Buffer.concat([preface, frame("settings", 0)]));
  const startMs = performance.now();
  for (let index = 0; index < frames && !isClosed; index += 100) {
    const some = Buffer.concat(Array.from({ length: 100 }, (_, at) => flood(index + at)));
    if (!socket.write(some)) await Promise.race([drained(socket), pause(100)]);
    else await pause(0);
  }
  while (!isClosed && performance.now() - startMs < floodMsMax * 5) await pause(20);
  const ms = Math.round(performance.now() - startMs);
  socket.destroy();
  return { isClosed, ms };
}

function drained(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.once("drain", () => resolve());
    socket.once("close", () => resolve());
  });
}

export const abusiveConnectionsDefects: readonly RowDefect[] = [
  {
    name: "requests may take as long as they like",
    caughtBy: "slowOpen",
    patches: [
      {
        file: "agent/receivers/http.js",
        find: "server.requestTimeout = requestTimeoutMs;",
        replace: "server.requestTimeout = 0;",
      },
    ],
  },
  {
    name: "sessions that flood are not watched",
    caughtBy: "floodsOpen",
    patches: [
      {
        file: "agent/receivers/tend-session.js",
        find: "if (frames <= controlFramesMax ||",
        replace: "if (true ||",
      },
    ],
  },
];
