/**
 * The collector as a client of somebody's MQTT broker: hears every agent, answers each on its own
 * topic, and leaves the thresholds there for whoever subscribes. What it cannot answer, because the
 * broker is gone or too slow, the agent sends again.
 */
import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import type { Counter, Meter } from "../../base/meter.ts";
import type { CollectorLink } from "../../wire/agent-link.ts";
import {
  agentStatuses,
  agentTopics,
  encodeAnswer,
  type MqttMessage,
  mqttFilters,
  readAgentTopic,
} from "../../wire/mqtt-messages.ts";
import { type MqttOpen, MqttSession } from "../../wire/mqtt-session.ts";
import type { MqttAgents } from "./mqtt-agents.ts";
import type { MqttIntake } from "./mqtt-intake.ts";
import { ThresholdsFeed } from "./thresholds-feed.ts";

export interface BrokerClientSettings {
  /** How this client calls itself; the broker lets one of a name in. */
  readonly clientId: string;
  readonly open: MqttOpen;
  readonly intake: MqttIntake;
  readonly agents: MqttAgents;
  /** Where thresholds come from. */
  readonly link: CollectorLink;
  readonly clock: Clock;
  readonly log: Log;
  readonly meter: Meter;
  /** Uniform in [0, 1), for the jitter of pauses. */
  chance(): number;
}

/** Answers and thresholds on their way to the broker. */
const publishesMax = 1_024;
/** An answer is of use to an agent while it waits for it, and a little longer. */
const answerExpirySeconds = 60;

export class BrokerClient {
  readonly #settings: BrokerClientSettings;
  readonly #session: MqttSession;
  readonly #feed: ThresholdsFeed;
  readonly #unanswered: Counter;

  constructor(settings: BrokerClientSettings) {
    const { clientId, open, clock, log, link, meter, chance } = settings;
    this.#settings = settings;
    this.#unanswered = meter.counter(
      "brunt_collector_mqtt_unanswered_total",
      "answers that could not be published; the agents ask again",
    );
    this.#session = new MqttSession({
      clock,
      log,
      open,
      chance,
      clientId,
      subscriptions: [mqttFilters.up, mqttFilters.status],
      publishesMax,
      onUp: () => this.#publishThresholds(),
      onMessage: (message) => this.#onMessage(message),
      onDown: () => {},
    });
    this.#feed = new ThresholdsFeed({ link, clock, log, onNew: () => this.#publishThresholds() });
    meter.gauge("brunt_collector_mqtt_connected", "1 while the broker is reached", () =>
      this.#session.isUp ? 1 : 0,
    );
  }

  /** Goes on trying for ever: a broker that is away is no reason not to start. */
  start(): void {
    this.#feed.start();
    this.#session.start();
  }

  async shutdown(): Promise<void> {
    this.#feed.stop();
    await this.#session.close();
  }

  #publishThresholds(): void {
    for (const message of this.#feed.messages) {
      if (!this.#session.publish({ ...message, retain: true })) return;
    }
  }

  #onMessage({ topic, payload }: MqttMessage): void {
    const from = readAgentTopic(topic);
    if (from?.kind === "up") void this.#answer(from.agent, payload);
    else if (from?.kind === "status") this.#onStatus(from.agent, payload);
    else this.#settings.intake.drop();
  }

  async #answer(agent: string, bytes: Uint8Array): Promise<void> {
    const answer = await this.#settings.intake.take({ agent, bytes });
    if (answer === undefined) return;
    const { down } = agentTopics(agent);
    const message = { topic: down, payload: encodeAnswer(answer) };
    const published = this.#session.publish({ ...message, expirySeconds: answerExpirySeconds });
    if (!published) this.#unanswered.add();
  }

  #onStatus(agent: string, payload: Uint8Array): void {
    const { agents, intake } = this.#settings;
    const status = new TextDecoder().decode(payload);
    if (status === agentStatuses.online) agents.arrive(agent);
    // An empty message is how a retained one is taken away.
    else if (status === agentStatuses.gone || status === "") agents.leave(agent);
    else intake.drop();
  }
}
