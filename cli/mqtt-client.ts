/**
 * Connections to an MQTT broker, by the `mqtt` package: QoS 1, a session that outlives the
 * connection, and none of the package's own queues or attempts to reconnect: each connection is a
 * client of its own, and what a session does about its end is `wire/mqtt-session.ts`.
 *
 * Certificates and the password are read again for every connection, so that new ones are used
 * without a restart.
 */
import { readFileSync } from "node:fs";
import { connect, type IClientOptions, type ISubscriptionGrant, type MqttClient } from "mqtt";
import { mqttPacketBytesMax } from "../wire/mqtt-messages.ts";
import type {
  MqttConnection,
  MqttEnd,
  MqttHello,
  MqttListener,
  MqttOpen,
  MqttPublish,
  MqttVersion,
} from "../wire/mqtt-session.ts";

export interface MqttAddress {
  /** mqtt:// or mqtts://. */
  readonly url: string;
  readonly user: string;
  /** Empty when there is none. */
  readonly password: string;
  /** Holds the password, in place of it; empty when there is none. */
  readonly passwordFile: string;
  /** PEM files; empty for those of the system, and for no certificate of our own. */
  readonly caFile: string;
  readonly certFile: string;
  readonly keyFile: string;
}

const keepAliveSeconds = 10;
const connectMsMax = 10_000;
const goodbyeMsMax = 1_000;
/** How long a broker keeps what comes for a client that is away. */
const sessionSeconds = 3_600;
/** Unanswered messages a broker may send us. */
const receiveMax = 256;
/** CONNACK codes for a protocol version that is not served: 3.1.1's, and 5's. */
const wrongVersion = new Set([1, 132]);
/** SUBACK codes from here on are refusals. */
const refusedFrom = 128;

export function mqttOpener(address: MqttAddress): MqttOpen {
  return (hello, listener) => {
    let options: IClientOptions;
    try {
      options = optionsOf(address, hello);
    } catch (cause) {
      queueMicrotask(() =>
        listener.down({ message: (cause as Error).message, tryOtherVersion: false }),
      );
      return { publish() {}, close: async () => {} };
    }
    return follow(connect(address.url, options), hello, listener);
  };
}

function optionsOf(
  { user, password, passwordFile, caFile, certFile, keyFile }: MqttAddress,
  { clientId, version, will }: MqttHello & { readonly version: MqttVersion },
): IClientOptions {
  const secret = passwordFile === "" ? password : readFileSync(passwordFile, "utf8").trim();
  return {
    clientId,
    protocolVersion: version,
    clean: false,
    keepalive: keepAliveSeconds,
    connectTimeout: connectMsMax,
    reconnectPeriod: 0,
    resubscribe: false,
    queueQoSZero: false,
    timerVariant: "native",
    ...(user === "" ? {} : { username: user }),
    ...(secret === "" ? {} : { password: secret }),
    ...(caFile === "" ? {} : { ca: readFileSync(caFile) }),
    ...(certFile === "" ? {} : { cert: readFileSync(certFile) }),
    ...(keyFile === "" ? {} : { key: readFileSync(keyFile) }),
    ...(will === undefined ? {} : { will: { ...messageOf(will), qos: 1 as const } }),
    ...(version === 5 ? { properties: sessionProperties } : {}),
  };
}

const sessionProperties = {
  sessionExpiryInterval: sessionSeconds,
  receiveMaximum: receiveMax,
  maximumPacketSize: mqttPacketBytesMax,
};

function follow(client: MqttClient, hello: MqttHello, listener: MqttListener): MqttConnection {
  let isUp = false;
  let isAnswered = false;
  let isOver = false;
  let end: MqttEnd = { message: "the connection ended", tryOtherVersion: false };
  const down = (): void => {
    if (isOver) return;
    isOver = true;
    client.end(true);
    listener.down(end);
  };
  client.on("connect", () => {
    isAnswered = true;
    client.subscribe([...hello.subscriptions], { qos: 1 }, (error, granted) => {
      const problem = error?.message ?? refusedIn(granted ?? []);
      if (problem === undefined) {
        isUp = true;
        listener.up();
      } else {
        end = { message: `cannot subscribe: ${problem}`, tryOtherVersion: false };
        client.end(true);
      }
    });
  });
  client.on("message", (topic, payload) => listener.message({ topic, payload }));
  client.on("disconnect", ({ reasonCode = 0 }) => {
    end = { message: `the broker ended it with reason ${reasonCode}`, tryOtherVersion: false };
  });
  client.on("error", (error) => {
    const code = "code" in error && typeof error.code === "number" ? error.code : undefined;
    if (code !== undefined) isAnswered = true;
    end = {
      message: error.message || String(error),
      tryOtherVersion: code !== undefined && wrongVersion.has(code),
    };
    // A failed TLS handshake ends nothing by itself.
    down();
  });
  client.on("close", () => {
    // Some brokers just hang up on a version they do not know.
    const silent = !isAnswered && end.message === "the connection ended";
    if (silent)
      end = { message: "the broker hung up before it said anything", tryOtherVersion: true };
    down();
  });
  return {
    publish(message, taken) {
      if (!isUp || isOver || !client.connected) return;
      const properties =
        message.expirySeconds === undefined || client.options.protocolVersion !== 5
          ? {}
          : { properties: { messageExpiryInterval: message.expirySeconds } };
      const { topic, payload, retain } = messageOf(message);
      client.publish(topic, payload, { qos: 1, retain, ...properties }, (error) => {
        if (client.connected) taken(error?.message);
      });
    },
    async close() {
      isOver = true;
      await ended(client, isUp);
      client.stream?.destroy();
    },
  };
}

/** Waits for the broker to take what was published; not for one that says nothing any more. */
function ended(client: MqttClient, gently: boolean): Promise<void> {
  return new Promise((resolve) => {
    const cut = setTimeout(resolve, goodbyeMsMax);
    client.end(!gently, () => {
      clearTimeout(cut);
      resolve();
    });
  });
}

function messageOf({ topic, payload, retain = false }: MqttPublish) {
  const { buffer, byteOffset, byteLength } = payload;
  return { topic, payload: Buffer.from(buffer, byteOffset, byteLength), retain };
}

function refusedIn(granted: readonly ISubscriptionGrant[]): string | undefined {
  const refused = granted.find(({ qos }) => qos >= refusedFrom);
  return refused === undefined ? undefined : `${refused.topic} is refused`;
}
