/**
 * Which agents are connected, as brokers tell: `online` of their own, `gone` of their own or as
 * their last will. It is for people: whether data is missing is told by the data's own watermarks.
 */
import type { Log } from "../../base/log.ts";
import type { Meter } from "../../base/meter.ts";

/** As many as there are streams; a name beyond is not followed. */
const agentsMax = 10_000;

export class MqttAgents {
  readonly #online = new Set<string>();
  readonly #log: Log;
  readonly #gone;
  readonly #unfollowed;

  constructor({ log, meter }: { readonly log: Log; readonly meter: Meter }) {
    this.#log = log;
    this.#gone = meter.counter("brunt_collector_mqtt_gone_total", "times an agent went away");
    this.#unfollowed = meter.counter(
      "brunt_collector_mqtt_unfollowed_total",
      "agents beyond those whose status is followed",
    );
    meter.gauge(
      "brunt_collector_mqtt_agents",
      "agents that a broker says are there",
      () => this.#online.size,
    );
  }

  arrive(agent: string): void {
    if (this.#online.has(agent)) return;
    if (this.#online.size >= agentsMax) {
      this.#unfollowed.add();
      return;
    }
    this.#online.add(agent);
    this.#log.info("an agent is there over MQTT", { agent });
  }

  leave(agent: string): void {
    if (!this.#online.delete(agent)) return;
    this.#gone.add();
    this.#log.warn("an agent over MQTT is gone", { agent });
  }
}
