import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { type AddressInfo, createServer as createTcpServer, connect as tcpConnect } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { createVirtualClock, type VirtualClock } from "../../base/clock.ts";
import { createAddressGuard } from "../../collector/notify/address-guard.ts";
import {
  createHttpPost,
  type HttpPostOptions,
  type PostResult,
  type Target,
} from "../../collector/notify/http-post.ts";
import { outcomeOf } from "../../collector/notify/notifier.ts";
import { until } from "../processes/wait.ts";

const nowMs = Date.UTC(2027, 0, 15, 8, 0, 0);
const opened: { close(): unknown }[] = [];

afterEach(() => {
  for (const server of opened.splice(0)) server.close();
});

/** A server on loopback; gives its port. */
async function listen(
  answer: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<number> {
  const server = createServer(answer).listen(0, "127.0.0.1");
  opened.push({ close: () => server.closeAllConnections() }, server);
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

interface Sending extends Partial<HttpPostOptions> {
  readonly clock?: VirtualClock;
  readonly allowed?: readonly string[];
  readonly signal?: AbortSignal;
  readonly headers?: Readonly<Record<string, string>>;
}

function send(url: string, sending: Sending = {}): Promise<PostResult> {
  const { clock = createVirtualClock(nowMs), allowed = ["127.0.0.1"], headers = {} } = sending;
  const post = createHttpPost({ ...sending, clock });
  return post({
    url: new URL(url),
    headers: { "content-type": "application/json", ...headers },
    body: '{"ü":1}',
    isAllowed: createAddressGuard(allowed),
    signal: sending.signal ?? new AbortController().signal,
  });
}

const answered = (status: number, headers: Readonly<Record<string, string>> = {}) =>
  listen((_, response) => response.writeHead(status, headers).end("why"));

describe("a POST", () => {
  test("carries method, path, host, headers and body", async () => {
    const seen: unknown[] = [];
    const port = await listen((request, response) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        const { method, url, headers } = request;
        seen.push({ method, url, headers, body: Buffer.concat(chunks).toString() });
        response.writeHead(204).end();
      });
    });
    const result = await send(`http://a%40b:c%3Ad@127.0.0.1:${port}/hook/%C3%BC?token=1`, {
      headers: { "idempotency-key": "k" },
    });
    expect(result).toEqual({ kind: "answer", status: 204, retryAfterMs: undefined, text: "" });
    expect(seen).toMatchObject([
      {
        method: "POST",
        url: "/hook/%C3%BC?token=1",
        headers: {
          host: `127.0.0.1:${port}`,
          authorization: `Basic ${Buffer.from("a@b:c:d").toString("base64")}`,
          "idempotency-key": "k",
          "content-type": "application/json",
          "content-length": "8",
        },
        body: '{"ü":1}',
      },
    ]);
  });

  test.each<[status: number, kind: string, reason: string | undefined]>([
    [200, "delivered", undefined],
    [202, "delivered", undefined],
    [301, "refused", "redirect"],
    [307, "refused", "redirect"],
    [400, "refused", "client_error"],
    [401, "refused", "client_error"],
    [404, "refused", "client_error"],
    [408, "retry", "throttled"],
    [413, "refused", "too_large"],
    [429, "retry", "throttled"],
    [500, "retry", "server_error"],
    [503, "retry", "server_error"],
  ])("status %i is %s (%s)", async (status, kind, reason) => {
    let asked = 0;
    const elsewhere = await listen((_, response) => {
      asked += 1;
      response.end();
    });
    const location = `http://127.0.0.1:${elsewhere}/`;
    const port = await answered(status, { location });
    const outcome = outcomeOf(await send(`http://127.0.0.1:${port}/`));
    expect(outcome).toMatchObject(reason === undefined ? { kind } : { kind, reason });
    expect(asked).toBe(0);
  });

  test.each<[header: string, ms: number | undefined]>([
    ["7", 7_000],
    ["0", 0],
    ["999999", 300_000],
    [new Date(nowMs + 20_000).toUTCString(), 20_000],
    [new Date(nowMs - 20_000).toUTCString(), 0],
    ["soon", undefined],
  ])("retry-after %s", async (header, retryAfterMs) => {
    const port = await answered(429, { "retry-after": header });
    expect(await send(`http://127.0.0.1:${port}/`)).toMatchObject({ status: 429, retryAfterMs });
  });

  test("of an endless body no more than 64 KiB is read", async () => {
    const port = await listen((_, response) => {
      response.writeHead(500);
      const more = (): void => {
        while (!response.destroyed && response.write("x".repeat(10_000)));
        if (!response.destroyed) response.once("drain", more);
      };
      more();
    });
    const result = await send(`http://127.0.0.1:${port}/`);
    expect(result).toMatchObject({ kind: "answer", status: 500 });
    expect((result as { text: string }).text.length).toBeLessThanOrEqual(64 * 1_024);
  });

  test.each<[name: string, answer: (response: ServerResponse) => void]>([
    ["never ends", (response) => response.write("half")],
    ["breaks off", (response) => response.write("half", () => response.destroy())],
  ])("a body that %s takes nothing from the answer", async (_, answer) => {
    const clock = createVirtualClock(nowMs);
    let begun = false;
    const port = await listen((__, response) => {
      response.writeHead(200, { "content-length": "100" });
      answer(response);
      begun = true;
    });
    const result = send(`http://127.0.0.1:${port}/`, { clock });
    const settled = result.then(() => true);
    await until("the answer begins", () => begun, { withinMs: 5_000, everyMs: 5 });
    let isOver = false;
    void settled.then(() => {
      isOver = true;
    });
    const step = (): boolean => {
      // Well below the time for the whole request.
      if (!isOver) clock.advance(10);
      return isOver;
    };
    await until("it settles", step, { withinMs: 5_000, everyMs: 5 });
    expect(await result).toMatchObject({ kind: "answer", status: 200 });
  });
});

describe("a POST without an answer", () => {
  async function failure(url: string, sending: Sending = {}): Promise<string> {
    const result = await send(url, sending);
    return result.kind === "failed" ? result.reason : `status ${result.status}`;
  }

  test("is over after ten seconds", async () => {
    const clock = createVirtualClock(nowMs);
    let isAsked = false;
    const port = await listen(() => {
      isAsked = true;
    });
    const result = failure(`http://127.0.0.1:${port}/`, { clock });
    await until("it asks", () => isAsked, { withinMs: 5_000, everyMs: 5 });
    clock.advance(9_999);
    expect(await Promise.race([result, Promise.resolve("waiting")])).toBe("waiting");
    clock.advance(1);
    expect(await result).toBe("timeout");
  });

  test("is over after ten seconds in a look-up, too", async () => {
    const clock = createVirtualClock(nowMs);
    const resolve = () => new Promise<never>(() => {});
    const result = failure("http://example.com/", { clock, resolve });
    clock.advance(10_000);
    expect(await result).toBe("timeout");
  });

  test("nobody listens", async () => {
    const server = createTcpServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    server.close();
    await once(server, "close");
    expect(await failure(`http://127.0.0.1:${port}/`)).toBe("connection");
  });

  test("the connection is reset", async () => {
    const server = createTcpServer((socket) => socket.once("data", () => socket.resetAndDestroy()));
    opened.push(server.listen(0, "127.0.0.1"));
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    expect(await failure(`http://127.0.0.1:${port}/`)).toBe("connection");
  });

  test("what answers speaks no HTTP", async () => {
    const server = createTcpServer((socket) => socket.end("220 mail\r\n\r\n"));
    opened.push(server.listen(0, "127.0.0.1"));
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    expect(await failure(`http://127.0.0.1:${port}/`)).toBe("connection");
    expect(await failure(`https://127.0.0.1:${port}/`)).toBe("connection");
  });

  test("the look-up fails", async () => {
    const resolve = () => Promise.reject(Object.assign(new Error("no"), { code: "ENOTFOUND" }));
    expect(await failure("http://example.com/", { resolve })).toBe("connection");
  });

  test("it is stopped", async () => {
    const stop = new AbortController();
    const port = await listen(() => stop.abort());
    expect(await failure(`http://127.0.0.1:${port}/`, { signal: stop.signal })).toBe("connection");
    expect(await failure(`http://127.0.0.1:${port}/`, { signal: stop.signal })).toBe("connection");
  });
});

describe("the address that is connected to", () => {
  /** Looks names up in a table; connects to a server of the test whatever the address. */
  async function check(
    url: string,
    names: Readonly<Record<string, readonly (readonly string[])[]>>,
    allowed: readonly string[] = [],
  ): Promise<{ result: PostResult; targets: readonly Target[]; lookups: number }> {
    const port = await answered(200);
    const targets: Target[] = [];
    let lookups = 0;
    const result = await send(url, {
      allowed,
      resolve: async (host) => names[host]?.[lookups++] ?? [],
      connect: (target) => {
        targets.push(target);
        return tcpConnect(port, "127.0.0.1");
      },
    });
    return { result, targets, lookups };
  }

  test("is the one that was judged, looked up once", async () => {
    // A name that leads somewhere else when it is asked for again.
    const names = { "example.com": [["93.184.216.34"], ["169.254.169.254"]] };
    const { result, targets, lookups } = await check("https://example.com/hook", names);
    expect(result).toMatchObject({ kind: "answer", status: 200 });
    expect(targets).toEqual([
      { address: "93.184.216.34", port: 443, host: "example.com", secure: true },
    ]);
    expect(lookups).toBe(1);
  });

  test("is none when all are private", async () => {
    const names = { "example.com": [["10.0.0.1", "::1", "fd00:ec2::254"]] };
    const { result, targets } = await check("http://example.com/", names);
    expect(result).toMatchObject({ kind: "failed", reason: "address" });
    expect(targets).toEqual([]);
  });

  test("is a public one among private ones", async () => {
    const names = { "example.com": [["10.0.0.1", "8.8.8.8"]] };
    const { targets } = await check("http://example.com:8080/", names);
    expect(targets).toMatchObject([{ address: "8.8.8.8", port: 8080 }]);
  });

  test("is none when there is none", async () => {
    const { result, targets } = await check("http://example.com/", {});
    expect(result).toMatchObject({ kind: "failed", reason: "address" });
    expect(targets).toEqual([]);
  });

  test.each([
    "http://127.0.0.1/",
    "http://[::1]/",
    "http://[::ffff:127.0.0.1]/",
    "http://169.254.169.254/latest/meta-data/",
    "http://0x7f000001/",
    "http://2130706433/",
    "http://127.1/",
    "http://0/",
    "http://[fd00:ec2::254]/",
    "http://127。0。0。1/",
  ])("is not %s", async (url) => {
    const { result, targets, lookups } = await check(url, {});
    expect(result).toMatchObject({ kind: "failed", reason: "address" });
    expect([targets, lookups]).toEqual([[], 0]);
  });

  test("is a private one that is allowed", async () => {
    const names = { "hooks.internal": [["10.1.2.3"]] };
    for (const allowed of ["hooks.internal", "10.1.2.3", "10.0.0.0/8"]) {
      const { targets } = await check("http://hooks.internal/", names, [allowed]);
      expect(targets).toMatchObject([{ address: "10.1.2.3" }]);
    }
  });
});
