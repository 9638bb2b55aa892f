/** Who may ask a collector that has a tokens file, over HTTP and the stream. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test, vi } from "vitest";
import { WebSocket } from "ws";
import { createVirtualClock } from "../../base/clock.ts";
import { createMeter } from "../../base/meter.ts";
import { createAccess } from "../../collector/access/access.ts";
import { createToken, parseTokens, type Scope, type Token } from "../../collector/access/tokens.ts";
import { type Running, startCollector, startMs } from "./fixture.ts";
import { temporaryDirectory } from "./temporary.ts";

const dayMs = 86_400_000;
const running: Running[] = [];
afterEach(async () => {
  for (const { collector } of running.splice(0)) await collector.shutdown();
});

/** Bytes that differ from call to call, and are the same in every run. */
function countingBytes(): (size: number) => Uint8Array {
  let calls = 0;
  return (size) => new Uint8Array(size).fill(++calls);
}

const randomBytes = countingBytes();

function makeToken(name: string, scope: Scope, days = 1) {
  return createToken({ name, scope, expiresMs: startMs + days * dayMs }, randomBytes);
}

const made = {
  reader: makeToken("reader", "read"),
  agent: makeToken("agent", "agent"),
  admin: makeToken("admin", "admin"),
  ended: makeToken("ended", "read", -1),
};

function writeTokens(path: string, tokens: readonly Token[]): void {
  writeFileSync(path, JSON.stringify({ tokens }));
}

async function start(): Promise<Running & { readonly path: string }> {
  const dataDir = temporaryDirectory();
  const path = join(temporaryDirectory(), "tokens.json");
  writeTokens(
    path,
    Object.values(made).map(({ token }) => token),
  );
  const started = await startCollector({ dataDir, errorsMax: 0, config: { tokensFile: path } });
  running.push(started);
  return { ...started, path };
}

const bearer = (text: string) => ({ authorization: `Bearer ${text}` });

describe("over HTTP", () => {
  const rows: readonly [what: string, path: string, headers: Record<string, string>, number][] = [
    ["no token", "/api/v1/incidents", {}, 401],
    ["a token that may read", "/api/v1/incidents", bearer(made.reader.text), 200],
    ["one that may do everything", "/api/v1/incidents", bearer(made.admin.text), 200],
    ["one for agents", "/api/v1/incidents", bearer(made.agent.text), 403],
    ["one for agents, thresholds", "/api/v1/thresholds", bearer(made.agent.text), 200],
    ["one that may read, thresholds", "/api/v1/thresholds", bearer(made.reader.text), 403],
    ["a token past its end", "/api/v1/incidents", bearer(made.ended.text), 401],
    ["a made-up token", "/api/v1/incidents", bearer("brunt_read_guess"), 401],
    ["a token's hash", "/api/v1/incidents", bearer(made.reader.token.sha256), 401],
    ["a prototype's name", "/api/v1/incidents", bearer("__proto__"), 401],
    ["another scheme", "/api/v1/incidents", { authorization: `Basic ${made.reader.text}` }, 401],
    ["a token in the query", `/api/v1/incidents?token=${made.reader.text}`, {}, 401],
    ["metrics without one", "/metrics", {}, 401],
    ["whether it lives", "/livez", {}, 200],
    ["the page", "/", {}, 404],
  ];
  test.each(rows)("%s", async (_, path, headers, status) => {
    const { url } = await start();
    const response = await fetch(`${url}${path}`, { headers });
    expect(response.status).toBe(status);
    if (status === 401) expect(response.headers.get("www-authenticate")).toBe("Bearer");
    expect(await response.text()).not.toContain(made.reader.text);
  });

  test("a token taken out of the file is refused two seconds later", async () => {
    const { url, path, advance } = await start();
    const status = async () =>
      (await fetch(`${url}/api/v1/incidents`, { headers: bearer(made.reader.text) })).status;
    expect(await status()).toBe(200);
    writeTokens(path, [made.admin.token]);
    await advance(2_000);
    await vi.waitFor(async () => expect(await status()).toBe(401));
  });

  test("a file that breaks later changes nothing", async () => {
    const { url, path, advance } = await start();
    writeFileSync(path, readFileSync(path).subarray(0, 40));
    await advance(10_000);
    const headers = bearer(made.reader.text);
    expect((await fetch(`${url}/api/v1/incidents`, { headers })).status).toBe(200);
    expect((await fetch(`${url}/api/v1/incidents`)).status).toBe(401);
  });

  test("a collector does not start with a file it cannot use", async () => {
    const path = join(temporaryDirectory(), "tokens.json");
    writeFileSync(path, "{}");
    const starting = startCollector({
      dataDir: temporaryDirectory(),
      errorsMax: 0,
      config: { tokensFile: path },
    });
    await expect(starting).rejects.toThrow("tokens must be a list");
  });
});

interface Opened {
  readonly socket: WebSocket | undefined;
  readonly status: number;
}

function open(
  url: string,
  options: { headers?: Record<string, string>; protocols?: string[]; query?: string },
) {
  const { headers = {}, protocols = [], query = "" } = options;
  const address = `${url.replace("http", "ws")}/api/v1/stream${query}`;
  return new Promise<Opened>((resolve) => {
    const socket = new WebSocket(address, protocols, { headers });
    socket.once("open", () => resolve({ socket, status: 101 }));
    socket.once("unexpected-response", (request, response) => {
      request.destroy();
      resolve({ socket: undefined, status: response.statusCode ?? 0 });
    });
    socket.on("error", () => {});
  });
}

async function ticketOf(url: string): Promise<string> {
  const headers = bearer(made.reader.text);
  const response = await fetch(`${url}/api/v1/stream/tickets`, { method: "POST", headers });
  return ((await response.json()) as { ticket: string }).ticket;
}

const offering = (ticket: string) => ["brunt.v1", `ticket.${ticket}`];

describe("the stream", () => {
  test("opens with a token's header, and not without or with one in the address", async () => {
    const { url } = await start();
    expect((await open(url, {})).status).toBe(401);
    expect((await open(url, { query: `?token=${made.reader.text}` })).status).toBe(400);
    const { status, socket } = await open(url, { headers: bearer(made.reader.text) });
    expect(status).toBe(101);
    socket?.terminate();
  });

  test("opens with a ticket once, which does not come back", async () => {
    const { url } = await start();
    const ticket = await ticketOf(url);
    const first = await open(url, { protocols: offering(ticket) });
    expect(first.status).toBe(101);
    expect(first.socket?.protocol).toBe("brunt.v1");
    expect((await open(url, { protocols: offering(ticket) })).status).toBe(401);
    expect((await open(url, { protocols: offering("made-up") })).status).toBe(401);
    first.socket?.terminate();
  });

  test("does not open with a ticket half a minute old", async () => {
    const { url, advance } = await start();
    const ticket = await ticketOf(url);
    await advance(30_000);
    expect((await open(url, { protocols: offering(ticket) })).status).toBe(401);
  });

  test("ends for a token that is revoked, and for no other", async () => {
    const { url, path, advance } = await start();
    const revoked = await open(url, { protocols: offering(await ticketOf(url)) });
    const other = await open(url, { headers: bearer(made.admin.text) });
    let closed: number | undefined;
    revoked.socket?.once("close", (code) => {
      closed = code;
    });
    writeTokens(path, [made.admin.token]);
    // The file is read by the disk's time, not by the clock's.
    await vi.waitFor(async () => {
      await advance(1_000);
      expect(closed).toBe(1008);
    });
    expect(other.socket?.readyState).toBe(WebSocket.OPEN);
    other.socket?.terminate();
  });
});

describe("tickets", () => {
  test("are bounded: the oldest makes room", () => {
    const clock = createVirtualClock(startMs);
    const access = createAccess({ clock, meter: createMeter(), randomBytes: sequence() });
    const pass = { isValid: () => true };
    const tickets = Array.from({ length: 1_001 }, () => access.issueTicket(pass).ticket);
    expect(access.admitTicket(tickets[0] as string).ok).toBe(false);
    expect(access.admitTicket(tickets[1] as string).ok).toBe(true);
  });
});

/** 32 bytes of which the first four count up. */
function sequence(): (size: number) => Uint8Array {
  let calls = 0;
  return (size) => {
    const bytes = new Uint8Array(size);
    new DataView(bytes.buffer).setUint32(0, calls++);
    return bytes;
  };
}

describe("a tokens file", () => {
  const good = made.reader.token;
  const rows: readonly [string, unknown, string][] = [
    ["no list", {}, "tokens must be a list"],
    ["an unknown field", { tokens: [{ ...good, role: "x" }] }, "tokens[0].role is not known"],
    ["no name", { tokens: [{ ...good, name: "" }] }, "tokens[0].name"],
    ["a text in place of its hash", { tokens: [{ ...good, sha256: "brunt" }] }, "sha256"],
    ["an unknown scope", { tokens: [{ ...good, scope: "all" }] }, "scope must be one of"],
    ["no end", { tokens: [{ ...good, expiresMs: null }] }, "expiresMs"],
    ["too many", { tokens: Array(1_001).fill(good) }, "1001, more than 1000"],
  ];
  test.each(rows)("with %s is refused", (_, raw, says) => {
    const tokens = parseTokens(raw);
    expect(!tokens.ok && tokens.error.message).toContain(says);
  });
});
