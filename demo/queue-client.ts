/**
 * Messages over MQTT. MQTT has no headers before version 5 and the broker speaks 3.1.1, so the
 * trace context travels inside the message, beside its body.
 */
import {
  context,
  type Link,
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
} from "@opentelemetry/api";
import { connectAsync, type MqttClient } from "mqtt";
import { onceConnected, portOf } from "./http-client.ts";
import { beforeExit } from "./line.ts";

interface Message<T> {
  readonly headers: Record<string, string>;
  readonly body: T;
}

const tracer = trace.getTracer("shop.queue");
let client: MqttClient | undefined;

onceConnected(async () => {
  client = await connectAsync(`mqtt://127.0.0.1:${portOf("queue")}`);
});
beforeExit(async () => client?.endAsync());

/** Publishes and waits until the broker has it. */
export async function publish<T>(topic: string, body: T): Promise<void> {
  const options = { kind: SpanKind.PRODUCER, attributes: attributesOf(topic, "send", "publish") };
  await tracer.startActiveSpan(`publish ${topic}`, options, (span) =>
    finish(span, async () => {
      const headers: Record<string, string> = {};
      propagation.inject(context.active(), headers);
      const message: Message<T> = { headers, body };
      await client?.publishAsync(topic, JSON.stringify(message), { qos: 1 });
    }),
  );
}

/** Runs `work` for each message, in a trace of its own that links to the publisher's. */
export function subscribe<T>(topic: string, work: (body: T) => Promise<void>): void {
  onceConnected(async () => {
    client?.on("message", (_, payload) => {
      const { headers, body } = JSON.parse(payload.toString()) as Message<T>;
      const sender = propagation.extract(ROOT_CONTEXT, headers);
      const spanContext = trace.getSpanContext(sender);
      const links: Link[] = spanContext === undefined ? [] : [{ context: spanContext }];
      const attributes = attributesOf(topic, "process", "process");
      const options = { kind: SpanKind.CONSUMER, root: true, links, attributes };
      tracer.startActiveSpan(`process ${topic}`, options, sender, (span) =>
        finish(span, () => work(body)).catch(() => undefined),
      );
    });
    await client?.subscribeAsync(topic, { qos: 1 });
  });
}

function attributesOf(topic: string, type: string, name: string): Record<string, string> {
  return {
    "messaging.system": "mqtt",
    "messaging.destination.name": topic,
    "messaging.operation.type": type,
    "messaging.operation.name": name,
    "server.address": "queue",
  };
}

async function finish(span: Span, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    span.recordException(error as Error);
    span.setStatus({ code: SpanStatusCode.ERROR });
    throw error;
  } finally {
    span.end();
  }
}
