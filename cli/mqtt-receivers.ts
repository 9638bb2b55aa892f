/** A collector's ends of MQTT: at somebody's broker, at its own, both or, mostly, none. */
import type { Log } from "../base/log.ts";
import type { Meter } from "../base/meter.ts";
import type { CollectorConfig } from "../collector/config.ts";
import type { CollectorLink } from "../wire/agent-link.ts";
import { readMqttPassword } from "./line/shared-options.ts";
import { loaded, loadMqttOpener } from "./mqtt-address.ts";
import { chanceOf, type System } from "./system.ts";

export interface HostedBroker {
  readonly scheme: "mqtt" | "mqtts";
  readonly port: number;
}

export interface MqttReceivers {
  /** The broker that is hosted; undefined when none is. */
  readonly hosted: HostedBroker | undefined;
  /** Before the collector's own. */
  shutdown(): Promise<void>;
}

export interface MqttReceiversSettings {
  readonly system: System;
  readonly log: Log;
  readonly meter: Meter;
  /** The collector's own, which must have started. */
  readonly link: CollectorLink;
}

/**
 * What MQTT needs is loaded only for MQTT.
 *
 * @throws OperationalError ADDRESS_IN_USE, CONFIG_INVALID
 */
export async function startMqttReceivers(
  config: CollectorConfig,
  settings: MqttReceiversSettings,
): Promise<MqttReceivers> {
  const { mqttUrl, mqttListen, mqttListenCertFile } = config;
  if (mqttUrl === "" && mqttListen < 0) return { hosted: undefined, shutdown: async () => {} };
  const { MqttIntake } = await import("../collector/mqtt/mqtt-intake.ts");
  const { MqttAgents } = await import("../collector/mqtt/mqtt-agents.ts");
  const shared = { intake: new MqttIntake(settings), agents: new MqttAgents(settings) };
  const host = mqttListen < 0 ? undefined : await startHost(config, settings, shared);
  const client = await startClient(config, settings, shared).catch(async (error: unknown) => {
    await host?.shutdown();
    throw error;
  });
  return {
    hosted: host && { scheme: mqttListenCertFile === "" ? "mqtt" : "mqtts", port: host.port },
    async shutdown() {
      await client?.shutdown();
      await host?.shutdown();
    },
  };
}

type Shared = Pick<
  ConstructorParameters<typeof import("../collector/mqtt/broker-host.ts").BrokerHost>[0],
  "intake" | "agents"
>;

async function startHost(
  config: CollectorConfig,
  { system, log, meter, link }: MqttReceiversSettings,
  shared: Shared,
) {
  const { host, mqttListen, mqttListenCertFile, mqttListenKeyFile, mqttListenCaFile } = config;
  const { BrokerHost } = await loaded(() => import("../collector/mqtt/broker-host.ts"));
  const broker = new BrokerHost({
    ...shared,
    host,
    port: mqttListen,
    certFile: mqttListenCertFile,
    keyFile: mqttListenKeyFile,
    caFile: mqttListenCaFile,
    tokensFile: config.tokensFile,
    clock: system.clock,
    log,
    meter,
    link,
  });
  await broker.start();
  return broker;
}

async function startClient(
  config: CollectorConfig,
  { system, log, meter, link }: MqttReceiversSettings,
  shared: Shared,
) {
  const { mqttUrl, mqttClientId } = config;
  if (mqttUrl === "") return undefined;
  const { BrokerClient } = await import("../collector/mqtt/broker-client.ts");
  const password = readMqttPassword(system);
  const open = await loadMqttOpener(config, { url: mqttUrl, password, userDefault: mqttClientId });
  const { clock } = system;
  const ends = { clientId: mqttClientId, open, clock, log, meter, link };
  const client = new BrokerClient({ ...shared, ...ends, chance: chanceOf(system) });
  client.start();
  return client;
}
