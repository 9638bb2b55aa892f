/**
 * D8: two hundred clients of the event stream that never read, beside fifty that do, at a thousand
 * events a second.
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { fileURLToPath } from "node:url";
import { WebSocket } from "ws";
import { pause } from "../processes/wait.ts";
import { type Row, type RowDefect, rowOf } from "../scoreboard-row.ts";

const slowCount = 200;
const healthyCount = 50;
const perSecond = 1_000;
const seconds = 45;
const mebibyte = 2 ** 20;
const bytesPerPage = 4_096;

interface Healthy {
  readonly lags: number[];
  lastSeq: number;
  missed: number;
}

export async function slowReaders(): Promise<Row> {
  const program = fileURLToPath(new URL("./stream-server.js", import.meta.url));
  const server = fork(program, [String(perSecond)]);
  const [{ port }] = (await once(server, "message")) as [{ port: number }];
  const healthy = await Promise.all(Array.from({ length: healthyCount }, () => follow(port)));
  const slow = await Promise.all(Array.from({ length: slowCount }, () => neverRead(port)));
  const beforeMiB = rssMiB(server.pid as number);
  server.send("go");
  let growthMiB = 0;
  for (let second = 0; second < seconds; second++) {
    await pause(1_000);
    growthMiB = Math.max(growthMiB, rssMiB(server.pid as number) - beforeMiB);
  }
  const lags = healthy.flatMap(({ lags: all }) => all).sort((a, b) => a - b);
  const ended = await Promise.all(slow.map(wasEnded));
  server.kill("SIGKILL");
  return rowOf({
    row: "D8",
    n: slowCount + healthyCount,
    value: {
      rssGrowthMiB: Math.round(growthMiB),
      healthyP99Ms: lags[Math.floor(lags.length * 0.99)] ?? Number.NaN,
      missed: healthy.reduce((sum, { missed }) => sum + missed, 0),
      // Half of what was said, or the machine was too busy to say anything about lags.
      tooFew: healthy.filter(({ lastSeq }) => lastSeq < (perSecond * seconds) / 2).length,
      notClosed: ended.filter((isEnded) => !isEnded).length,
    },
    limit: { rssGrowthMiB: 256, healthyP99Ms: 250, missed: 0, tooFew: 0, notClosed: 0 },
  });
}

function follow(port: number): Promise<Healthy> {
  const healthy: Healthy = { lags: [], lastSeq: 0, missed: 0 };
  const socket = new WebSocket(`ws://127.0.0.1:${port}/`);
  socket.on("message", (data: Buffer) => {
    // Fields by their place: fifty clients that parse a thousand messages a second are no clients.
    const head = data.toString("latin1", 0, 100);
    const seq = Number(/"seq":(\d+)/.exec(head)?.[1]);
    const atMs = Number(/"atMs":(\d+)/.exec(head)?.[1]);
    if (Number.isNaN(seq)) return;
    if (healthy.lastSeq > 0) healthy.missed += seq - healthy.lastSeq - 1;
    healthy.lastSeq = seq;
    if (seq % 10 === 0) healthy.lags.push(Date.now() - atMs);
  });
  return new Promise((resolve, reject) => {
    socket.once("open", () => resolve(healthy));
    socket.once("error", reject);
  });
}

/** A socket that says what a browser would, and then reads nothing. */
function neverRead(port: number): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {});
  socket.write(
    "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
  );
  return new Promise((resolve, reject) => {
    socket.once("error", reject);
    socket.once("data", () => {
      socket.pause();
      resolve(socket);
    });
  });
}

/** Reads at last; whether the server has ended the connection meanwhile. */
async function wasEnded(socket: Socket): Promise<boolean> {
  const ended = new Promise<boolean>((resolve) => socket.once("close", () => resolve(true)));
  socket.resume();
  const result = await Promise.race([ended, pause(5_000).then(() => false)]);
  socket.destroy();
  return result;
}

function rssMiB(pid: number): number {
  const pages = readFileSync(`/proc/${pid}/statm`, "utf8").split(" ")[1];
  return (Number(pages) * bytesPerPage) / mebibyte;
}

export const slowReadersDefects: readonly RowDefect[] = [
  {
    name: "clients that do not read are kept",
    caughtBy: "notClosed",
    patches: [
      {
        file: "collector/api/event-stream.js",
        find: "if (since === undefined || now - since < closeAfterMs)",
        replace: "if (true)",
      },
    ],
  },
  {
    name: "a client is sent the newest event alone",
    caughtBy: "missed",
    patches: [
      {
        file: "collector/api/event-stream.js",
        find: "client.connection.cork();",
        replace: `client.connection.cork();
        client.cursor = Math.max(client.cursor, events.nextSeq - 1);`,
      },
    ],
  },
];
