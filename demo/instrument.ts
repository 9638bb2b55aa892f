/**
 * What a team adds to its service to be observed: `node --import ./instrument.js service.js`.
 * All settings are the standard OTEL_* environment variables.
 */
import { createRequire } from "node:module";
import {
  ALLOW_ALL_BAGGAGE_KEYS,
  BaggageSpanProcessor,
} from "@opentelemetry/baggage-span-processor";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { HttpInstrumentation } from "@opentelemetry/instrumentation-http";
import { PgInstrumentation } from "@opentelemetry/instrumentation-pg";
import { NodeSDK, tracing } from "@opentelemetry/sdk-node";
import { beforeExit } from "./line.ts";

const sdk = new NodeSDK({
  spanProcessors: [
    new BaggageSpanProcessor(ALLOW_ALL_BAGGAGE_KEYS),
    new tracing.BatchSpanProcessor(new OTLPTraceExporter()),
  ],
  instrumentations: [
    new HttpInstrumentation(),
    new PgInstrumentation({ ignoreConnectSpans: true }),
  ],
});
sdk.start();

// The instrumentation patches what is required; requiring node:http once patches the very object
// that `import http from "node:http"` gives, without a loader thread for ES modules.
createRequire(import.meta.url)("node:http");

beforeExit(() => sdk.shutdown());
