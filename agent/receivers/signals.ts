/** The signals that are served, where, and what to tell an exporter that sends another. */
import type { Result } from "../../base/result.ts";
import { transcodeMetricsJson, transcodeOtlpJson } from "../../wire/otlp-json.ts";
import type { Ingested } from "../reduce/reducer-metrics.ts";

export type Signal = "traces" | "metrics";

/** Takes one export request in protobuf; a refused one has changed nothing. */
export type Ingest = Readonly<Record<Signal, (bytes: Uint8Array) => Result<Ingested>>>;

const httpSignals: ReadonlyMap<string, Signal> = new Map([
  ["/v1/traces", "traces"],
  ["/v1/metrics", "metrics"],
]);
const grpcSignals: ReadonlyMap<string, Signal> = new Map([
  ["/opentelemetry.proto.collector.trace.v1.TraceService/Export", "traces"],
  ["/opentelemetry.proto.collector.metrics.v1.MetricsService/Export", "metrics"],
]);
const otherSignals: readonly { readonly path: RegExp; readonly name: string }[] = [
  { path: /metrics/i, name: "metrics" },
  { path: /logs/i, name: "logs" },
  { path: /profiles/i, name: "profiles" },
];

export function httpSignalOf(path: string): Signal | undefined {
  return httpSignals.get(path);
}

export function grpcSignalOf(path: string): Signal | undefined {
  return grpcSignals.get(path);
}

/** A request of this signal in JSON as protobuf. */
export const transcoders: Readonly<Record<Signal, (text: Uint8Array) => Result<Uint8Array>>> = {
  traces: (text) => transcodeOtlpJson(text),
  metrics: (text) => transcodeMetricsJson(text),
};

/** Names the signal if the path tells it, and how to switch its exporter off. */
export function signalHint(path: string): string {
  const signal = otherSignals.find((other) => other.path.test(path))?.name;
  if (signal === undefined) return "only /v1/traces and /v1/metrics are served here";
  if (signal === "metrics") return "metrics are served at /v1/metrics";
  const variable = `OTEL_${signal.toUpperCase()}_EXPORTER`;
  return `only traces and metrics are served here, not ${signal}; set ${variable}=none to switch its exporter off`;
}
