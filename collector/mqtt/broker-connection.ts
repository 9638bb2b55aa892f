/**
 * One client of the MQTT broker that the collector hosts, from its CONNECT on. It is an agent, and
 * there is nobody else here to talk to: its batches go to the intake, answers and thresholds come
 * back on the same connection. So there is no routing, no session that outlives a connection, and
 * nothing is kept for anybody who is away; `sessionPresent` is always false, and a client id names
 * nothing. What goes down is QoS 0: an answer that is lost is asked for again.
 *
 * The connection takes the name of the first agent whose topic it uses, and is no other from then
 * on. Source: MQTT 5.0 and 3.1.1, OASIS.
 */
import type { Duplex } from "node:stream";
import type { IConnectPacket, IPublishPacket, ISubscribePacket, Packet } from "mqtt-packet";
import type { Log } from "../../base/log.ts";
import type { Result } from "../../base/result.ts";
import {
  agentStatuses,
  agentTopics,
  encodeAnswer,
  type MqttMessage,
  mqttFilters,
  mqttPacketBytesMax,
  readAgentTopic,
  thresholdsPartOf,
} from "../../wire/mqtt-messages.ts";
import type { Pass } from "../access/access.ts";
import type { MqttIntake } from "./mqtt-intake.ts";
import { type EndReason, MqttSocket } from "./mqtt-socket.ts";

export interface BrokerConnectionSettings {
  readonly socket: Duplex;
  readonly log: Log;
  readonly intake: MqttIntake;
  nowMs(): number;
  /** Lets a client in, by the password it shows. */
  admit(password: string | undefined): Result<Pass>;
  /** The newest, as messages. */
  thresholds(): readonly MqttMessage[];
  /** The connection is an agent's. */
  onAgent(agent: string): void;
  /** It is over; `reason` is there when it was us. */
  onEnd(agent: string | undefined, reason: EndReason | undefined): void;
}

/** Of a client that promises no signs of life. */
const silenceMsMax = 300_000;
/** Thresholds wait while more than this has not left. */
const thresholdsAheadMax = 2 ** 18;

/** Reason codes of MQTT 5, and what 3.1.1 has in their place. */
const badPassword = 0x86;
const notAuthorized = 0x87;
const noSubscription = 0x11;
const filterRefused = { 5: 0x8f, 4: 0x80 } as const;
const connackBefore5 = { version: 1, credentials: 5 } as const;

/** What a client of MQTT 5 is told to expect. */
const terms = {
  sessionExpiryInterval: 0,
  maximumQoS: 1,
  maximumPacketSize: mqttPacketBytesMax,
  subscriptionIdentifiersAvailable: false,
  sharedSubscriptionAvailable: false,
};

export class BrokerConnection {
  readonly #settings: BrokerConnectionSettings;
  readonly #socket: MqttSocket;
  #version: 4 | 5 = 4;
  #pass: Pass | undefined;
  #agent: string | undefined;
  #hearsAnswers = false;
  #hearsThresholds = false;
  /** The part of the thresholds that goes out next. */
  #part = 0;

  constructor(settings: BrokerConnectionSettings) {
    this.#settings = settings;
    this.#socket = new MqttSocket({
      socket: settings.socket,
      log: settings.log,
      nowMs: settings.nowMs,
      onPacket: (packet) => this.#onPacket(packet),
      onDrain: () => this.#pumpThresholds(),
      onEnd: (reason) => settings.onEnd(this.#agent, reason),
    });
  }

  /** Bytes that came of a packet that is not whole. */
  get pendingBytes(): number {
    return this.#socket.pendingBytes;
  }

  /** Ends it when it has been silent for too long, or is not welcome any more. */
  check(): void {
    if (this.#isRevoked()) this.end("revoked");
    else this.#socket.check();
  }

  /** There are new thresholds. */
  offerThresholds(): void {
    this.#part = 0;
    this.#pumpThresholds();
  }

  end(reason: EndReason): void {
    this.#socket.end(reason);
  }

  #isRevoked(): boolean {
    return this.#pass !== undefined && !this.#pass.isValid();
  }

  #onPacket(packet: Packet): void {
    if (this.#socket.isOver) return;
    if (this.#pass === undefined) {
      if (packet.cmd === "connect") this.#onConnect(packet);
      else this.end("malformed");
      return;
    }
    switch (packet.cmd) {
      case "publish":
        this.#onPublish(packet);
        break;
      case "subscribe":
        this.#onSubscribe(packet);
        break;
      case "unsubscribe":
        this.#onUnsubscribe(packet.unsubscriptions, packet.messageId);
        break;
      case "pingreq":
        this.#socket.send({ cmd: "pingresp" });
        break;
      case "disconnect":
        this.#socket.close();
        break;
      default:
        this.end("malformed");
    }
  }

  #onConnect({ protocolVersion, keepalive = 0, password, clientId }: IConnectPacket): void {
    const refusal = { cmd: "connack", sessionPresent: false } as const;
    if (protocolVersion !== 4 && protocolVersion !== 5) {
      this.#socket.send({ ...refusal, returnCode: connackBefore5.version });
      this.end("refused");
      return;
    }
    this.#version = protocolVersion;
    this.#socket.speak(protocolVersion);
    const pass = this.#settings.admit(password?.toString("utf8"));
    if (!pass.ok) {
      const reasonCode = pass.error.code === "UNAUTHENTICATED" ? badPassword : notAuthorized;
      const returnCode = connackBefore5.credentials;
      this.#socket.send({ ...refusal, reasonCode, returnCode });
      this.end("refused");
      return;
    }
    this.#pass = pass.value;
    // One and a half times what it promises: MQTT 5.0, 3.1.2.10.
    this.#socket.open(keepalive === 0 ? silenceMsMax : keepalive * 1_500);
    const assigned = clientId === "" ? { assignedClientIdentifier: "brunt-guest" } : {};
    const properties = { ...terms, ...assigned };
    const accepted = { reasonCode: 0, returnCode: 0, properties } as const;
    this.#socket.send({ cmd: "connack", sessionPresent: false, ...accepted });
  }

  #onPublish({ qos, topic, payload, messageId = 0 }: IPublishPacket): void {
    // Nobody was told of QoS 2, nor of aliases, which leave the topic empty.
    if (qos === 2 || topic === "") {
      this.end("malformed");
      return;
    }
    if (this.#isRevoked()) {
      this.end("revoked");
      return;
    }
    const from = readAgentTopic(topic);
    const isOurs = from !== undefined && from.kind !== "down" && this.#isAgent(from.agent);
    if (qos === 1) {
      this.#socket.send({ cmd: "puback", messageId, reasonCode: isOurs ? 0 : notAuthorized });
    }
    const bytes = payload as Buffer;
    // That it is gone is told by the end of its connection.
    const isKnown = from?.kind === "up" || statuses.includes(bytes.toString("latin1"));
    if (!isOurs || !isKnown) this.#settings.intake.drop();
    else if (from.kind === "up") void this.#answer(from.agent, bytes);
  }

  async #answer(agent: string, bytes: Uint8Array): Promise<void> {
    const answer = await this.#settings.intake.take({ agent, bytes });
    if (answer === undefined || !this.#hearsAnswers) return;
    this.#publish({ topic: agentTopics(agent).down, payload: encodeAnswer(answer) }, false);
  }

  #isAgent(agent: string): boolean {
    if (this.#agent === undefined) {
      this.#agent = agent;
      this.#settings.onAgent(agent);
    }
    return this.#agent === agent;
  }

  #onSubscribe({ subscriptions, messageId = 0 }: ISubscribePacket): void {
    if (subscriptions.length === 0) {
      this.end("malformed");
      return;
    }
    const refused = filterRefused[this.#version];
    const granted = subscriptions.map(({ topic }) => (this.#subscribe(topic, true) ? 0 : refused));
    this.#socket.send({ cmd: "suback", messageId, granted });
    this.offerThresholds();
  }

  #onUnsubscribe(filters: readonly string[], messageId = 0): void {
    if (filters.length === 0) {
      this.end("malformed");
      return;
    }
    const granted = filters.map((filter) => (this.#subscribe(filter, false) ? 0 : noSubscription));
    this.#socket.send({ cmd: "unsuback", messageId, granted });
  }

  /** Its own answers and the thresholds are all there is to hear. */
  #subscribe(filter: string, hears: boolean): boolean {
    if (filter === mqttFilters.thresholds || thresholdsPartOf(filter) === 0) {
      this.#hearsThresholds = hears;
      return true;
    }
    const at = readAgentTopic(filter);
    if (at?.kind !== "down" || !this.#isAgent(at.agent)) return false;
    this.#hearsAnswers = hears;
    return true;
  }

  #pumpThresholds(): void {
    if (!this.#hearsThresholds) return;
    const messages = this.#settings.thresholds();
    while (!this.#socket.isOver && this.#part < messages.length) {
      if (this.#socket.waitingBytes > thresholdsAheadMax) return;
      this.#publish(messages[this.#part++] as MqttMessage, true);
    }
  }

  #publish({ topic, payload }: MqttMessage, retain: boolean): void {
    const { buffer, byteOffset, byteLength } = payload;
    const bytes = Buffer.from(buffer, byteOffset, byteLength);
    this.#socket.send({ cmd: "publish", topic, payload: bytes, qos: 0, dup: false, retain });
  }
}

const statuses: readonly string[] = Object.values(agentStatuses);
