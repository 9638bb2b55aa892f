/** `brunt agent --workers 2` as its users run it: processes, sockets and the SDK's exporters. */
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ROOT_CONTEXT, type Span, SpanKind, trace } from "@opentelemetry/api";
import { OTLPTraceExporter as GrpcExporter } from "@opentelemetry/exporter-trace-otlp-grpc";
import { OTLPTraceExporter as ProtobufExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { resourceFromAttributes } from "@opentelemetry/resources";
import {
  BasicTracerProvider,
  SimpleSpanProcessor,
  type SpanExporter,
} from "@opentelemetry/sdk-trace-base";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createAcknowledger } from "../../bench/acknowledge.ts";
import { decodeSketchBatch, type WindowBatch } from "../../wire/sketch-batch.ts";
import { cellsOf, edgesOf } from "../agent/fixture.ts";
import { type BruntProcess, type BuiltBrunt, buildBrunt } from "../cli/built-brunt.ts";

let built: BuiltBrunt;
beforeAll(() => {
  built = buildBrunt();
});
afterAll(() => built.remove());

/** A collector that keeps what it is sent. */
async function startCollector(): Promise<{ server: Server; url: string; batches: WindowBatch[] }> {
  const batches: WindowBatch[] = [];
  const acknowledge = createAcknowledger();
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    const decoded = decodeSketchBatch(body);
    if (decoded.ok && decoded.value.kind === "window") batches.push(decoded.value);
    response.writeHead(decoded.ok ? 200 : 400, { "content-type": "application/json" });
    response.end(decoded.ok ? JSON.stringify(acknowledge(body, Date.now())) : "");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, batches };
}

interface Ports {
  readonly http: number;
  readonly grpc: number;
}

async function portsOf(brunt: BruntProcess): Promise<Ports> {
  await brunt.says(/agent is up/);
  const port = async (name: string): Promise<number> =>
    Number((await brunt.says(new RegExp(`"${name}":(\\d+)`)))[1]);
  return { http: await port("httpPort"), grpc: await port("grpcPort") };
}

/** Two workers, what is done to them, and what had been sent when they were stopped. */
async function check(act: (context: { brunt: BruntProcess; ports: Ports }) => Promise<void>) {
  const collector = await startCollector();
  const ports = ["--grpc-port", "0", "--http-port", "0", "--collector", collector.url];
  const brunt = built.start(["agent", "--workers", "2", ...ports]);
  try {
    await act({ brunt, ports: await portsOf(brunt) });
    const code = await brunt.stop();
    return { code, batches: collector.batches };
  } finally {
    collector.server.close();
    collector.server.closeAllConnections();
  }
}

const http = ({ http: port }: Ports): SpanExporter =>
  new ProtobufExporter({ url: `http://127.0.0.1:${port}/v1/traces` });
const grpc = ({ grpc: port }: Ports): SpanExporter =>
  new GrpcExporter({ url: `http://127.0.0.1:${port}` });

const calls = 12;

/** Calls from shop to pay, each span by an exporter, and so a connection, of its own. */
async function exportCalls(ports: Ports): Promise<void> {
  const providers: BasicTracerProvider[] = [];
  const start = (service: string, kind: SpanKind, parent?: Span): Span => {
    const exporter = providers.length % 2 === 0 ? http(ports) : grpc(ports);
    const provider = new BasicTracerProvider({
      resource: resourceFromAttributes({ "service.name": service }),
      spanProcessors: [new SimpleSpanProcessor(exporter)],
    });
    providers.push(provider);
    const context = parent === undefined ? ROOT_CONTEXT : trace.setSpan(ROOT_CONTEXT, parent);
    return provider.getTracer("test").startSpan(SpanKind[kind], { kind }, context);
  };
  for (let call = 0; call < calls; call++) {
    const entry = start("shop", SpanKind.SERVER);
    const client = start("shop", SpanKind.CLIENT, entry);
    const server = start("pay", SpanKind.SERVER, client);
    for (const span of [server, client, entry]) span.end();
  }
  await Promise.all(providers.map((provider) => provider.shutdown()));
}

async function metricOf({ http: port }: Ports, name: string): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  return Number(new RegExp(`^${name} (\\d+)$`, "m").exec(text)?.[1]);
}

/** The processes whose parent is `pid`. */
function workersOf(pid: number | undefined): number[] {
  const listed = execFileSync("ps", ["-eo", "pid=,ppid="], { encoding: "utf8" }).trim().split("\n");
  const rows = listed.map((line) => line.trim().split(/\s+/).map(Number));
  return rows.filter(([, parent]) => parent === pid).map(([child]) => child as number);
}

function sumOf(batches: readonly WindowBatch[], read: (batch: WindowBatch) => number): number {
  return batches.reduce((sum, batch) => sum + read(batch), 0);
}

describe("brunt agent --workers 2", () => {
  test("pairs what came by 36 connections of HTTP and gRPC, and sends one stream", async () => {
    const { code, batches } = await check(async ({ ports }) => {
      await exportCalls(ports);
      expect(await metricOf(ports, "brunt_agent_spans_accepted_total")).toBe(3 * calls);
      expect(await metricOf(ports, "brunt_agent_workers")).toBe(2);
    });
    expect(code).toBe(0);
    expect(new Set(batches.map(({ streamId }) => streamId)).size).toBe(1);
    expect(batches.map(({ seq }) => seq)).toEqual(batches.map((_, at) => at + 1));
    expect(sumOf(batches, ({ counts }) => counts.spans)).toBe(3 * calls);
    const edge = "shop CLIENT > pay SERVER";
    expect(sumOf(batches, (batch) => edgesOf(batch).get(edge)?.count ?? 0)).toBe(calls);
    const selfTimes = (batch: WindowBatch): number =>
      cellsOf(batch).get("shop SERVER")?.selfNs.count ?? 0;
    expect(sumOf(batches, selfTimes)).toBe(calls);
  });

  test("starts a worker again that was killed, and goes on", async () => {
    const { code, batches } = await check(async ({ brunt, ports }) => {
      const { pid } = brunt.child;
      const before = workersOf(pid);
      expect(before).toHaveLength(2);
      process.kill(before[0] as number, "SIGKILL");
      await brunt.says(/a worker ended, it is started again/);
      await brunt.says(/started again[\s\S]*"a worker listens again"/);
      expect(await metricOf(ports, "brunt_agent_workers")).toBe(2);
      expect(await metricOf(ports, "brunt_agent_worker_restarts_total")).toBe(1);
      await exportCalls(ports);
    });
    expect(code).toBe(0);
    expect(sumOf(batches, ({ counts }) => counts.spans)).toBe(3 * calls);
  });

  test("each worker says that the spool's disk refuses", async () => {
    const argv = ["agent", "--workers", "2", "--grpc-port", "0", "--http-port", "0"];
    const directory = mkdtempSync(join(tmpdir(), "brunt-workers-"));
    writeFileSync(join(directory, "spool"), "no directory");
    const brunt = built.start(argv, directory);
    const { http: port } = await portsOf(brunt);
    const ready = await fetch(`http://127.0.0.1:${port}/readyz`);
    expect([ready.status, await ready.text()]).toEqual([200, expect.stringMatching(/^degraded: /)]);
    await brunt.stop();
    rmSync(directory, { recursive: true });
  });

  test("a port that is taken stops the start with the reason", async () => {
    const taken = await startCollector();
    const port = new URL(taken.url).port;
    const brunt = built.start(["agent", "--workers", "2", "--grpc-port", "0", "--http-port", port]);
    await brunt.says(/ADDRESS_IN_USE/);
    const code = brunt.child.exitCode ?? (await once(brunt.child, "close"))[0];
    expect(code).toBe(1);
    taken.server.close();
  });
});
