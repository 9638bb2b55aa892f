/**
 * The MQTT broker that the collector hosts itself, for a fleet without one. It serves agents and
 * nothing else: `broker-connection.ts` says what each may do.
 */
import { readFileSync } from "node:fs";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { type Cancel, type Clock, every } from "../../base/clock.ts";
import { OperationalError } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import type { Meter } from "../../base/meter.ts";
import type { CollectorLink } from "../../wire/agent-link.ts";
import type { Access } from "../access/access.ts";
import { accessByFile } from "../access/token-file.ts";
import { BrokerConnection } from "./broker-connection.ts";
import type { MqttAgents } from "./mqtt-agents.ts";
import type { MqttIntake } from "./mqtt-intake.ts";
import type { EndReason } from "./mqtt-socket.ts";
import { ThresholdsFeed } from "./thresholds-feed.ts";

export interface BrokerHostSettings {
  readonly host: string;
  /** 0 picks a free port. */
  readonly port: number;
  /** PEM files; TLS when there are a certificate and its key, client certificates by authority. */
  readonly certFile: string;
  readonly keyFile: string;
  readonly caFile: string;
  /** Passwords are tokens of this file; without one everybody is let in. */
  readonly tokensFile: string;
  readonly intake: MqttIntake;
  readonly agents: MqttAgents;
  /** Where thresholds come from. */
  readonly link: CollectorLink;
  readonly clock: Clock;
  readonly log: Log;
  readonly meter: Meter;
}

const connectionsMax = 4_096;
/** Of packets that are not whole yet, of all clients together. */
const pendingBytesMax = 2 ** 26;
const checkEveryMs = 1_000;
const handshakeMsMax = 10_000;

export class BrokerHost {
  readonly #settings: BrokerHostSettings;
  readonly #feed: ThresholdsFeed;
  readonly #connections = new Set<BrokerConnection>();
  /** Connections of each agent: a new one may come before the old one is over. */
  readonly #agents = new Map<string, number>();
  #server: Server | undefined;
  #access: Access | undefined;
  #cancels: Cancel[] = [];

  constructor(settings: BrokerHostSettings) {
    const { link, clock, log, meter } = settings;
    this.#settings = settings;
    const onNew = (): void => {
      for (const connection of this.#connections) connection.offerThresholds();
    };
    this.#feed = new ThresholdsFeed({ link, clock, log, onNew });
    meter.gauge(
      "brunt_collector_mqtt_clients",
      "connections to the broker that the collector hosts",
      () => this.#connections.size,
    );
  }

  /** 0 until started. */
  get port(): number {
    return (this.#server?.address() as AddressInfo | null)?.port ?? 0;
  }

  /** @throws OperationalError ADDRESS_IN_USE, CONFIG_INVALID */
  async start(): Promise<void> {
    const { clock, log, meter, tokensFile, host } = this.#settings;
    const { access, cancel } = await accessByFile(tokensFile, { clock, log, meter });
    this.#access = access;
    this.#cancels = [cancel];
    try {
      this.#server = this.#createServer();
      await listen(this.#server, this.#settings);
    } catch (error) {
      cancel();
      throw error;
    }
    this.#cancels.push(every(clock, checkEveryMs, () => this.#check()));
    this.#feed.start();
    log.info("collector hosts an MQTT broker", { host, mqttPort: this.port });
  }

  async shutdown(): Promise<void> {
    for (const cancel of this.#cancels) cancel();
    this.#feed.stop();
    const closed = new Promise<void>((resolve) => {
      if (this.#server?.listening) this.#server.close(() => resolve());
      else resolve();
    });
    for (const connection of [...this.#connections]) connection.end("shutdown");
    await closed;
  }

  #createServer(): Server {
    const { certFile, keyFile, caFile } = this.#settings;
    const welcome = (socket: Socket): void => this.#welcome(socket);
    if (certFile === "") return createServer({ noDelay: true }, welcome);
    const cert = readPem(certFile);
    const key = readPem(keyFile);
    const known = caFile === "" ? {} : { ca: readPem(caFile), requestCert: true };
    const options = { cert, key, ...known, handshakeTimeout: handshakeMsMax };
    return createTlsServer({ ...options, noDelay: true }, welcome);
  }

  #welcome(socket: Socket): void {
    const { clock, intake, log } = this.#settings;
    if (this.#connections.size >= connectionsMax) {
      this.#count("no room");
      socket.destroy();
      return;
    }
    const connection: BrokerConnection = new BrokerConnection({
      socket,
      log,
      intake,
      nowMs: () => clock.nowMs(),
      admit: (password) => (this.#access as Access).admit(`Bearer ${password ?? ""}`, "agent"),
      thresholds: () => this.#feed.messages,
      onAgent: (agent) => this.#arrive(agent),
      onEnd: (agent, reason) => {
        this.#connections.delete(connection);
        if (agent !== undefined) this.#leave(agent);
        if (reason !== undefined) this.#count(reason);
      },
    });
    this.#connections.add(connection);
  }

  #arrive(agent: string): void {
    this.#agents.set(agent, (this.#agents.get(agent) ?? 0) + 1);
    this.#settings.agents.arrive(agent);
  }

  #leave(agent: string): void {
    const left = (this.#agents.get(agent) ?? 1) - 1;
    if (left > 0) {
      this.#agents.set(agent, left);
      return;
    }
    this.#agents.delete(agent);
    this.#settings.agents.leave(agent);
  }

  /** Those that hold most go first when all together hold too much. */
  #check(): void {
    let pending = 0;
    for (const connection of [...this.#connections]) {
      connection.check();
      pending += connection.pendingBytes;
    }
    if (pending <= pendingBytesMax) return;
    const byPending = [...this.#connections].sort((a, b) => b.pendingBytes - a.pendingBytes);
    for (const connection of byPending) {
      if (pending <= pendingBytesMax) break;
      pending -= connection.pendingBytes;
      connection.end("no room");
    }
  }

  #count(reason: EndReason): void {
    const help = "clients of the hosted broker that were sent away, by reason";
    this.#settings.meter.counter("brunt_collector_mqtt_ended_total", help, { reason }).add();
  }
}

function readPem(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    const message = `${path} cannot be read: ${(cause as Error).message}`;
    throw new OperationalError("CONFIG_INVALID", message, { cause });
  }
}

function listen(server: Server, { host, port }: BrokerHostSettings): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (cause) => {
      const message = `cannot listen for MQTT on ${host}:${port}: ${cause.message}`;
      reject(new OperationalError("ADDRESS_IN_USE", message, { cause }));
    });
    server.listen(port, host, resolve);
  });
}
