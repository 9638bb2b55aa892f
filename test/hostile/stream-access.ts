/**
 * D9: who may open the event stream of a `brunt collector` that asks for tokens, and what a client
 * misses that loses its connection a hundred times.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ClientOptions, WebSocket } from "ws";
import type { Scope } from "../../collector/access/tokens.ts";
import type { StreamMessage } from "../../wire/api-types.ts";
import { bytesOf, startMs, windowMs } from "../collector/fixture.ts";
import { portOf, startBrunt } from "../processes/brunt-process.ts";
import { pause, until } from "../processes/wait.ts";
import { type Row, type RowDefect, rowOf } from "../scoreboard-row.ts";

const disconnects = 100;
const ticketMsMax = 30_000;
const windowLengthMs = 1_000;
const batchesPath = "/api/v1/batches";

export async function streamAccess(): Promise<Row> {
  const folder = mkdtempSync(join(tmpdir(), "brunt-access-"));
  const file = join(folder, "tokens.json");
  const [reader, doomed, agent] = await Promise.all([
    makeToken({ file, name: "reader", scope: "read" }),
    makeToken({ file: `${file}.1`, name: "doomed", scope: "read" }),
    makeToken({ file: `${file}.2`, name: "agent", scope: "agent" }),
  ]);
  const tokensOf = (path: string) => JSON.parse(readFileSync(path, "utf8")).tokens as unknown[];
  const write = (...paths: string[]): void => {
    writeFileSync(`${file}.all`, JSON.stringify({ tokens: paths.flatMap(tokensOf) }));
  };
  write(file, `${file}.1`, `${file}.2`);
  const brunt = startBrunt(
    ["collector", "--port", "0", "--data-dir", folder, "--tokens-file", `${file}.all`],
    { environment: { BRUNT_COLLECTOR_WINDOW_LENGTH_MS: String(windowLengthMs) } },
  );
  const port = await portOf(brunt, "port");
  const door = { port, token: reader };
  const traffic = startTraffic(port, agent);
  const old = await ticketOf(door);
  const oldAtMs = performance.now();
  const origins = await Promise.all(foreignOrigins(port).map((origin) => open(door, { origin })));
  const strangers = await openWithout(door);
  const missed = await loseAndResume(door);
  const talkersTaken = (await talk(door)).filter((code) => code !== 1008 && code !== 1009).length;
  await pause(Math.max(0, ticketMsMax + 500 - (performance.now() - oldAtMs)));
  const stale = await open({ port }, { protocols: offering(old) });
  const revoked = await open({ port, token: doomed });
  const revokedAtMs = performance.now();
  const closed = new Promise<number>((resolve) => revoked.socket?.once("close", resolve));
  write(file, `${file}.2`);
  const code = await Promise.race([closed, pause(20_000)]);
  const revokedMs = Math.round(performance.now() - revokedAtMs);
  await traffic.stop();
  await brunt.kill("SIGTERM");
  rmSync(folder, { recursive: true, force: true });
  return rowOf({
    row: "D9",
    n: origins.length + strangers.length + disconnects + 4,
    value: {
      originsTaken: origins.filter(({ status }) => status === 101).length,
      strangersTaken: strangers.filter(({ status }) => status === 101).length,
      ticketsTaken: stale.status === 101 ? 1 : 0,
      talkersTaken,
      notClosed: code === 1008 ? 0 : 1,
      revokedMs,
      eventsMissed: missed.missed,
      noEvents: missed.events > 0 ? 0 : 1,
    },
    limit: {
      ...{ originsTaken: 0, strangersTaken: 0, ticketsTaken: 0, talkersTaken: 0 },
      ...{ notClosed: 0, revokedMs: 5_000, eventsMissed: 0, noEvents: 0 },
    },
  });
}

async function makeToken(about: { file: string; name: string; scope: Scope }): Promise<string> {
  const { file, name, scope } = about;
  const line = ["token", "create", "--name", name, "--scope", scope, "--tokens-file", file];
  const brunt = startBrunt(line);
  await brunt.ended;
  return /brunt_\w+_[\w-]+/.exec(brunt.text)?.[0] ?? "";
}

/** A window a second, so that the stream has something to say. */
function startTraffic(port: number, token: string) {
  let isOpen = true;
  const headers = {
    authorization: `Bearer ${token}`,
    "content-type": "application/vnd.brunt.sketch-batch",
  };
  const run = async (): Promise<void> => {
    for (let seq = 1; isOpen; seq++) {
      const endMs = Math.floor(Date.now() / windowLengthMs) * windowLengthMs;
      const window = (endMs - windowLengthMs - startMs) / windowMs;
      const streamSpans = seq;
      const batch = { seq, window, watermarkMs: endMs, windowLengthMs, streamSpans, spans: [{}] };
      const body = bytesOf(batch);
      await fetch(`http://127.0.0.1:${port}${batchesPath}`, { method: "POST", headers, body });
      await pause(windowLengthMs);
    }
  };
  const running = run();
  return {
    async stop() {
      isOpen = false;
      await running;
    },
  };
}

interface Door {
  readonly port: number;
  readonly token?: string;
}

interface Opened {
  readonly socket: WebSocket | undefined;
  readonly status: number;
  readonly messages: StreamMessage[];
}

const offering = (ticket: string): string[] => ["brunt.v1", `ticket.${ticket}`];

interface Knock {
  readonly origin?: string;
  readonly protocols?: string[];
  readonly query?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

function open({ port, token }: Door, knock: Knock = {}): Promise<Opened> {
  const { origin, protocols = [], query = "", headers = {} } = knock;
  const bearer = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const options: ClientOptions = {
    headers: { ...bearer, ...headers, ...(origin === undefined ? {} : { origin }) },
  };
  const url = `ws://127.0.0.1:${port}/api/v1/stream${query}`;
  return new Promise((resolve) => {
    const socket = new WebSocket(url, protocols, options);
    const messages: StreamMessage[] = [];
    socket.on("message", (data) => messages.push(JSON.parse(String(data)) as StreamMessage));
    socket.once("open", () => resolve({ socket, status: 101, messages }));
    socket.once("unexpected-response", (request, response) => {
      request.destroy();
      resolve({ socket: undefined, status: response.statusCode ?? 0, messages });
    });
    socket.on("error", () => resolve({ socket: undefined, status: 0, messages }));
  });
}

async function ticketOf({ port, token }: Door): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${port}/api/v1/stream/tickets`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}` },
  });
  return ((await response.json()) as { ticket: string }).ticket;
}

/** Fifty pages that are not the collector's own, many of which look like it. */
function foreignOrigins(port: number): string[] {
  const own = `127.0.0.1:${port}`;
  const hosts = [
    ...["evil.example", `evil.example:${port}`, `${own}.evil.example`, `127.0.0.1.evil.example`],
    ...[`127.0.0.1:${port + 1}`, `127.0.0.1:${port - 1}`, `127.0.0.1:0${port}`, "127.0.0.1"],
    ...[`127.0.0.1:${port}0`, `127.0.0.1.:${port}`, `127.1:${port}`, `127.0.1:${port}`],
    ...[`2130706433:${port}`, `0x7f000001:${port}`, `0177.0.0.1:${port}`, `0.0.0.0:${port}`],
    ...[`[::1]:${port}`, `[::ffff:127.0.0.1]:${port}`, `localhost:${port}`, `LOCALHOST:${port}`],
    ...[`localhost.evil.example:${port}`, `evil-localhost:${port}`, `127.0.0.2:${port}`],
    ...[`127%2e0.0.1:${port}`, `xn--127-0-0-1:${port}`, `xn--lcalhost-54a:${port}`],
    ...[`${own}@evil.example`, `evil.example@${own}`, `user:pass@${own}`, `${own}#@evil.example`],
    ...[`${own}/`, `${own}/path`, `${own}?x=1`, `${own}#x`, `${own},http://evil.example`],
    ...[`${own} http://evil.example`, `${own}\\evil.example`, `${own}%00`, `${own};evil.example`],
  ];
  const schemes = ["ws", "wss", "ftp", "file", "data", "chrome-extension", "javascript", "HTTP"];
  return [
    ...["null", "*", own],
    ...hosts.map((host) => `http://${host}`),
    ...schemes.map((scheme) => `${scheme}://${own}`),
  ].slice(0, 50);
}

/** Without a token, with one where it must not stand, with tickets that are none or used. */
async function openWithout(door: Door): Promise<Opened[]> {
  const { port, token = "" } = door;
  const used = await ticketOf(door);
  const first = await open({ port }, { protocols: offering(used) });
  first.socket?.terminate();
  const knocks: readonly Knock[] = [
    {},
    { query: `?token=${token}` },
    { query: `?access_token=${token}` },
    { protocols: ["brunt.v1", token] },
    { protocols: offering(token) },
    { protocols: offering("guess") },
    { protocols: offering(used) },
    { headers: { cookie: `token=${token}` } },
    { headers: { authorization: `Basic ${token}` } },
    { headers: { authorization: `Bearer ${token}x` } },
    { headers: { "x-forwarded-for": "127.0.0.1", "x-real-ip": "127.0.0.1" } },
  ];
  return Promise.all(knocks.map((knock) => open({ port }, knock)));
}

/** Ends the connection a hundred times, always asking for what followed the last event seen. */
async function loseAndResume(door: Door): Promise<{ missed: number; events: number }> {
  const steady = await open(door);
  await until("the stream says something", () => seqsOf(steady).length > 0, {
    withinMs: 60_000,
  });
  const first = seqsOf(steady)[0] as number;
  const seen: number[] = [first];
  for (let turn = 0; turn < disconnects; turn++) {
    const once = await open(door, { query: `?since=${seen.at(-1)}` });
    await pause(turn % 10 === 0 ? windowLengthMs : 50);
    once.socket?.terminate();
    seen.push(...seqsOf(once));
  }
  const last = seen.at(-1) as number;
  await until("the steady client has as much", () => (seqsOf(steady).at(-1) ?? 0) >= last, {
    withinMs: 10_000,
  });
  steady.socket?.terminate();
  const all = seqsOf(steady).filter((seq) => seq <= last);
  const isSame = seen.length === all.length && seen.every((seq, index) => seq === all[index]);
  const missed = all.filter((seq) => !seen.includes(seq)).length;
  return { missed: isSame ? 0 : Math.max(1, missed), events: all.length };
}

function seqsOf({ messages }: Opened): number[] {
  return messages.flatMap((message) => ("seq" in message ? [message.seq] : []));
}

/** One message of 64 KiB and a byte, and two hundred small ones at once; gives how each ended. */
async function talk(door: Door): Promise<number[]> {
  const shouter = await open(door);
  const chatterer = await open(door);
  const codes = [shouter, chatterer].map(
    ({ socket }) => new Promise<number>((resolve) => socket?.once("close", resolve)),
  );
  shouter.socket?.send("x".repeat(64 * 1_024 + 1));
  for (let count = 0; count < 200; count++) chatterer.socket?.send("{}");
  return Promise.all(codes);
}

export const streamAccessDefects: readonly RowDefect[] = [
  {
    name: "an origin is compared by how it begins",
    caughtBy: "originsTaken",
    patches: [
      {
        file: "collector/api/origin.js",
        find: "return origin ===",
        replace: "return origin.startsWith('http://127.0.0.1') || origin ===",
      },
    ],
  },
  {
    name: "a ticket stays when it is used",
    caughtBy: "strangersTaken",
    patches: [
      { file: "collector/access/access.js", find: "this.#tickets.delete(ticket);", replace: "" },
    ],
  },
  {
    name: "a client that resumes begins at the newest event",
    caughtBy: "eventsMissed",
    patches: [
      {
        file: "collector/api/event-stream.js",
        find: "client.cursor = since + 1;",
        replace: "client.cursor = events.nextSeq;",
      },
    ],
  },
];
