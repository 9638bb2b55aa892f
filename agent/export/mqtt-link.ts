/**
 * The link to a collector over an MQTT broker: batches go up, the collector's answers come down.
 *
 * That the broker has a batch (PUBACK) says nothing: a broker may lose what it took. A batch is
 * answered by the collector's own word, which names its stream and number, or by any later
 * acknowledgement of its stream that covers it. Without an answer in time the send fails and may be
 * tried again. While no connection stands a send waits for the next attempt at one, which a
 * heartbeat, as a sender's probe, brings about; nothing is handed to the library to keep.
 *
 * A broker may keep an answer for minutes and more than one life of ours. What it says of the
 * stream stays true, but its time is of use only if it must be the answer to this very sending:
 * one of a record newer than any sent before.
 */
import type { Cancel, Clock } from "../../base/clock.ts";
import { OperationalError } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import type { Meter } from "../../base/meter.ts";
import { type Ack, type CollectorLink, refusalOf, type Thresholds } from "../../wire/agent-link.ts";
import {
  agentStatuses,
  agentTopics,
  decodeAnswer,
  type MqttMessage,
  mqttFilters,
  mqttRecordBytesMax,
} from "../../wire/mqtt-messages.ts";
import { type MqttOpen, type MqttPublish, MqttSession } from "../../wire/mqtt-session.ts";
import { decodeBatchHead } from "../../wire/sketch-batch.ts";
import { ThresholdsParts } from "../../wire/thresholds-parts.ts";

export interface MqttLinkSettings {
  /** The agent's name, which is also in its batches. */
  readonly agent: string;
  /** How to connect to the broker. */
  readonly open: MqttOpen;
  readonly clock: Clock;
  readonly log: Log;
  readonly meter: Meter;
  /** Uniform in [0, 1), for the jitter of pauses. */
  chance(): number;
}

export interface MqttLink extends CollectorLink {
  /** Larger records do not fit a packet. */
  readonly recordBytesMax: number;
  /** Says goodbye to the broker; what is not answered fails. */
  close(): Promise<void>;
}

/** For one batch, waiting for a connection included. */
const answerMsMax = 10_000;
/** Twice what a sender has in flight, as many as heartbeats may add. */
const sendsMax = 16;
/** Messages the broker has not confirmed: sends that timed out and were tried again are in here. */
const publishesMax = 2 * sendsMax;
/** A batch that the collector does not fetch in this time is sent again anyhow. */
const expirySeconds = 60;

/** Starts to connect at once. */
export function createMqttLink(settings: MqttLinkSettings): MqttLink {
  return new BrokerLink(settings);
}

interface Send {
  readonly streamId: string;
  readonly seq: number;
  /** A heartbeat's; undefined for a record. */
  readonly question: number | undefined;
  readonly record: Uint8Array;
  /** Nothing was sent under its number before. */
  readonly isFirst: boolean;
  isPublished: boolean;
  resolve(ack: Ack): void;
  reject(cause: OperationalError): void;
}

class BrokerLink implements MqttLink {
  readonly recordBytesMax = mqttRecordBytesMax;
  readonly #settings: MqttLinkSettings;
  readonly #topics;
  readonly #metrics;
  readonly #session: MqttSession;
  readonly #sends = new Set<Send>();
  readonly #parts = new ThresholdsParts();
  #thresholds: Thresholds | undefined;
  /** The newest number sent of a stream; undefined before a heartbeat has said where it stands. */
  #newest: { readonly streamId: string; readonly seq: number | undefined } | undefined;

  constructor(settings: MqttLinkSettings) {
    const { agent, clock, log, open, chance, meter } = settings;
    this.#settings = settings;
    this.#metrics = linkMetrics(meter);
    this.#topics = agentTopics(agent);
    this.#session = new MqttSession({
      clock,
      log,
      open,
      chance,
      clientId: `brunt-agent-${agent}`,
      subscriptions: [this.#topics.down, mqttFilters.thresholds],
      will: this.#status("gone"),
      publishesMax,
      onUp: () => this.#onUp(),
      onMessage: (message) => this.#onMessage(message),
      onDown: ({ message }) => this.#onDown(message),
    });
    meter.gauge("brunt_agent_mqtt_connected", "1 while a broker is reached.", () =>
      this.#session.isUp ? 1 : 0,
    );
    meter.gauge(
      "brunt_agent_mqtt_connects_total",
      "Connections to a broker that came up.",
      () => this.#session.connects,
    );
    this.#session.start();
  }

  async send(record: Uint8Array, withinMs = answerMsMax): Promise<Ack> {
    if (record.length > mqttRecordBytesMax) {
      const message = `record of ${record.length} bytes exceeds ${mqttRecordBytesMax} over MQTT`;
      throw new OperationalError("BATCH_TOO_LARGE", message);
    }
    const head = decodeBatchHead(record);
    if (!head.ok) throw new OperationalError(head.error.code, head.error.message);
    if (this.#sends.size >= sendsMax) {
      const message = `${sendsMax} batches wait for the collector's answer, no more may`;
      throw new OperationalError("OVERLOADED", message, { retryable: true });
    }
    const { streamId, seq, question } = head.value;
    const isFirst = this.#isFirst(streamId, seq, question !== undefined);
    return this.#sendAndWait({ streamId, seq, question, isFirst, record }, withinMs);
  }

  async thresholds(): Promise<Thresholds> {
    if (this.#thresholds !== undefined) return this.#thresholds;
    throw unreachable("the broker has no thresholds of the collector yet");
  }

  async close(): Promise<void> {
    this.#onDown("the link is closed");
    await this.#session.close(this.#status("gone"));
  }

  #isFirst(streamId: string, seq: number, isHeartbeat: boolean): boolean {
    const before = this.#newest?.streamId === streamId ? this.#newest.seq : undefined;
    const isKnown = before !== undefined || isHeartbeat;
    this.#newest = { streamId, seq: isKnown ? Math.max(before ?? 0, seq) : undefined };
    return isHeartbeat || (before !== undefined && seq > before);
  }

  #sendAndWait(
    batch: Pick<Send, "streamId" | "seq" | "question" | "isFirst" | "record">,
    withinMs: number,
  ): Promise<Ack> {
    return new Promise((resolve, reject) => {
      const forget = (): void => {
        cancel();
        this.#sends.delete(send);
      };
      const send: Send = {
        ...batch,
        isPublished: false,
        resolve(ack) {
          forget();
          resolve(ack);
        },
        reject(cause) {
          forget();
          reject(cause);
        },
      };
      const cancel: Cancel = this.#settings.clock.after(withinMs, () => {
        this.#metrics.timeouts.add();
        const who = send.isPublished ? "collector" : "broker";
        send.reject(unreachable(`the ${who} does not answer within ${withinMs} ms`));
      });
      this.#sends.add(send);
      if (this.#session.isUp) this.#publish(send);
      else if (send.question !== undefined) this.#session.hurry();
    });
  }

  #publish(send: Send): void {
    const message = { topic: this.#topics.up, payload: send.record, expirySeconds };
    send.isPublished = this.#session.publish(message, (reason) => {
      this.#settings.log.warn("the broker refuses a batch", { reason });
      send.reject(unreachable(`the broker refuses it: ${reason}`));
    });
    if (!send.isPublished)
      send.reject(unreachable("the broker does not take what was sent before"));
  }

  #status(status: keyof typeof agentStatuses): MqttPublish {
    const payload = new TextEncoder().encode(agentStatuses[status]);
    return { topic: this.#topics.status, payload, retain: true };
  }

  #onUp(): void {
    this.#session.publish(this.#status("online"));
    for (const send of [...this.#sends]) this.#publish(send);
  }

  /** What was on its way may have arrived or not. */
  #onDown(reason: string): void {
    for (const send of [...this.#sends]) {
      send.reject(unreachable(`the broker is not reached: ${reason}`));
    }
  }

  #onMessage(message: MqttMessage): void {
    if (message.topic === this.#topics.down) this.#onAnswer(message.payload);
    else this.#onThresholds(message);
  }

  #onAnswer(payload: Uint8Array): void {
    const answer = decodeAnswer(payload);
    if (!answer.ok) {
      this.#metrics.malformed.add();
      return;
    }
    const { streamId, seq, heartbeat } = answer.value;
    let matched = false;
    for (const send of [...this.#sends]) {
      if (send.streamId !== streamId) continue;
      const isIt = send.seq === seq && send.question === heartbeat;
      if ("ack" in answer.value) {
        const { ack } = answer.value;
        const isCovered = send.question === undefined && hasNumber(ack, send.seq);
        if (!isIt && !isCovered) continue;
        send.resolve(isIt && send.isFirst ? ack : { ...ack, isUntimed: true });
      } else {
        if (!isIt) continue;
        send.reject(refusalOf(answer.value.nack));
      }
      matched = true;
    }
    if (!matched) this.#metrics.unmatched.add();
  }

  #onThresholds(message: MqttMessage): void {
    const thresholds = this.#parts.add(message);
    if (!thresholds.ok) this.#metrics.malformed.add();
    else this.#thresholds = thresholds.value ?? this.#thresholds;
  }
}

function hasNumber(ack: Ack, seq: number): boolean {
  return ack.have.some(([first, last]) => first <= seq && seq <= last);
}

function unreachable(message: string): OperationalError {
  return new OperationalError("COLLECTOR_UNREACHABLE", message, { retryable: true });
}

function linkMetrics(meter: Meter) {
  return {
    timeouts: meter.counter(
      "brunt_agent_mqtt_timeouts_total",
      "Batches without an answer in time.",
    ),
    malformed: meter.counter(
      "brunt_agent_mqtt_malformed_total",
      "Messages from the broker that cannot be read.",
    ),
    unmatched: meter.counter(
      "brunt_agent_mqtt_unmatched_total",
      "Answers to batches that nobody waits for any more.",
    ),
  };
}
