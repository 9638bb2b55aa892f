/**
 * Takes what agents send over MQTT, whichever broker it came by: reads whose it is, has it made
 * durable, and answers. A message without a readable head is counted and dropped; every other one
 * is answered, with a refusal if need be. No agent takes another's place: each has few batches at
 * a time on their way, and all together have a bound.
 */
import { OperationalError } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import type { Meter } from "../../base/meter.ts";
import type { Problem } from "../../base/result.ts";
import type { BatchAnswer, CollectorLink, Nack } from "../../wire/agent-link.ts";
import { mqttRecordBytesMax } from "../../wire/mqtt-messages.ts";
import { type BatchHead, decodeBatchHead } from "../../wire/sketch-batch.ts";

export interface MqttIntakeSettings {
  readonly link: CollectorLink;
  readonly log: Log;
  readonly meter: Meter;
}

/** A batch under the name its topic gives its agent. */
export interface MqttBatch {
  readonly agent: string;
  readonly bytes: Uint8Array;
}

/** Twice what an agent has in flight. */
const inFlightPerAgentMax = 16;
/** 64 MiB of batches of the greatest size. */
const inFlightMax = 256;
const retryAfterMs = 5_000;

export class MqttIntake {
  readonly #settings: MqttIntakeSettings;
  /** Batches on their way, by agent; no more entries than batches. */
  readonly #inFlight = new Map<string, number>();
  #inFlightTotal = 0;
  readonly #received;
  readonly #malformed;

  constructor(settings: MqttIntakeSettings) {
    const { meter } = settings;
    this.#settings = settings;
    this.#received = meter.counter(
      "brunt_collector_mqtt_batches_total",
      "batches that came over MQTT, repeated ones included",
    );
    this.#malformed = meter.counter(
      "brunt_collector_mqtt_malformed_total",
      "messages over MQTT of which not even the sender could be read",
    );
    meter.gauge(
      "brunt_collector_mqtt_in_flight",
      "batches of MQTT that are being made durable",
      () => this.#inFlightTotal,
    );
  }

  /** Nothing is on its way. */
  get idle(): boolean {
    return this.#inFlightTotal === 0;
  }

  /** Counts a message that is not even a batch's. */
  drop(): void {
    this.#malformed.add();
  }

  /** The answer, once the batch is durable or refused; undefined for one that is unreadable. */
  async take(batch: MqttBatch): Promise<BatchAnswer | undefined> {
    const head = decodeBatchHead(batch.bytes);
    if (!head.ok) {
      this.drop();
      return undefined;
    }
    this.#received.add();
    const problem = this.#problemOf(batch, head.value);
    if (problem !== undefined) return answerTo(head.value, { nack: this.#refuse(problem) });
    const { agent } = batch;
    this.#count(agent, 1);
    try {
      return answerTo(head.value, { ack: await this.#settings.link.send(batch.bytes) });
    } catch (cause) {
      return answerTo(head.value, { nack: this.#refuse(this.#problemIn(cause)) });
    } finally {
      this.#count(agent, -1);
    }
  }

  #problemOf({ agent, bytes }: MqttBatch, head: BatchHead): Problem | undefined {
    if (head.agent !== agent) {
      const message = `the topic is ${JSON.stringify(agent)}'s, the batch ${JSON.stringify(head.agent)}'s`;
      return { code: "PERMISSION_DENIED", message };
    }
    if (bytes.length > mqttRecordBytesMax) {
      const message = `batch of ${bytes.length} bytes exceeds ${mqttRecordBytesMax} over MQTT`;
      return { code: "BATCH_TOO_LARGE", message };
    }
    const own = this.#inFlight.get(agent) ?? 0;
    if (own < inFlightPerAgentMax && this.#inFlightTotal < inFlightMax) return undefined;
    const message = `${own} batches of ${JSON.stringify(agent)} and ${this.#inFlightTotal} in all are on their way`;
    return { code: "OVERLOADED", message, retryAfterMs };
  }

  #problemIn(cause: unknown): Problem {
    if (cause instanceof OperationalError) {
      const { code, message } = cause;
      const retryMs = cause.retryAfterMs ?? (cause.retryable ? retryAfterMs : undefined);
      return retryMs === undefined ? { code, message } : { code, message, retryAfterMs: retryMs };
    }
    this.#settings.log.error("a batch over MQTT met a fault of ours", { reason: String(cause) });
    return { code: "INTERNAL", message: "the collector broke one of its own rules" };
  }

  #refuse(problem: Problem): Nack {
    const { code } = problem;
    this.#settings.meter
      .counter("brunt_collector_mqtt_refused_total", "batches over MQTT that were refused", {
        code,
      })
      .add();
    return problem;
  }

  #count(agent: string, change: 1 | -1): void {
    this.#inFlightTotal += change;
    const count = (this.#inFlight.get(agent) ?? 0) + change;
    if (count === 0) this.#inFlight.delete(agent);
    else this.#inFlight.set(agent, count);
  }
}

function answerTo(
  { streamId, seq, question }: BatchHead,
  word: Pick<Extract<BatchAnswer, { ack: unknown }>, "ack"> | { readonly nack: Nack },
): BatchAnswer {
  return {
    streamId,
    seq,
    ...(question === undefined ? {} : { heartbeat: question }),
    ...word,
  };
}
