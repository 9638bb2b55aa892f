import { SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { OTLPTraceExporter as GrpcExporter } from "@opentelemetry/exporter-trace-otlp-grpc";
import { OTLPTraceExporter as JsonExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { OTLPTraceExporter as ProtobufExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { CompressionAlgorithm } from "@opentelemetry/otlp-exporter-base";
import { resourceFromAttributes } from "@opentelemetry/resources";
import {
  BasicTracerProvider,
  SimpleSpanProcessor,
  type SpanExporter,
} from "@opentelemetry/sdk-trace-base";
import { describe, expect, test } from "vitest";
import { createAgent } from "../../agent/agent.ts";
import { defaultAgentConfig } from "../../agent/config.ts";
import { createVirtualClock } from "../../base/clock.ts";
import { silentLog } from "../../base/log.ts";
import { createMeter } from "../../base/meter.ts";
import { nodeDisk } from "../../cli/node-disk.ts";
import { cellsOf, createRecordingLink, edgesOf, fixtureStartMs, seededBytes } from "./fixture.ts";

type MakeExporter = (ports: { grpc: number; http: number }) => SpanExporter;

const compressions = [CompressionAlgorithm.NONE, CompressionAlgorithm.GZIP];

const exporters: [string, MakeExporter][] = compressions.flatMap((compression) => [
  [
    `OTLP/HTTP protobuf, ${compression}`,
    ({ http }) => new ProtobufExporter({ url: `http://127.0.0.1:${http}/v1/traces`, compression }),
  ],
  [
    `OTLP/HTTP JSON, ${compression}`,
    ({ http }) => new JsonExporter({ url: `http://127.0.0.1:${http}/v1/traces`, compression }),
  ],
  [
    `OTLP/gRPC, ${compression}`,
    ({ grpc }) => new GrpcExporter({ url: `http://127.0.0.1:${grpc}`, compression }),
  ],
]);

/** Exports a checkout that calls payments, and gives the one window it makes. */
async function check(make: MakeExporter) {
  const link = createRecordingLink();
  const clock = createVirtualClock(fixtureStartMs);
  const agent = createAgent(
    { ...defaultAgentConfig(), grpcPort: 0, httpPort: 0, dimensions: ["region"] },
    {
      clock,
      link,
      disk: nodeDisk,
      log: silentLog,
      meter: createMeter(),
      randomBytes: seededBytes(3),
    },
  );
  await agent.start();
  const provider = (service: string) =>
    new BasicTracerProvider({
      resource: resourceFromAttributes({ "service.name": service, "service.version": "1.2.3" }),
      spanProcessors: [new SimpleSpanProcessor(make(agent.ports))],
    });
  const [shop, pay] = [provider("shop"), provider("pay")];
  const at = (ms: number) => fixtureStartMs + ms;
  const context = trace.setSpan;
  const { ROOT_CONTEXT } = await import("@opentelemetry/api");
  const tracer = shop.getTracer("test");
  const entry = tracer.startSpan("POST /buy", {
    kind: SpanKind.SERVER,
    startTime: at(0),
    attributes: {
      "http.request.method": "POST",
      "http.route": "/buy",
      "customer.id": "c-1",
      region: "eu",
    },
  });
  const call = tracer.startSpan(
    "POST",
    { kind: SpanKind.CLIENT, startTime: at(10), attributes: { "server.address": "pay" } },
    context(ROOT_CONTEXT, entry),
  );
  const serve = pay
    .getTracer("test")
    .startSpan("charge", { kind: SpanKind.SERVER, startTime: at(20) }, context(ROOT_CONTEXT, call));
  serve.setStatus({ code: SpanStatusCode.ERROR });
  serve.end(at(80));
  call.setStatus({ code: SpanStatusCode.ERROR });
  call.end(at(90));
  entry.end(at(100));
  await Promise.all([shop.shutdown(), pay.shutdown()]);
  await agent.shutdown();
  const batch = link.windows()[0];
  if (batch === undefined) throw new Error("no window was sealed");
  return batch;
}

describe("the OpenTelemetry SDK's own exporters", () => {
  test.each(exporters)("%s", async (_, make) => {
    const batch = await check(make);
    const cells = cellsOf(batch);
    expect([...cells.keys()].sort()).toEqual(["pay charge", "shop POST", "shop POST /buy"]);
    expect(batch.counts).toMatchObject({ spans: 3, errors: 2, rejected: 0, unpaired: 0 });
    expect(cells.get("shop POST /buy")?.customers.entryCount).toBe(1);
    expect(cells.get("shop POST /buy")?.selfNs.sumNs).toBe(20_000_000);
    expect(cells.get("pay charge")).toMatchObject({ errors: 1, originErrors: 1 });
    const edge = edgesOf(batch).get("shop POST > pay charge");
    expect([edge?.count, edge?.errors, edge?.gapNs.sumNs]).toEqual([1, 1, 20_000_000]);
    expect(batch.cube.keys.keys).toContainEqual([
      "shop",
      "POST /buy",
      "server",
      "",
      "1.2.3",
      "",
      "",
      "eu",
    ]);
  });
});
