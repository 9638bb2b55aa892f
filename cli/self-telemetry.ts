/**
 * Our own work as OpenTelemetry traces and metrics, through the OpenTelemetry SDK, which is loaded
 * only here and only when asked for.
 *
 * Pointed at itself it makes no loop: a span is made for each batch sent and each window decided,
 * however many spans went into it, and none for receiving or exporting telemetry. One export of
 * them every few seconds adds a constant to the next window, which adds the same constant again.
 */
import { randomUUID } from "node:crypto";
import type { Meter } from "../base/meter.ts";
import type { Decider } from "../collector/decide.ts";
import type { CollectorLink } from "../wire/agent-link.ts";
import { CommandError } from "./line/command.ts";
import type { Observer } from "./observer.ts";
import { exitCodes } from "./system.ts";

export interface SelfTelemetryOptions {
  /** Base address of an OTLP/HTTP receiver. */
  readonly endpoint: string;
  readonly version: string;
}

type Sdk = typeof import("@opentelemetry/sdk-node");
type Tracer = ReturnType<Sdk["api"]["trace"]["getTracer"]>;

/** @throws {CommandError} when the endpoint is no address or the SDK is not installed */
export async function startSelfTelemetry(options: SelfTelemetryOptions): Promise<Observer> {
  if (!URL.canParse(options.endpoint) || !/^https?:/.test(options.endpoint)) {
    const given = JSON.stringify(options.endpoint);
    throw new CommandError(
      `the self-telemetry endpoint must be an http:// or https:// address, not ${given}`,
      exitCodes.badConfig,
    );
  }
  const sdk = await loadSdk();
  const node = startSdk(sdk, options);
  const tracer = sdk.api.trace.getTracer("brunt", options.version);
  return {
    observeLink: (link) => observeLink(link, { tracer, sdk }),
    observeDecider: (decider) => observeDecider(decider, tracer),
    observeMeter: (meter) => observeMeter(meter, sdk.api.metrics.getMeter("brunt")),
    // An endpoint that is gone must not keep us from ending.
    shutdown: () => node.shutdown().catch(() => {}),
  };
}

async function loadSdk(): Promise<Sdk> {
  try {
    return await import("@opentelemetry/sdk-node");
  } catch (cause) {
    throw new CommandError(
      `self-telemetry needs the package @opentelemetry/sdk-node: ${(cause as Error).message}`,
      exitCodes.failure,
    );
  }
}

function startSdk(sdk: Sdk, { endpoint, version }: SelfTelemetryOptions) {
  const resource = sdk.resources.resourceFromAttributes({
    "service.name": "brunt",
    "service.version": version,
    "service.instance.id": randomUUID(),
  });
  // Exporters read where to send from the environment, and only while they are made.
  return withEnvironment(
    {
      OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
      OTEL_TRACES_EXPORTER: "otlp",
      OTEL_METRICS_EXPORTER: "otlp",
    },
    () => {
      // No instrumentations: a span for each request received would feed on itself.
      const node = new sdk.NodeSDK({ resource, autoDetectResources: false, instrumentations: [] });
      node.start();
      return node;
    },
  );
}

function withEnvironment<T>(values: Readonly<Record<string, string>>, work: () => T): T {
  const before = Object.keys(values).map((name): [string, string | undefined] => [
    name,
    process.env[name],
  ]);
  Object.assign(process.env, values);
  try {
    return work();
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  }
}

function observeLink(
  link: CollectorLink,
  { tracer, sdk }: { tracer: Tracer; sdk: Sdk },
): CollectorLink {
  return {
    thresholds: () => link.thresholds(),
    async send(batch) {
      const span = tracer.startSpan("send batch", {
        kind: sdk.api.SpanKind.CLIENT,
        attributes: { "peer.service": "brunt-collector", "brunt.batch.size": batch.length },
      });
      try {
        return await link.send(batch);
      } catch (error) {
        span.recordException(error as Error);
        span.setStatus({ code: sdk.api.SpanStatusCode.ERROR, message: (error as Error).message });
        throw error;
      } finally {
        span.end();
      }
    },
  };
}

function observeDecider(decider: Decider, tracer: Tracer): Decider {
  return {
    ...decider,
    decide(window, nowMs) {
      const span = tracer.startSpan("decide window", {
        attributes: { "brunt.window.keys": window.cube.cells.size },
      });
      const decision = decider.decide(window, nowMs);
      span.setAttribute("brunt.window.anomalies", decision.anomalies);
      span.end();
      return decision;
    },
  };
}

function observeMeter(meter: Meter, target: ReturnType<Sdk["api"]["metrics"]["getMeter"]>): void {
  for (const [name, family] of meter.families) {
    const instrument =
      family.type === "counter"
        ? target.createObservableCounter(name, { description: family.help })
        : target.createObservableGauge(name, { description: family.help });
    instrument.addCallback((result) => {
      for (const series of family.series.values()) result.observe(series.read(), series.labels);
    });
  }
}
