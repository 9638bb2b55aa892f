/**
 * Keeps one connection to an MQTT broker: opens it, opens it again after it ends, and says whether
 * it stands. How a connection is opened is an argument, so there is no socket here.
 *
 *   waiting ──▶ opening ──▶ up ──▶ waiting …      close() from anywhere: closed
 *
 * Nothing is queued: what is published while no connection stands, or while too much is on its way
 * to the broker, is refused. Pauses grow from 0.5 s to 30 s with full jitter and start anew only
 * after a connection has lasted, so two clients of one name do not chase each other off the broker
 * many times a second. MQTT 5 comes first and 3.1.1 when the broker refuses it.
 */
import type { Cancel, Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { MqttMessage } from "./mqtt-messages.ts";

export type MqttVersion = 5 | 4;

export interface MqttPublish extends MqttMessage {
  readonly retain?: boolean;
  /** How long a broker keeps it for a subscriber who is away; MQTT 5 only. */
  readonly expirySeconds?: number;
}

/** Who connects, and what for. */
export interface MqttHello {
  readonly clientId: string;
  /** Topic filters. */
  readonly subscriptions: readonly string[];
  /** What the broker publishes when the client is gone without a word. */
  readonly will?: MqttPublish;
}

export interface MqttEnd {
  readonly message: string;
  /** The broker does not speak this version, or ended the connection before it said anything. */
  readonly tryOtherVersion: boolean;
}

/** What a connection tells its owner; nothing comes after `down`. */
export interface MqttListener {
  /** Connected and subscribed. */
  up(): void;
  message(message: MqttMessage): void;
  /** It ended, or was never there; once. */
  down(end: MqttEnd): void;
}

export interface MqttConnection {
  /**
   * `taken` is called when the broker has it, or with its reason when it does not want it; never
   * when the connection ends first.
   */
  publish(message: MqttPublish, taken: (refusal?: string) => void): void;
  /** Says goodbye, so that no will is published. */
  close(): Promise<void>;
}

/** Starts to connect; the listener hears nothing before this has returned. */
export type MqttOpen = (
  hello: MqttHello & { readonly version: MqttVersion },
  listener: MqttListener,
) => MqttConnection;

export interface MqttSessionSettings extends MqttHello {
  readonly open: MqttOpen;
  readonly clock: Clock;
  readonly log: Log;
  /** Messages on their way to the broker. */
  readonly publishesMax: number;
  /** Uniform in [0, 1), for the jitter of pauses. */
  chance(): number;
  onUp(): void;
  onMessage(message: MqttMessage): void;
  onDown(end: MqttEnd): void;
}

const pauseMsMin = 500;
const pauseMsMax = 30_000;
/** A connection that lasted this long was a good one. */
const lastedMs = 10_000;

export class MqttSession {
  readonly #settings: MqttSessionSettings;
  #connection: MqttConnection | undefined;
  #version: MqttVersion = 5;
  #failures = 0;
  #upSinceMs: number | undefined;
  #publishes = 0;
  #triedMs = Number.NEGATIVE_INFINITY;
  #cancelPause: Cancel | undefined;
  #isOpen = false;
  #connects = 0;

  constructor(settings: MqttSessionSettings) {
    this.#settings = settings;
  }

  get isUp(): boolean {
    return this.#upSinceMs !== undefined;
  }

  /** Connections that came up so far. */
  get connects(): number {
    return this.#connects;
  }

  start(): void {
    if (this.#isOpen) return;
    this.#isOpen = true;
    this.#connect();
  }

  /**
   * Tries now, in place of after the pause, unless it has just tried: for a caller whose own
   * attempts are spread by chance.
   */
  hurry(): void {
    const { clock } = this.#settings;
    if (this.#cancelPause === undefined || clock.nowMs() - this.#triedMs < pauseMsMin) return;
    this.#cancelPause();
    this.#connect();
  }

  /** Whether it went out; the broker may still lose it, or refuse it and say why. */
  publish(message: MqttPublish, onRefused: (reason: string) => void = () => {}): boolean {
    const connection = this.#connection;
    if (!this.isUp || connection === undefined) return false;
    if (this.#publishes >= this.#settings.publishesMax) return false;
    this.#publishes++;
    connection.publish(message, (refusal) => {
      if (connection !== this.#connection) return;
      this.#publishes--;
      if (refusal !== undefined) onRefused(refusal);
    });
    return true;
  }

  /** Ends the connection with a last message, if one stands; nothing happens after it. */
  async close(farewell?: MqttPublish): Promise<void> {
    this.#isOpen = false;
    this.#cancelPause?.();
    this.#cancelPause = undefined;
    const connection = this.#connection;
    if (this.isUp && farewell !== undefined) connection?.publish(farewell, () => {});
    this.#connection = undefined;
    this.#upSinceMs = undefined;
    await connection?.close();
  }

  #connect(): void {
    const { open, clientId, subscriptions, will, onMessage, clock } = this.#settings;
    this.#cancelPause = undefined;
    this.#triedMs = clock.nowMs();
    // A listener of an earlier connection may still speak; it is not the current one any more.
    let connection: MqttConnection | undefined;
    const isCurrent = (): boolean => this.#isOpen && connection === this.#connection;
    connection = open(
      {
        clientId,
        subscriptions,
        version: this.#version,
        ...(will === undefined ? {} : { will }),
      },
      {
        up: () => {
          if (isCurrent()) this.#up();
        },
        message: (message) => {
          if (isCurrent()) onMessage(message);
        },
        down: (end) => {
          if (isCurrent()) this.#down(end);
        },
      },
    );
    this.#connection = connection;
  }

  #up(): void {
    this.#publishes = 0;
    this.#connects++;
    this.#upSinceMs = this.#settings.clock.nowMs();
    this.#settings.log.info("the broker is reached", { mqtt: this.#version === 5 ? "5" : "3.1.1" });
    this.#settings.onUp();
  }

  #down(end: MqttEnd): void {
    const { clock, log, chance, onDown } = this.#settings;
    const sinceMs = this.#upSinceMs;
    if (sinceMs !== undefined && clock.nowMs() - sinceMs >= lastedMs) this.#failures = 0;
    this.#failures++;
    if (sinceMs !== undefined || this.#failures === 1) {
      log.warn("the broker is not reached", { reason: end.message });
    }
    if (sinceMs === undefined && end.tryOtherVersion) this.#version = this.#version === 5 ? 4 : 5;
    this.#connection = undefined;
    this.#upSinceMs = undefined;
    const bound = Math.min(pauseMsMax, pauseMsMin * 2 ** (this.#failures - 1));
    this.#cancelPause = clock.after(Math.ceil(bound * chance()), () => this.#connect());
    onDown(end);
  }
}
