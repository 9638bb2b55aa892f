/**
 * MQTT packets over one socket, on a server's side: whole packets in, packets out, and an end when
 * the client sends too much, too slowly or nothing, or does not fetch what it is sent.
 */
import type { Duplex } from "node:stream";
import { generate, type Packet, type Parser, parser } from "mqtt-packet";
import type { Log } from "../../base/log.ts";
import { mqttPacketBytesMax } from "../../wire/mqtt-messages.ts";
import { PacketFrames } from "./packet-frames.ts";

/** Why a connection is ended by us; a label of a metric. */
export type EndReason =
  | "idle"
  | "malformed"
  | "no room"
  | "refused"
  | "revoked"
  | "shutdown"
  | "slow"
  | "too large";

export interface MqttSocketSettings {
  readonly socket: Duplex;
  readonly log: Log;
  nowMs(): number;
  onPacket(packet: Packet): void;
  onDrain(): void;
  /** It is over; `reason` is there when it was us. Once. */
  onEnd(reason: EndReason | undefined): void;
}

/** Of a client that has not said who it is. */
const greetingBytesMax = 4_096;
const greetingMsMax = 10_000;
const packetMsMax = 15_000;
const outputBytesMax = 2 ** 20;

/** Reason codes of DISCONNECT: MQTT 5.0, 3.14.2.1. */
const endCodes: Readonly<Record<EndReason, number>> = {
  idle: 0x8d,
  malformed: 0x81,
  "no room": 0x97,
  refused: 0x87,
  revoked: 0x87,
  shutdown: 0x8b,
  slow: 0x97,
  "too large": 0x95,
};

export class MqttSocket {
  readonly #settings: MqttSocketSettings;
  readonly #frames = new PacketFrames();
  #parser: Parser;
  #version: 4 | 5 = 4;
  #isGreeted = false;
  #isOver = false;
  #heardMs: number;
  #packetSinceMs: number | undefined;
  #silenceMsMax = greetingMsMax;

  constructor(settings: MqttSocketSettings) {
    const { socket } = settings;
    this.#settings = settings;
    this.#heardMs = settings.nowMs();
    this.#parser = this.#createParser({});
    socket.on("data", (chunk: Buffer) => this.#onData(chunk));
    socket.on("drain", () => settings.onDrain());
    // An error is followed by the close.
    socket.on("error", () => {});
    socket.on("close", () => this.#over(undefined));
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Bytes that came of a packet that is not whole. */
  get pendingBytes(): number {
    return this.#frames.pending;
  }

  /** Bytes sent that have not left. */
  get waitingBytes(): number {
    return this.#settings.socket.writableLength;
  }

  /** The protocol its client has asked for. */
  speak(version: 4 | 5): void {
    this.#version = version;
    this.#parser = this.#createParser({ protocolVersion: version });
  }

  /** The client is known: it may send more, and be silent for longer. */
  open(silenceMsMax: number): void {
    this.#isGreeted = true;
    this.#silenceMsMax = silenceMsMax;
  }

  /** Ends it when its client has been silent, or slow with one packet, for too long. */
  check(): void {
    const nowMs = this.#settings.nowMs();
    const packetMs = nowMs - (this.#packetSinceMs ?? nowMs);
    if (nowMs - this.#heardMs > this.#silenceMsMax || packetMs > packetMsMax) this.end("idle");
  }

  send(packet: Packet): void {
    if (this.#isOver) return;
    this.#settings.socket.write(this.#bytesOf(packet));
    if (this.waitingBytes > outputBytesMax) this.end("slow");
  }

  end(reason: EndReason): void {
    if (this.#isOver) return;
    const { socket } = this.#settings;
    if (this.#isGreeted && this.#version === 5) {
      socket.write(this.#bytesOf({ cmd: "disconnect", reasonCode: endCodes[reason] }));
    }
    this.#over(reason);
    // Who does not read does not take the goodbye either.
    if (reason === "slow") socket.destroy();
    else socket.end(() => socket.destroy());
  }

  /** The client has said goodbye. */
  close(): void {
    this.#over(undefined);
    this.#settings.socket.end();
  }

  #over(reason: EndReason | undefined): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#settings.onEnd(reason);
  }

  #onData(chunk: Buffer): void {
    if (this.#isOver) return;
    this.#heardMs = this.#settings.nowMs();
    const bytesMax = (): number => (this.#isGreeted ? mqttPacketBytesMax : greetingBytesMax);
    let packets = 0;
    const fault = this.#frames.push(chunk, bytesMax, (packet) => {
      packets++;
      if (!this.#isOver) this.#parse(packet);
    });
    if (this.#frames.pending === 0) this.#packetSinceMs = undefined;
    else if (packets > 0) this.#packetSinceMs = this.#heardMs;
    else this.#packetSinceMs ??= this.#heardMs;
    if (fault !== undefined) this.end(fault);
  }

  /** Whatever one client makes the parser, or us, stumble over ends that client alone. */
  #parse(packet: Buffer): void {
    try {
      this.#parser.parse(packet);
    } catch (cause) {
      this.#settings.log.error("a packet over MQTT met a fault of ours", { reason: String(cause) });
      this.end("malformed");
    }
  }

  #createParser(options: { readonly protocolVersion?: number }): Parser {
    const made = parser(options);
    made.on("packet", (packet) => this.#settings.onPacket(packet));
    made.on("error", () => this.end("malformed"));
    return made;
  }

  #bytesOf(packet: Packet): Buffer {
    return generate(packet, { protocolVersion: this.#version });
  }
}
