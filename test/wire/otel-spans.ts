/** Real spans, made by OpenTelemetry's own SDK with seeded ids and times. */
import { type Attributes, type Link, ROOT_CONTEXT, SpanKind, trace } from "@opentelemetry/api";
import { resourceFromAttributes } from "@opentelemetry/resources";
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from "@opentelemetry/sdk-trace-base";
import { createPrng, type Prng } from "../../base/prng.ts";
import { wantedNames } from "./wanted-names.ts";

const services = ["checkout", "payments", "geldbörse", ""];

/** Spans of several resources, with every kind, status, value type, links, events and parents. */
export function makeOtelSpans(seed: number, count: number): ReadableSpan[] {
  const prng = createPrng(seed);
  const spans: ReadableSpan[] = [];
  for (const service of services) {
    const exporter = new InMemorySpanExporter();
    const provider = new BasicTracerProvider({
      resource: resourceFromAttributes({ "service.name": service, replica: prng.integer(9) }),
      spanProcessors: [new SimpleSpanProcessor(exporter)],
      idGenerator: {
        generateTraceId: () => randomHex(prng, 32),
        generateSpanId: () => randomHex(prng, 16),
      },
    });
    const tracer = provider.getTracer("test", "1.0.0");
    let parent = ROOT_CONTEXT;
    for (let index = 0; index < count; index++) {
      const startNs = 1_700_000_000_000_000_000n + BigInt(prng.integer(2 ** 40));
      const span = tracer.startSpan(
        `${prng.pick(["GET /cart", "naïve", "", "x".repeat(300)])} ${index}`,
        {
          kind: prng.pick([
            SpanKind.INTERNAL,
            SpanKind.SERVER,
            SpanKind.CLIENT,
            SpanKind.PRODUCER,
            SpanKind.CONSUMER,
          ]),
          attributes: randomAttributes(prng),
          links: Array.from({ length: prng.pick([0, 0, 1, 20]) }, () => randomLink(prng)),
          startTime: hrTime(startNs),
        },
        parent,
      );
      if (prng.integer(2) === 0) span.addEvent("exception", { "exception.message": "no" });
      span.setStatus({ code: prng.integer(3), message: "because" });
      span.end(hrTime(startNs + BigInt(prng.integer(2 ** 40))));
      parent = prng.integer(3) === 0 ? ROOT_CONTEXT : trace.setSpan(ROOT_CONTEXT, span);
    }
    spans.push(...exporter.getFinishedSpans());
  }
  return spans;
}

function hrTime(ns: bigint): [number, number] {
  return [Number(ns / 1_000_000_000n), Number(ns % 1_000_000_000n)];
}

function randomHex(prng: Prng, digits: number): string {
  const rest = Array.from({ length: digits - 1 }, () => prng.integer(16).toString(16)).join("");
  return `${prng.pick(["1", "8", "f"])}${rest}`;
}

function randomLink(prng: Prng): Link {
  return {
    context: { traceId: randomHex(prng, 32), spanId: randomHex(prng, 16), traceFlags: 1 },
    attributes: { why: "batch" },
  };
}

function randomAttributes(prng: Prng): Attributes {
  const attributes: Attributes = {};
  for (let index = prng.integer(8); index > 0; index--) {
    const name = prng.pick([...wantedNames, "unwanted", "http.routes", "ttp.route", "é"]);
    attributes[name] = prng.pick<string | number | boolean | string[]>([
      "text",
      "",
      "größer",
      "y".repeat(200),
      0,
      -1,
      200,
      -(2 ** 40),
      2 ** 53 - 1,
      0.25,
      -1.5e-300,
      true,
      false,
      ["a", "b"],
    ]);
  }
  return attributes;
}
