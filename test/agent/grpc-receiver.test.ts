import { type ClientHttp2Session, connect } from "node:http2";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createBufferPool } from "../../agent/receivers/body.ts";
import { createByteBudget } from "../../agent/receivers/byte-budget.ts";
import { createGrpcReceiver } from "../../agent/receivers/grpc.ts";
import { type Listening, listen } from "../../agent/receivers/listen.ts";
import { createVirtualClock } from "../../base/clock.ts";
import { createMeter } from "../../base/meter.ts";
import { ok, refuse } from "../../base/result.ts";
import { validateMetrics, validateTraces } from "../../wire/validate-traces.ts";
import { fixtureStartMs, requestOf } from "./fixture.ts";

const exportPath = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
const bytesMax = 4 * 1_048_576;
const budget = createByteBudget(2 * bytesMax);
const clock = createVirtualClock(fixtureStartMs);

let listening: Listening;
let session: ClientHttp2Session;

beforeAll(async () => {
  const server = createGrpcReceiver({
    bytesMax,
    connectionsMax: 10,
    budget,
    pool: createBufferPool(),
    clock,
    meter: createMeter(),
    ingest: {
      traces(bytes) {
        const counts = validateTraces(bytes);
        if (!counts.ok) return refuse(counts.error.code, `${counts.error.message} – 100 %`);
        const rejected = counts.value.spans === 3 ? 1 : 0;
        return ok({
          accepted: counts.value.spans,
          rejected,
          message: rejected ? "one too many" : "",
        });
      },
      metrics(bytes) {
        const points = validateMetrics(bytes);
        if (!points.ok) return points;
        return ok({ accepted: points.value, rejected: 0, message: "" });
      },
    },
  });
  listening = await listen(server, { host: "127.0.0.1", port: 0 });
  session = connect(`http://127.0.0.1:${listening.port}`);
});

afterAll(async () => {
  session.close();
  await listening.close();
});

interface Call {
  readonly path?: string;
  readonly headers?: Record<string, string>;
  readonly body?: Uint8Array;
  readonly method?: string;
}

interface Answer {
  readonly httpStatus: number;
  readonly code: string | undefined;
  readonly message: string;
  readonly details: Buffer | undefined;
  readonly body: Buffer;
}

function check(call: Call): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const stream = session.request({
      ":method": call.method ?? "POST",
      ":path": call.path ?? exportPath,
      "content-type": "application/grpc+proto",
      te: "trailers",
      ...call.headers,
    });
    let head: Record<string, unknown> = {};
    const chunks: Buffer[] = [];
    stream.on("response", (headers) => (head = { ...head, ...headers }));
    stream.on("trailers", (headers) => (head = { ...head, ...headers }));
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("error", reject);
    stream.on("close", () => {
      const details = head["grpc-status-details-bin"] as string | undefined;
      resolve({
        httpStatus: Number(head[":status"]),
        code: head["grpc-status"] as string | undefined,
        message: decodeURIComponent(String(head["grpc-message"] ?? "")),
        details: details === undefined ? undefined : Buffer.from(details, "base64"),
        body: Buffer.concat(chunks),
      });
    });
    stream.end(call.body);
  });
}

function frame(message: Uint8Array, compressed = 0): Buffer {
  const header = Buffer.alloc(5);
  header[0] = compressed;
  header.writeUInt32BE(message.length, 1);
  return Buffer.concat([header, message]);
}

const gzip = { "grpc-encoding": "gzip" };
const spans = requestOf([{ id: 1 }, { id: 2 }]);
const bomb = gzipSync(Buffer.alloc(300 * 1_048_576), { level: 9 });

describe("OTLP/gRPC", () => {
  test.each<[string, Call, string, RegExp]>([
    ["a message", { body: frame(spans) }, "0", /^$/],
    ["a compressed message", { headers: gzip, body: frame(gzipSync(spans), 1) }, "0", /^$/],
    ["not compressed though it might be", { headers: gzip, body: frame(spans) }, "0", /^$/],
    ["an empty request", { body: frame(new Uint8Array(0)) }, "0", /^$/],
    ["malformed protobuf", { body: frame(Buffer.from([0x0a, 0xff])) }, "3", / – 100 %$/],
    ["no message", {}, "13", /holds no message/],
    ["a cut message", { body: frame(spans).subarray(0, 20) }, "13", /in a call of 15/],
    [
      "two messages",
      { body: Buffer.concat([frame(spans), frame(spans)]) },
      "13",
      /more than its one message/,
    ],
    ["compressed, but not said how", { body: frame(gzipSync(spans), 1) }, "13", /does not say how/],
    [
      "another compression",
      { headers: { "grpc-encoding": "zstd" }, body: frame(spans, 1) },
      "12",
      /zstd/,
    ],
    ["gzip that is none", { headers: gzip, body: frame(spans, 1) }, "3", /does not inflate/],
    ["a gzip bomb", { headers: gzip, body: frame(bomb, 1) }, "8", /inflates to more than/],
    ["too large", { body: frame(Buffer.alloc(bytesMax + 1)) }, "8", /exceeds 4194304 bytes/],
    [
      "metrics that are none",
      {
        path: "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
        body: frame(Buffer.from([0x0a, 0xff])),
      },
      "3",
      /field 1 of metricsRequest/,
    ],
    [
      "logs",
      { path: "/opentelemetry.proto.collector.logs.v1.LogsService/Export", body: frame(spans) },
      "12",
      /OTEL_LOGS_EXPORTER=none/,
    ],
    [
      "another method",
      { path: "/x.Y/Z", body: frame(spans) },
      "12",
      /only \/v1\/traces and \/v1\/metrics/,
    ],
  ])("%s", async (_, call, code, message) => {
    const answer = await check(call);
    expect([answer.httpStatus, answer.code]).toEqual([200, code]);
    expect(answer.message).toMatch(message);
    expect(answer.details).toBeUndefined();
    const next = await check({ body: frame(spans) });
    expect([next.code, next.body.toString("hex")]).toEqual(["0", "0000000000"]);
  });

  test("partial success is a success with a message", async () => {
    const answer = await check({ body: frame(requestOf([{ id: 1 }, { id: 2 }, { id: 3 }])) });
    expect(answer.code).toBe("0");
    expect(answer.body.subarray(5).toString("latin1")).toBe("\x0a\x10\x08\x01\x12\x0cone too many");
  });

  test("what is no gRPC is answered as HTTP", async () => {
    const answer = await check({ headers: { "content-type": "application/json" } });
    expect([answer.httpStatus, answer.code]).toEqual([415, undefined]);
  });

  test("shedding asks to come back, then serves again", async () => {
    budget.take(2 * bytesMax - 1);
    const shed = await check({ body: frame(spans) });
    budget.give(2 * bytesMax - 1);
    expect(shed.code).toBe("14");
    expect(shed.details?.toString("latin1")).toContain("google.rpc.RetryInfo");
    expect((await check({ body: frame(spans) })).code).toBe("0");
  });

  test("a body that never ends is given up", async () => {
    const stream = session.request({
      ":method": "POST",
      ":path": exportPath,
      "content-type": "application/grpc",
    });
    const answered = new Promise((resolve) => {
      stream.on("response", (headers) => resolve(headers["grpc-status"]));
    });
    stream.write(frame(spans).subarray(0, 7));
    while (budget.used === 0) await new Promise((resolve) => setImmediate(resolve));
    clock.advance(15_000);
    expect(await answered).toBe("4");
    stream.close();
    expect(budget.used).toBe(0);
  });

  test("a client that breaks off leaves nothing taken", async () => {
    const other = connect(`http://127.0.0.1:${listening.port}`);
    const stream = other.request({
      ":method": "POST",
      ":path": exportPath,
      "content-type": "application/grpc",
    });
    stream.on("error", () => {});
    stream.write(frame(spans).subarray(0, 7));
    while (budget.used === 0) await new Promise((resolve) => setImmediate(resolve));
    other.destroy();
    while (budget.used > 0) await new Promise((resolve) => setImmediate(resolve));
    expect((await check({ body: frame(spans) })).code).toBe("0");
  });
});
