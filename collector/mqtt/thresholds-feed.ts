/** Follows the collector's thresholds and gives them as messages whenever they are new. */
import { type Cancel, type Clock, every } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import type { CollectorLink } from "../../wire/agent-link.ts";
import { encodeThresholds, type MqttMessage } from "../../wire/mqtt-messages.ts";

export interface ThresholdsFeedSettings {
  readonly link: CollectorLink;
  readonly clock: Clock;
  readonly log: Log;
  onNew(messages: readonly MqttMessage[]): void;
}

const followEveryMs = 1_000;

export class ThresholdsFeed {
  readonly #settings: ThresholdsFeedSettings;
  #revision: number | undefined;
  #messages: readonly MqttMessage[] = [];
  #cancel: Cancel | undefined;

  constructor(settings: ThresholdsFeedSettings) {
    this.#settings = settings;
  }

  /** The newest, for those who come later; none before the first were read. */
  get messages(): readonly MqttMessage[] {
    return this.#messages;
  }

  start(): void {
    this.#follow();
    this.#cancel = every(this.#settings.clock, followEveryMs, () => this.#follow());
  }

  stop(): void {
    this.#cancel?.();
  }

  #follow(): void {
    this.#settings.link.thresholds().then(
      (thresholds) => {
        if (thresholds.revision === this.#revision) return;
        this.#revision = thresholds.revision;
        this.#messages = encodeThresholds(thresholds);
        this.#settings.onNew(this.#messages);
      },
      (cause: unknown) => {
        this.#settings.log.error("thresholds cannot be read", { reason: String(cause) });
      },
    );
  }
}
