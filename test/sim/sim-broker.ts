/**
 * An MQTT broker between some agents and the collector, as their production ends meet it: sessions
 * by client id, filters, retained messages, last wills, QoS 1 with messages that come twice and out
 * of order. Killed, it forgets everything, or, with persistence, nothing; its clients notice and
 * come again. A connection over which nothing passes is found dead by both sides after a while.
 */
import type { Prng } from "../../base/prng.ts";
import type { MqttMessage } from "../../wire/mqtt-messages.ts";
import type {
  MqttConnection,
  MqttHello,
  MqttListener,
  MqttOpen,
  MqttPublish,
} from "../../wire/mqtt-session.ts";
import { between, chanceOf, happens, spread } from "./chance.ts";
import type { Incarnation } from "./incarnation.ts";
import type { Scheduler } from "./scheduler.ts";

export interface SimBrokerOptions {
  readonly seed: number;
  readonly scheduler: Scheduler;
  /** Whether sessions and what waits in them survive the broker. */
  readonly isPersistent: boolean;
  /** Whether this client has no way to the broker now. */
  isCutOff(client: string): boolean;
}

/** What outlives a connection. */
interface Session {
  readonly subscriptions: readonly string[];
  readonly waiting: MqttPublish[];
  connection: Connection | undefined;
}

interface Connection {
  readonly client: string;
  readonly owner: Incarnation;
  readonly hello: MqttHello;
  readonly listener: MqttListener;
  isOpen: boolean;
}

/** A full session drops what comes, as Mosquitto does. */
const waitingMax = 200;
const keepAliveMs = 10_000;
const connectMsMax = 10_000;
const againShare = 0.15;
const lateShare = 0.05;
const lateMsMax = 60_000;

export class SimBroker {
  readonly #options: SimBrokerOptions;
  readonly #prng: Prng;
  #sessions = new Map<string, Session>();
  #retained = new Map<string, MqttPublish>();
  #isUp = true;
  #life = 0;
  #isStormy = true;

  constructor(options: SimBrokerOptions) {
    this.#options = options;
    this.#prng = chanceOf(options.seed, "broker");
  }

  get isUp(): boolean {
    return this.#isUp;
  }

  kill(): void {
    this.#isUp = false;
    this.#life++;
    for (const { connection } of this.#sessions.values()) this.#drop(connection, "reset");
    if (this.#options.isPersistent) return;
    this.#sessions = new Map();
    this.#retained = new Map();
  }

  start(): void {
    this.#isUp = true;
  }

  heal(): void {
    this.#isStormy = false;
    if (!this.#isUp) this.start();
  }

  /** The way of one life of a client, which is cut off under this name. */
  opener(client: string, owner: Incarnation): MqttOpen {
    return (hello, listener) => this.#open({ client, owner, hello, listener, isOpen: false });
  }

  #open(connection: Connection): MqttConnection {
    const { client, owner, listener } = connection;
    const delayMs = this.#options.isCutOff(client) ? connectMsMax : this.#delayMs();
    let isWanted = true;
    owner.after(delayMs, () => {
      if (!isWanted) return;
      if (this.#isUp && !this.#options.isCutOff(client)) this.#welcome(connection);
      else listener.down({ message: "connection refused", tryOtherVersion: false });
    });
    return {
      publish: (message, taken) => this.#onPublish(connection, message, taken),
      close: async () => {
        isWanted = false;
        this.#detach(connection);
      },
    };
  }

  #welcome(connection: Connection): void {
    const { clientId, subscriptions } = connection.hello;
    const known = this.#sessions.get(clientId);
    this.#drop(known?.connection, "another client of this name");
    const session: Session = {
      subscriptions,
      waiting: known?.waiting ?? [],
      connection,
    };
    this.#sessions.set(clientId, session);
    connection.isOpen = true;
    connection.listener.up();
    for (const message of session.waiting) this.#forwardSoon(clientId, message);
    for (const message of this.#retained.values()) {
      if (matchesAny(subscriptions, message.topic)) this.#put(clientId, session, message);
    }
    this.#keepAlive(connection);
  }

  /** Both sides find out in time that the other is not there any more. */
  #keepAlive(connection: Connection): void {
    this.#options.scheduler.after(keepAliveMs, () => {
      if (!connection.isOpen) return;
      const isDead = !connection.owner.isAlive || this.#options.isCutOff(connection.client);
      if (!isDead) {
        this.#keepAlive(connection);
        return;
      }
      const { will } = connection.hello;
      this.#drop(connection, "keep-alive");
      if (will !== undefined) this.#route(will);
    });
  }

  /** The broker, or the network, ends a connection. */
  #drop(connection: Connection | undefined, message: string): void {
    if (connection === undefined || !connection.isOpen) return;
    this.#detach(connection);
    connection.owner.after(this.#delayMs(), () => {
      connection.listener.down({ message, tryOtherVersion: false });
    });
  }

  #detach(connection: Connection): void {
    connection.isOpen = false;
    const session = this.#sessions.get(connection.hello.clientId);
    if (session?.connection === connection) session.connection = undefined;
  }

  #onPublish(connection: Connection, message: MqttPublish, taken: () => void): void {
    const life = this.#life;
    const copy = { ...message, payload: message.payload.slice() };
    this.#options.scheduler.after(this.#delayMs(), () => {
      const { client, owner } = connection;
      if (!this.#isUp || this.#life !== life || this.#options.isCutOff(client)) return;
      this.#route(copy);
      // The confirmation means nothing to whoever sent it, but that there is room again.
      owner.after(this.#delayMs(), () => {
        if (connection.isOpen) taken();
      });
    });
  }

  #route(message: MqttPublish): void {
    if (message.retain === true) this.#retained.set(message.topic, message);
    for (const [clientId, session] of this.#sessions) {
      if (matchesAny(session.subscriptions, message.topic)) this.#put(clientId, session, message);
    }
  }

  #put(clientId: string, session: Session, message: MqttPublish): void {
    if (session.waiting.length >= waitingMax) return;
    session.waiting.push(message);
    this.#forwardSoon(clientId, message);
  }

  #forwardSoon(clientId: string, message: MqttPublish): void {
    const life = this.#life;
    const connection = this.#sessions.get(clientId)?.connection;
    if (connection === undefined) return;
    this.#options.scheduler.after(this.#delayMs(), () => {
      if (this.#life === life && connection.isOpen) this.#forward(connection, message);
    });
  }

  #forward(connection: Connection, message: MqttPublish): void {
    const { client, owner, hello, listener } = connection;
    if (!owner.isAlive || this.#options.isCutOff(client)) return;
    const session = this.#sessions.get(hello.clientId);
    const at = session?.waiting.indexOf(message) ?? -1;
    if (session === undefined || at < 0) return;
    const { topic, payload }: MqttMessage = message;
    listener.message({ topic, payload: payload.slice() });
    // It confirmed it, or its confirmation is lost and the message comes again.
    if (this.#isStormy && happens(this.#prng, againShare))
      this.#forwardSoon(hello.clientId, message);
    else session.waiting.splice(at, 1);
  }

  #delayMs(): number {
    return this.#isStormy && happens(this.#prng, lateShare)
      ? spread(this.#prng, 500, lateMsMax)
      : between(this.#prng, 1, 40);
  }
}

function matchesAny(filters: readonly string[], topic: string): boolean {
  return filters.some((filter) => matches(filter.split("/"), topic.split("/")));
}

/** MQTT 5.0, 4.7: `+` is one level, `#` at the end any number of them, none included. */
function matches(filter: readonly string[], topic: readonly string[]): boolean {
  for (const [index, level] of filter.entries()) {
    if (level === "#") return true;
    if (level !== "+" && level !== topic[index]) return false;
  }
  return filter.length === topic.length;
}
