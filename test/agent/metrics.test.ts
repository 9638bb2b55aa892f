/** Metrics sent by OpenTelemetry's own SDK, over each of its protocols, into a real agent. */
import type { Attributes } from "@opentelemetry/api";
import { OTLPMetricExporter as GrpcExporter } from "@opentelemetry/exporter-metrics-otlp-grpc";
import {
  AggregationTemporalityPreference,
  OTLPMetricExporter as JsonExporter,
} from "@opentelemetry/exporter-metrics-otlp-http";
import { OTLPMetricExporter as ProtobufExporter } from "@opentelemetry/exporter-metrics-otlp-proto";
import { CompressionAlgorithm } from "@opentelemetry/otlp-exporter-base";
import { resourceFromAttributes } from "@opentelemetry/resources";
import {
  AggregationType,
  MeterProvider,
  PeriodicExportingMetricReader,
  type PushMetricExporter,
} from "@opentelemetry/sdk-metrics";
import { describe, expect, test } from "vitest";
import { createAgent } from "../../agent/agent.ts";
import { defaultAgentConfig } from "../../agent/config.ts";
import { silentLog } from "../../base/log.ts";
import { createMeter, renderPrometheus } from "../../base/meter.ts";
import { nodeDisk } from "../../cli/node-disk.ts";
import { systemClock } from "../../cli/system.ts";
import type { Cell } from "../../sketch/cell.ts";
import { quantileDigest } from "../../sketch/digest.ts";
import { createRecordingLink, seededBytes, valuesOf } from "./fixture.ts";

type Temporality = keyof typeof AggregationTemporalityPreference;
type MakeExporter = (
  ports: { grpc: number; http: number },
  temporalityPreference: AggregationTemporalityPreference,
) => PushMetricExporter;

const compression = CompressionAlgorithm.GZIP;
const exporters: [string, MakeExporter][] = [
  [
    "OTLP/HTTP protobuf",
    ({ http }, temporalityPreference) =>
      new ProtobufExporter({
        url: `http://127.0.0.1:${http}/v1/metrics`,
        temporalityPreference,
      }) as unknown as PushMetricExporter,
  ],
  [
    "OTLP/HTTP JSON, gzip",
    ({ http }, temporalityPreference) =>
      new JsonExporter({
        url: `http://127.0.0.1:${http}/v1/metrics`,
        temporalityPreference,
        compression,
      }) as unknown as PushMetricExporter,
  ],
  [
    "OTLP/gRPC",
    ({ grpc }, temporalityPreference) =>
      new GrpcExporter({
        url: `http://127.0.0.1:${grpc}`,
        temporalityPreference,
      }) as unknown as PushMetricExporter,
  ],
];

/** Exports every kind of instrument twice, and gives the values by metric. */
async function check(make: MakeExporter, temporality: Temporality) {
  const link = createRecordingLink();
  const meter = createMeter();
  const agent = createAgent(
    { ...defaultAgentConfig(), grpcPort: 0, httpPort: 0 },
    {
      clock: systemClock,
      link,
      disk: nodeDisk,
      log: silentLog,
      meter,
      randomBytes: seededBytes(3),
    },
  );
  await agent.start();
  const exporter = make(agent.ports, AggregationTemporalityPreference[temporality]);
  const provider = new MeterProvider({
    resource: resourceFromAttributes({ "service.name": "shop", "service.version": "1.2.3" }),
    readers: [new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 })],
    views: [
      {
        instrumentName: "exponential",
        aggregation: { type: AggregationType.EXPONENTIAL_HISTOGRAM },
      },
      {
        instrumentName: "explicit",
        aggregation: {
          type: AggregationType.EXPLICIT_BUCKET_HISTOGRAM,
          options: { boundaries: [10, 20, 40] },
        },
      },
    ],
  });
  const instruments = provider.getMeter("test");
  const requests = instruments.createCounter("requests");
  const queue = instruments.createUpDownCounter("queue");
  const explicit = instruments.createHistogram("explicit");
  const exponential = instruments.createHistogram("exponential");
  const gauge = instruments.createGauge("temperature");
  const record = (attributes: Attributes): void => {
    requests.add(100, attributes);
    queue.add(7, attributes);
    for (const value of [12, 13, 14, 35]) explicit.record(value, attributes);
    for (const value of [100, 100, 100, -3]) exponential.record(Math.abs(value), attributes);
    gauge.record(-4.5, attributes);
  };
  for (let round = 0; round < 2; round++) {
    record({ route: "/buy" });
    // The exporter's clock has to tick between the first value and its export.
    await new Promise((resolve) => setTimeout(resolve, 50));
    await provider.forceFlush();
  }
  await provider.shutdown();
  await agent.shutdown();
  const text = renderPrometheus(meter);
  return { values: valuesOf(link.windows()), text, link };
}

const median = (values: Cell["values"]): number => quantileDigest(values as never, 0.5);

describe("the OpenTelemetry SDK's own metric exporters", () => {
  test.each(
    exporters.flatMap(([name, make]) =>
      (["CUMULATIVE", "DELTA"] as const).map((temporality) => [name, temporality, make] as const),
    ),
  )("%s, %s", async (_, temporality, make) => {
    const { values, text, link } = await check(make, temporality);
    expect([...values.keys()].sort()).toEqual([
      "shop explicit",
      "shop exponential",
      "shop queue",
      "shop requests",
      "shop temperature",
    ]);
    expect(median(values.get("shop temperature"))).toBe(-4.5);
    expect(values.get("shop temperature")?.max).toBe(-4.5);
    // Buckets (10, 20] and (20, 40], within the extremes where these are told.
    expect(values.get("shop explicit")?.count).toBe(8);
    expect(median(values.get("shop explicit"))).toBeGreaterThan(12);
    expect(median(values.get("shop explicit"))).toBeLessThan(20);
    expect(values.get("shop exponential")?.count).toBe(8);
    expect(median(values.get("shop exponential"))).toBeCloseTo(100, 0);
    expect(values.get("shop requests")?.max).toBeGreaterThan(0);
    const levels = values.get("shop queue");
    // An up-down counter is cumulative whatever is preferred: its level is told.
    expect([levels?.min, levels?.max]).toEqual([7, 14]);
    expect(text).toMatch(/^brunt_agent_spans_received_total 0$/m);
    expect(text).toMatch(/^brunt_agent_metric_points_received_total \d\d$/m);
    expect(text).not.toMatch(/^brunt_agent_metric_points_rejected_total\{.*\} [1-9]/m);
    for (const { counts } of link.windows()) expect([counts.spans, counts.errors]).toEqual([0, 0]);
  });
});
