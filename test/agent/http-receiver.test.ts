import { once } from "node:events";
import { request } from "node:http";
import { connect } from "node:net";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Agent, createAgent } from "../../agent/agent.ts";
import { defaultAgentConfig } from "../../agent/config.ts";
import { createBufferPool } from "../../agent/receivers/body.ts";
import { createByteBudget } from "../../agent/receivers/byte-budget.ts";
import { createHttpReceiver } from "../../agent/receivers/http.ts";
import { listen } from "../../agent/receivers/listen.ts";
import { createVirtualClock } from "../../base/clock.ts";
import { silentLog } from "../../base/log.ts";
import { createMeter } from "../../base/meter.ts";
import { ok } from "../../base/result.ts";
import { nodeDisk } from "../../cli/node-disk.ts";
import { createRecordingLink, fixtureStartMs, jsonOf, requestOf, seededBytes } from "./fixture.ts";

const protobuf = { "content-type": "application/x-protobuf" };
const json = { "content-type": "application/json" };
const twoSpans = [{ id: 1 }, { id: 2 }];
const oneRejected = [{ id: 1 }, { id: 2, to: 90_000 }];

let agent: Agent;
let port: number;

beforeAll(async () => {
  const link = createRecordingLink();
  agent = createAgent(
    { ...defaultAgentConfig(), httpPort: 0, grpcPort: 0 },
    {
      clock: createVirtualClock(fixtureStartMs),
      log: silentLog,
      meter: createMeter(),
      link,
      disk: nodeDisk,
      randomBytes: seededBytes(1),
    },
  );
  await agent.start();
  port = agent.ports.http;
});

afterAll(() => agent.shutdown());

interface Answer {
  readonly status: number;
  readonly type: string | undefined;
  readonly body: string;
  readonly headers: Record<string, unknown>;
}

interface Call {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string | Uint8Array;
  readonly port?: number;
}

function check(call: Call): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { method = "POST", path = "/v1/traces", headers = {}, body } = call;
    const outgoing = request({ port: call.port ?? port, method, path, headers }, (incoming) => {
      const chunks: Buffer[] = [];
      incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
      incoming.on("end", () =>
        resolve({
          status: incoming.statusCode ?? 0,
          type: incoming.headers["content-type"],
          body: Buffer.concat(chunks).toString("latin1"),
          headers: incoming.headers,
        }),
      );
    });
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}

const noBodyLength = { ...protobuf, "content-length": "25000000" };
const bomb = gzipSync(Buffer.alloc(300 * 1_048_576), { level: 9 });

describe("OTLP/HTTP", () => {
  test.each<[string, Call, number, string]>([
    ["protobuf", { headers: protobuf, body: requestOf(twoSpans) }, 200, ""],
    ["JSON", { headers: json, body: jsonOf(twoSpans) }, 200, "{}"],
    [
      "JSON with a charset",
      { headers: { "content-type": "application/json; charset=utf-8" }, body: jsonOf(twoSpans) },
      200,
      "{}",
    ],
    [
      "gzip",
      { headers: { ...protobuf, "content-encoding": "gzip" }, body: gzipSync(requestOf(twoSpans)) },
      200,
      "",
    ],
    [
      "gzip of JSON",
      { headers: { ...json, "content-encoding": "gzip" }, body: gzipSync(jsonOf(twoSpans)) },
      200,
      "{}",
    ],
    [
      "identity",
      { headers: { ...json, "content-encoding": "identity" }, body: jsonOf(twoSpans) },
      200,
      "{}",
    ],
    ["empty protobuf", { headers: { ...protobuf, "content-length": "0" } }, 200, ""],
    ["empty JSON object", { headers: json, body: "{}" }, 200, "{}"],
    [
      "unknown JSON fields",
      { headers: json, body: '{"future":[1],"resourceSpans":[]}' },
      200,
      "{}",
    ],
    [
      "a rejected span",
      { headers: json, body: jsonOf(oneRejected) },
      200,
      '{"partialSuccess":{"rejectedSpans":"1"',
    ],
    ["malformed protobuf", { headers: protobuf, body: "\x0a\xff\xff" }, 400, "\x08\x03"],
    ["malformed JSON", { headers: json, body: "{" }, 400, '{"code":3,"message":"'],
    ["JSON that is no request", { headers: json, body: '{"resourceSpans":7}' }, 400, '{"code":3'],
    [
      "gzip that is none",
      { headers: { ...json, "content-encoding": "gzip" }, body: "plain" },
      400,
      '{"code":3',
    ],
    [
      "cut gzip",
      {
        headers: { ...json, "content-encoding": "gzip" },
        body: gzipSync(jsonOf(twoSpans)).subarray(0, 40),
      },
      400,
      '{"code":3',
    ],
    [
      "another encoding",
      { headers: { ...json, "content-encoding": "br" }, body: "x" },
      415,
      '{"code":12',
    ],
    [
      "another content type",
      { headers: { "content-type": "text/plain" }, body: "x" },
      415,
      '{"code":12',
    ],
    ["no content type", { body: "x" }, 415, '{"code":12'],
    ["GET", { method: "GET" }, 405, '{"code":12'],
    [
      "a declared size over the limit",
      { headers: noBodyLength, body: Buffer.alloc(25_000_000) },
      413,
      "\x08\x08",
    ],
    [
      "chunks over the limit",
      { headers: { ...protobuf, "transfer-encoding": "chunked" }, body: Buffer.alloc(22_000_000) },
      413,
      "\x08\x08",
    ],
    [
      "a gzip bomb",
      { headers: { ...protobuf, "content-encoding": "gzip" }, body: bomb },
      413,
      "\x08\x08",
    ],
    ["no metrics in JSON", { path: "/v1/metrics", headers: json, body: "{}" }, 200, "{}"],
    ["no metrics in protobuf", { path: "/v1/metrics", headers: protobuf, body: "" }, 200, ""],
    [
      "metrics that are none",
      { path: "/v1/metrics", headers: json, body: '{"resourceMetrics":7}' },
      400,
      '{"code":3,"message":"resourceMetrics is not a list',
    ],
    [
      "a metric of two kinds",
      {
        path: "/v1/metrics",
        headers: json,
        body: '{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"gauge":{},"sum":{}}]}]}]}',
      },
      400,
      '{"code":3,"message":"resourceMetrics[0].scopeMetrics[0].metrics[0].sum is a second value',
    ],
    [
      "a rejected data point",
      {
        path: "/v1/metrics",
        headers: json,
        body: JSON.stringify({
          resourceMetrics: [
            { scopeMetrics: [{ metrics: [{ name: "m", gauge: { dataPoints: [{}] } }] }] },
          ],
        }),
      },
      200,
      '{"partialSuccess":{"rejectedDataPoints":"1","errorMessage":"1 data points are invalid, the first: m has no timeUnixNano"}}',
    ],
    ["GET of metrics", { path: "/v1/metrics", method: "GET" }, 405, '{"code":12'],
    [
      "logs",
      { path: "/v1/logs", headers: json, body: "{}" },
      404,
      '{"code":5,"message":"only traces and metrics are served here, not logs; set OTEL_LOGS_EXPORTER=none',
    ],
    ["another path", { path: "/", headers: json, body: "{}" }, 404, '{"code":5'],
    [
      "a prototype's name as attribute",
      { headers: json, body: jsonOf([{ id: 1, attributes: JSON.parse('{"__proto__":"x"}') }]) },
      200,
      "{}",
    ],
  ])("%s", async (_, call, status, body) => {
    const answer = await check(call);
    expect(answer.status).toBe(status);
    expect(answer.body.slice(0, body.length)).toBe(body);
    if (status < 300 && call.headers?.["content-type"]?.startsWith("application/")) {
      expect(answer.type).toBe(call.headers["content-type"].split(";")[0]);
    }
    const next = await check({ headers: json, body: jsonOf(twoSpans) });
    expect([next.status, next.body]).toEqual([200, "{}"]);
  });

  test("a body whose length nobody knows is refused", async () => {
    const socket = connect(port, "127.0.0.1");
    socket.write("POST /v1/traces HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n\r\n");
    const [answer] = await once(socket, "data");
    socket.destroy();
    expect(String(answer)).toMatch(/^HTTP\/1\.1 411 /);
  });

  test("what is no HTTP at all costs only its own connection", async () => {
    const socket = connect(port, "127.0.0.1");
    socket.write("\x16\x03\x01 hello\r\n\r\n");
    socket.resume();
    await once(socket, "close");
    expect((await check({ headers: json, body: jsonOf(twoSpans) })).status).toBe(200);
  });

  test("a bomb is refused quickly", async () => {
    const startedMs = performance.now();
    await check({ headers: { ...protobuf, "content-encoding": "gzip" }, body: bomb });
    expect(performance.now() - startedMs).toBeLessThan(1_000);
  });

  test("metrics, liveness and readiness are served beside", async () => {
    const metrics = await check({ method: "GET", path: "/metrics" });
    expect(metrics.body).toMatch(/^brunt_agent_spans_accepted_total \d+$/m);
    expect((await check({ method: "GET", path: "/livez" })).body).toBe("ok\n");
    expect((await check({ method: "GET", path: "/readyz" })).status).toBe(200);
  });

  test("no bytes stay taken", async () => {
    const metrics = await check({ method: "GET", path: "/metrics" });
    expect(metrics.body).toMatch(/^brunt_agent_bytes_in_flight 0$/m);
  });
});

const nothing = () => ok({ accepted: 0, rejected: 0, message: "" });
const noIngest = { traces: nothing, metrics: nothing };

test("with the bytes in flight exhausted: 503 and Retry-After, then service again", async () => {
  const budget = createByteBudget(1_000);
  const server = createHttpReceiver({
    bytesMax: 10_000,
    connectionsMax: 10,
    budget,
    pool: createBufferPool(),
    meter: createMeter(),
    ingest: noIngest,
    renderMetrics: () => "",
    isReady: () => true,
    degraded: () => undefined,
  });
  const listening = await listen(server, { host: "127.0.0.1", port: 0 });
  const call = { port: listening.port, headers: json, body: "{}" };
  budget.take(999);
  const shed = await check(call);
  expect([shed.status, shed.headers["retry-after"]]).toEqual([503, "5"]);
  expect(JSON.parse(shed.body)).toMatchObject({ code: 14, details: [{ retryDelay: "5s" }] });
  budget.give(999);
  expect((await check(call)).status).toBe(200);
  expect(budget.used).toBe(0);
  await listening.close();
});

test.each([
  ["well", { isReady: true, degraded: undefined }, [200, "ok\n"]],
  ["worse than it should be", { isReady: true, degraded: "why" }, [200, "degraded: why\n"]],
  ["about to end", { isReady: false, degraded: "why" }, [503, "starting\n"]],
] as const)("readiness of an agent that is %s", async (_, { isReady, degraded }, expected) => {
  const server = createHttpReceiver({
    bytesMax: 10_000,
    connectionsMax: 10,
    budget: createByteBudget(1_000),
    pool: createBufferPool(),
    meter: createMeter(),
    ingest: noIngest,
    renderMetrics: () => "",
    isReady: () => isReady,
    degraded: () => degraded,
  });
  const listening = await listen(server, { host: "127.0.0.1", port: 0 });
  const ready = await check({ port: listening.port, method: "GET", path: "/readyz" });
  expect([ready.status, ready.body]).toEqual(expected);
  await listening.close();
});
