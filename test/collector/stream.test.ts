import { request } from "node:http";
import { afterEach, describe, expect, test, vi } from "vitest";
import { WebSocket } from "ws";
import type { StreamMessage } from "../../wire/api-types.ts";
import {
  createMortalStore,
  metric,
  type Running,
  startCollector,
  startMs,
  windowMs,
} from "./fixture.ts";
import { temporaryDirectory } from "./temporary.ts";

const failed = { failed: true, customer: 1 };
const running: Running[] = [];
const sockets: WebSocket[] = [];

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.terminate();
  for (const { collector } of running.splice(0)) await collector.shutdown();
});

async function start(options: Partial<Parameters<typeof startCollector>[0]> = {}) {
  const started = await startCollector({ dataDir: temporaryDirectory(), errorsMax: 0, ...options });
  running.push(started);
  return started;
}

interface Follower {
  readonly socket: WebSocket;
  readonly messages: StreamMessage[];
  readonly closed: { code: number | undefined };
}

/** Follows the stream; resolves once the greeting is here. */
async function follow(url: string, query = "", options: object = {}): Promise<Follower> {
  const socket = new WebSocket(`${url.replace("http", "ws")}/api/v1/stream${query}`, options);
  sockets.push(socket);
  const follower: Follower = { socket, messages: [], closed: { code: undefined } };
  socket.on("message", (data) => follower.messages.push(JSON.parse(String(data))));
  socket.on("close", (code) => {
    follower.closed.code = code;
  });
  await new Promise<void>((resolve, reject) => {
    socket.once("message", () => resolve());
    socket.once("error", reject);
  });
  return follower;
}

/**
 * Virtual time is faster than any socket, so let the answers to pings arrive: the first echo shows
 * that the client has had the server's ping, the second that the server has had the answer.
 */
async function echoes({ socket }: Follower): Promise<void> {
  for (let round = 0; round < 2; round++) {
    await new Promise<void>((resolve) => {
      socket.once("pong", () => resolve());
      socket.ping();
    });
  }
}

const numbers = ({ messages }: Follower) =>
  messages.flatMap((message) => ("seq" in message ? [message.seq] : []));
const gaps = ({ messages }: Follower) => messages.filter(({ type }) => type === "gap");
const epochOf = ({ messages }: Follower) => {
  const hello = messages[0];
  return hello?.type === "hello" ? hello.epoch : "";
};

/** Makes `count` windows close, the first with an incident. */
async function closeWindows(running: Running, from: number, count: number) {
  const { send, advance, clock } = running;
  for (let window = from; window < from + count; window++) {
    await send({ seq: window + 1, window, spans: window === 0 ? [failed] : [{}] });
    await advance(10_000);
  }
  // No longer than that, or the empty window behind them is closed as well.
  const closedMs = startMs + (from + count) * windowMs + 15_500;
  await advance(Math.max(0, closedMs - clock.nowMs()));
}

describe("following", () => {
  test("begins with a snapshot, then every event in order", async () => {
    const collector = await start();
    const follower = await follow(collector.url);
    expect(follower.messages[0]).toMatchObject({ type: "hello", nextSeq: 1, incidents: [] });
    await closeWindows(collector, 0, 2);
    await vi.waitFor(() => expect(numbers(follower)).toEqual([1, 2, 3, 4]));
    expect(follower.messages.slice(1).map(({ type }) => type)).toEqual([
      "incident.opened",
      "window.closed",
      "incident.resolved",
      "window.closed",
    ]);
    const second = await follow(collector.url);
    expect(second.messages[0]).toMatchObject({
      nextSeq: 5,
      incidents: [{ id: "incident-1", status: "resolved" }],
    });
    expect(JSON.stringify(second.messages[0])).not.toContain("graph");
  });

  test("resumes behind the last number seen, across a crash, without a hole", async () => {
    const dataDir = temporaryDirectory();
    const { store, kill } = createMortalStore(dataDir);
    const crashed = await start({ dataDir, store });
    const first = await follow(crashed.url);
    await closeWindows(crashed, 0, 2);
    await vi.waitFor(() => expect(numbers(first).length).toBe(4));
    kill();
    running.splice(0);
    const collector = await start({ dataDir, nowMs: crashed.clock.nowMs() });
    await closeWindows(collector, 2, 2);
    const follower = await follow(collector.url, `?since=2&epoch=${epochOf(first)}`);
    await vi.waitFor(() => expect(numbers(follower)).toEqual([3, 4, 5, 6]));
    expect(gaps(follower)).toEqual([]);
    expect(epochOf(follower)).toBe(epochOf(first));
  });

  const resumes: readonly {
    name: string;
    query: string;
    gap: object[];
    numbers: number[];
  }[] = [
    { name: "nothing missed", query: "?since=4", gap: [], numbers: [] },
    { name: "everything missed", query: "?since=0", gap: [], numbers: [1, 2, 3, 4] },
    {
      name: "another epoch",
      query: "?since=2&epoch=other",
      gap: [{ type: "gap", fromSeq: 1, toSeq: 4 }],
      numbers: [],
    },
    {
      name: "a number not given out yet",
      query: "?since=900",
      gap: [{ type: "gap", fromSeq: 1, toSeq: 4 }],
      numbers: [],
    },
  ];
  test.each(resumes)("resuming with $name", async ({ query, gap, numbers: expected }) => {
    const collector = await start();
    await closeWindows(collector, 0, 2);
    const follower = await follow(collector.url, query);
    await closeWindows(collector, 2, 1);
    await vi.waitFor(() => expect(numbers(follower)).toEqual([...expected, 5]));
    expect(gaps(follower)).toEqual(gap);
  });

  test("says which numbers are gone when the ring has moved on", async () => {
    const dataDir = temporaryDirectory();
    const { store } = createMortalStore(dataDir);
    const collector = await start({ dataDir, store });
    const window = {
      windowStartMs: 0,
      spans: 0,
      errors: 0,
      keys: 0,
      anomalies: 0,
      coverage: 1,
      silentAgents: 0,
      revised: false,
    };
    const many = Array.from(
      { length: 5_000 },
      () => ({ type: "window.closed", atMs: 1, window }) as const,
    );
    await store.appendEvents(1, many);
    const follower = await follow(collector.url, "?since=100");
    await vi.waitFor(() => expect(numbers(follower).at(-1)).toBe(5_000));
    expect(gaps(follower)).toEqual([{ type: "gap", fromSeq: 101, toSeq: 904 }]);
    expect(numbers(follower)).toEqual(Array.from({ length: 4_096 }, (_, i) => 905 + i));
  });
});

describe("a client that does not read", () => {
  test("is bounded, skipped to latest with a gap, and closed with 1013 when it stays so", async () => {
    const dataDir = temporaryDirectory();
    const { store } = createMortalStore(dataDir);
    const collector = await start({ dataDir, store });
    const healthy = await follow(collector.url);
    const slow = await follow(collector.url);
    const stuck = await follow(collector.url);
    slow.socket.pause();
    stuck.socket.pause();
    const window = {
      windowStartMs: 0,
      spans: 0,
      errors: 0,
      keys: 0,
      anomalies: 0,
      coverage: 1,
      silentAgents: 0,
      revised: false,
      padding: "x".repeat(20_000),
    };
    const publish = async (count: number) => {
      const events = Array.from(
        { length: count },
        () => ({ type: "window.closed", atMs: 1, window }) as const,
      );
      await store.appendEvents(1, events);
      await advance(1);
    };
    const advance = async (seconds: number) => {
      for (let second = 0; second < seconds; second++) {
        await collector.advance(1_000);
        await echoes(healthy);
      }
    };
    for (let round = 0; round < 20; round++) {
      await publish(40);
      await vi.waitFor(() => expect(numbers(healthy).length).toBe(40 * (round + 1)));
      const buffered = metric(collector.meter, "brunt_collector_stream_buffered_bytes");
      expect(buffered).toBeLessThan(2 ** 20 + 25_000);
    }
    slow.socket.resume();
    await vi.waitFor(() => expect(gaps(slow).length).toBe(1));
    await publish(1);
    await vi.waitFor(() => expect(numbers(slow).at(-1)).toBe(801));
    const [gap] = gaps(slow);
    const received = numbers(slow);
    const missed = gap?.type === "gap" ? gap.toSeq - gap.fromSeq + 1 : 0;
    expect(missed).toBeGreaterThan(0);
    expect(received.length + missed).toBe(801);
    // It may be gone too long to read why, so the counter has the last word.
    await advance(35);
    stuck.socket.resume();
    await vi.waitFor(() => expect(stuck.closed.code).toBeDefined());
    expect(stuck.closed.code === 1013 || stuck.closed.code === 1006).toBe(true);
    expect(metric(collector.meter, "brunt_collector_stream_slow_clients_total")).toBe(1);
    expect(metric(collector.meter, "brunt_collector_stream_skipped_events_total")).toBe(missed);
    expect(numbers(healthy)).toEqual(Array.from({ length: 801 }, (_, i) => i + 1));
    expect(healthy.closed.code).toBeUndefined();
  });
});

describe("who may open the stream", () => {
  const origins: readonly { name: string; origin: (url: string) => string; allowed: boolean }[] = [
    { name: "the same origin", origin: (url) => url, allowed: true },
    { name: "null", origin: () => "null", allowed: false },
    { name: "another site", origin: () => "https://evil.example", allowed: false },
    { name: "another port", origin: () => "http://127.0.0.1:1", allowed: false },
    { name: "a suffix", origin: (url) => `${url}.evil.example`, allowed: false },
    { name: "a prefix", origin: (url) => url.slice(0, -1), allowed: false },
    { name: "user info", origin: (url) => url.replace("//", "//a@"), allowed: false },
    { name: "another scheme", origin: (url) => url.replace("http", "file"), allowed: false },
  ];
  test.each(origins)("origin: $name", async ({ origin, allowed }) => {
    const { url } = await start();
    const opened = follow(url, "", { headers: { origin: origin(url) } });
    if (allowed) expect((await opened).messages[0]?.type).toBe("hello");
    else await expect(opened).rejects.toThrow("403");
  });

  test.each([
    ["?since=-1", 400],
    ["?since=x", 400],
    ["?since=1&__proto__=1", 400],
    ["?token=secret", 400],
    ["/../x", 404],
  ])("query %s is answered %d", async (query, status) => {
    const { url } = await start();
    await expect(follow(url, query)).rejects.toThrow(String(status));
  });

  test("a page under a name of its own that leads to loopback is refused", async () => {
    const { url } = await start();
    const status = await new Promise<number | undefined>((resolve) => {
      request(`${url}/api/v1/incidents`, { headers: { host: "evil.example:4319" } }, (response) => {
        response.resume();
        resolve(response.statusCode);
      }).end();
    });
    expect(status).toBe(403);
  });

  test("more clients than the limit are told to come back", async () => {
    const { url } = await start({ config: { streamClientsMax: 2 } });
    await follow(url);
    await follow(url);
    await expect(follow(url)).rejects.toThrow("503");
  });

  test("messages are not taken, large ones not even read", async () => {
    const { url } = await start();
    const talker = await follow(url);
    talker.socket.send('{"__proto__": {"polluted": true}}');
    await vi.waitFor(() => expect(talker.closed.code).toBe(1008));
    const shouter = await follow(url);
    shouter.socket.send("x".repeat(65 * 1_024));
    await vi.waitFor(() => expect(shouter.closed.code).toBe(1009));
    expect("polluted" in {}).toBe(false);
  });

  test("a client that answers no ping is let go", async () => {
    const collector = await start();
    const dead = await follow(collector.url, "", { autoPong: false });
    const alive = await follow(collector.url);
    for (let second = 0; second < 31; second++) {
      await collector.advance(1_000);
      await echoes(alive);
    }
    await vi.waitFor(() => expect(dead.closed.code).toBe(1006));
    expect(alive.socket.readyState).toBe(WebSocket.OPEN);
  });
});
