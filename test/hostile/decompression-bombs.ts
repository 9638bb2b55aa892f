/**
 * D1: bodies that inflate to far more than they are, against an agent's process over HTTP and gRPC,
 * hundreds at once, while an honest client goes on sending; and packets of MQTT that claim as much,
 * against a collector that hosts its broker.
 */
import { request as httpRequest } from "node:http";
import { type ClientHttp2Session, connect } from "node:http2";
import { createGzip, gzipSync } from "node:zlib";
import { type AgentProcess, startAgentProcess } from "../../bench/agent/agent-process.ts";
import { openConnections } from "../../bench/agent/connection.ts";
import { startNullCollector } from "../../bench/agent/null-collector.ts";
import { createTraffic } from "../../bench/traffic/traffic.ts";
import { type Row, type RowDefect, rowOf } from "../scoreboard-row.ts";
import { mqttBombs } from "./mqtt-bombs.ts";

const mebibyte = 2 ** 20;
const largeMib = 1_024;
/** So many of these fit the agent's budget of bytes in flight, so none is refused for want of it. */
const smallMib = 64;
const concurrent = 500;
const sessions = 16;
const healthyEveryMs = 20;
const exportPath = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

interface Answer {
  readonly refused: boolean;
  readonly retryable: boolean;
}

export async function decompressionBombs(): Promise<Row> {
  const collector = await startNullCollector();
  const agent = await startAgentProcess({ collectorUrl: collector.url });
  const bombs = {
    large: await zeros(largeMib),
    small: await zeros(smallMib),
  };
  const healthy = startHealthyClient(agent);
  await healthy.sent(20);
  const before = (await agent.usage()).rssBytes;
  const alone = await oneByOne(agent, bombs.large);
  const blockedByOneMs = (await agent.usage()).blockedMs;
  const answers = [...alone, ...(await manyAtOnce(agent, bombs.small))];
  await healthy.sent(20);
  const healthyErrors = await healthy.stop();
  const { rssBytes, blockedMs } = await agent.usage();
  await agent.stop();
  await collector.close();
  const overMqtt = await mqttBombs(bombs.large);
  return rowOf({
    row: "D1",
    n: answers.length + overMqtt.n,
    value: {
      notRefused: answers.filter(({ refused }) => !refused).length + overMqtt.notRefused,
      retryable: answers.filter(({ retryable }) => retryable).length,
      rssGrowthMiB: Math.round((rssBytes - before) / mebibyte),
      collectorRssGrowthMiB: overMqtt.rssGrowthMiB,
      blockedByOneMs: Math.round(blockedByOneMs),
      blockedByManyMs: Math.round(blockedMs),
      healthyErrors,
    },
    limit: {
      ...{ notRefused: 0, retryable: 0, healthyErrors: 0 },
      ...{ rssGrowthMiB: 128, collectorRssGrowthMiB: 128 },
      ...{ blockedByOneMs: 20, blockedByManyMs: 20 },
    },
  });
}

/** So many mebibytes of zeros, gzipped. */
async function zeros(mebibytes: number): Promise<Buffer> {
  const gzip = createGzip({ level: 9 });
  const chunks: Buffer[] = [];
  gzip.on("data", (chunk: Buffer) => chunks.push(chunk));
  const ended = new Promise((resolve) => gzip.once("end", resolve));
  const chunk = Buffer.alloc(mebibyte);
  for (let at = 0; at < mebibytes; at++) {
    if (!gzip.write(chunk)) await new Promise((resolve) => gzip.once("drain", resolve));
  }
  gzip.end();
  await ended;
  return Buffer.concat(chunks);
}

/** A gigabyte in a megabyte, the same again inside gzip, and with a trailer that says 1 byte. */
async function oneByOne(agent: AgentProcess, bomb: Buffer): Promise<Answer[]> {
  const lying = Buffer.from(bomb);
  lying.writeUInt32LE(1, lying.length - 4);
  const answers: Answer[] = [];
  for (const body of [bomb, gzipSync(bomb), lying, Buffer.concat([gzipSync("x"), bomb])]) {
    answers.push(await overHttp(agent.ports.http, body));
    const session = sessionTo(agent);
    answers.push(await overGrpc(session, body));
    session.destroy();
  }
  return answers;
}

async function manyAtOnce(agent: AgentProcess, bomb: Buffer): Promise<Answer[]> {
  const half = concurrent / 2;
  const grpc = Array.from({ length: sessions }, () => sessionTo(agent));
  const answers = await Promise.all([
    ...Array.from({ length: half }, () => overHttp(agent.ports.http, bomb)),
    ...Array.from({ length: half }, (_, at) =>
      overGrpc(grpc[at % sessions] as ClientHttp2Session, bomb),
    ),
  ]);
  for (const session of grpc) session.destroy();
  return answers;
}

/** Its streams tell of errors; an error of the session itself ends them all. */
function sessionTo(agent: AgentProcess): ClientHttp2Session {
  const session = connect(`http://127.0.0.1:${agent.ports.grpc}`);
  session.on("error", () => session.destroy());
  return session;
}

function overHttp(port: number, body: Uint8Array): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({
      ...{ port, host: "127.0.0.1", method: "POST", path: "/v1/traces", agent: false },
      headers: {
        "content-type": "application/x-protobuf",
        "content-encoding": "gzip",
        "content-length": body.length,
      },
    });
    request.on("error", reject);
    request.on("response", (response) => {
      response.resume();
      const status = response.statusCode ?? 0;
      resolve({
        // What is gzip inside gzip is no protobuf once it is inflated.
        refused: status === 413 || status === 400,
        retryable: response.headers["retry-after"] !== undefined || status >= 500,
      });
    });
    request.end(body);
  });
}

function overGrpc(session: ClientHttp2Session, body: Uint8Array): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const stream = session.request({
      ":method": "POST",
      ":path": exportPath,
      "content-type": "application/grpc",
      "grpc-encoding": "gzip",
      te: "trailers",
    });
    let status = "";
    let details = false;
    const note = (headers: Record<string, unknown>): void => {
      status = String(headers["grpc-status"] ?? status);
      details ||= headers["grpc-status-details-bin"] !== undefined;
    };
    stream.on("response", note);
    stream.on("trailers", note);
    stream.on("error", reject);
    // RESOURCE_EXHAUSTED, or INVALID_ARGUMENT for gzip inside gzip; UNAVAILABLE asks to come back.
    stream.on("close", () => {
      resolve({ refused: status === "8" || status === "3", retryable: details || status === "14" });
    });
    stream.resume();
    const head = Buffer.alloc(5);
    head[0] = 1;
    head.writeUInt32BE(body.length, 1);
    stream.end(Buffer.concat([head, body]));
  });
}

interface HealthyClient {
  /** Resolves after so many more good answers. */
  sent(count: number): Promise<void>;
  /** Stops; gives how many requests were not answered well. */
  stop(): Promise<number>;
}

function startHealthyClient(agent: AgentProcess): HealthyClient {
  const template = createTraffic({ seed: 8 }).batch(64);
  let open = true;
  let good = 0;
  let errors = 0;
  const run = async (): Promise<void> => {
    const port = agent.ports.http;
    const [connection] = await openConnections({ protocol: "http", port, gzip: false, count: 1 });
    for (let salt = 1; open && connection !== undefined; salt++) {
      template.stamp(salt, Date.now() - 2_000);
      await connection.send(template.bytes).then(
        () => good++,
        () => errors++,
      );
      await pause(healthyEveryMs);
    }
    connection?.close();
  };
  const running = run();
  return {
    async sent(count) {
      const until = good + errors + count;
      while (good + errors < until) await pause(healthyEveryMs);
    },
    async stop() {
      open = false;
      await running;
      return errors;
    },
  };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

export const decompressionBombsDefects: readonly RowDefect[] = [
  {
    name: "what a body inflates to has no bound",
    caughtBy: "rssGrowthMiB",
    patches: [
      { file: "agent/receivers/inflate.js", find: "maxOutputLength: granted,", replace: "" },
    ],
  },
  {
    name: "a bomb is answered as overload",
    caughtBy: "retryable",
    patches: [
      {
        file: "agent/receivers/inflate.js",
        find: 'refuse("OTLP_TOO_LARGE", `request inflates',
        replace: 'refuse("OVERLOADED", `request inflates',
      },
    ],
  },
  {
    name: "packets may be as long as MQTT lets them",
    caughtBy: "notRefused",
    patches: [
      {
        file: "collector/mqtt/packet-frames.js",
        find: "if (length > bytesMax())",
        replace: "if (false)",
      },
    ],
  },
];
