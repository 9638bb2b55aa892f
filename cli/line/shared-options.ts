/** Options that several commands share, each with the configuration field it sets. */

import { readVersion } from "../locations.ts";
import { noObserver, type Observer } from "../observer.ts";
import type { System } from "../system.ts";
import type { Arguments, OptionSpec } from "./arguments.ts";
import { textOption } from "./settings.ts";

const portRange = { min: 0, max: 65_535 };

export const agentOptions: readonly OptionSpec[] = [
  {
    name: "grpc-port",
    kind: "integer",
    value: "<port>",
    help: "where OTLP/gRPC is received; 0 picks a free port",
    default: "4317",
    field: "agent.grpcPort",
    ...portRange,
  },
  {
    name: "http-port",
    kind: "integer",
    value: "<port>",
    help: "where OTLP/HTTP is received; 0 picks a free port",
    default: "4318",
    field: "agent.httpPort",
    ...portRange,
  },
  {
    name: "dimension",
    kind: "texts",
    value: "<attribute>",
    help: "an attribute to aggregate and isolate by, beside the built-in ones; at most 8",
    field: "agent.dimensions",
  },
  {
    name: "customer-attribute",
    kind: "texts",
    value: "<attribute>",
    help: "an attribute that names the customer, best first, in place of the built-in ladder",
    field: "agent.customerAttributes",
  },
];

export const workersOption: OptionSpec = {
  name: "workers",
  kind: "integer",
  value: "<count>",
  help: "processes that receive and reduce OTLP on the same ports",
  default: "1",
  field: "agent.workers",
  min: 1,
  max: 64,
};

export const collectorOptions: readonly OptionSpec[] = [
  {
    name: "port",
    kind: "integer",
    value: "<port>",
    help: "where the API, the stream, the user interface and batches are served; 0 picks a free port",
    default: "4319",
    field: "collector.port",
    ...portRange,
  },
  {
    name: "webhook",
    kind: "texts",
    value: "<url>",
    help: "post alerts to this address as JSON; docs/alerts.md has the schema",
    field: "collector.webhooks",
  },
  {
    name: "alertmanager",
    kind: "texts",
    value: "<url>",
    help: "post alerts to this Alertmanager",
    field: "collector.alertmanagers",
  },
];

/** Where a command joins an MQTT broker, for the section of its configuration. */
export function mqttCredentialOptions(section: "agent" | "collector"): readonly OptionSpec[] {
  const file = { kind: "text", value: "<file>" } as const;
  return [
    {
      name: "mqtt-user",
      kind: "text",
      value: "<name>",
      help: "user at the MQTT broker; its password is BRUNT_MQTT_PASSWORD or in --mqtt-password-file",
      field: `${section}.mqttUser`,
    },
    {
      ...file,
      name: "mqtt-password-file",
      help: "holds the password for the MQTT broker",
      field: `${section}.mqttPasswordFile`,
    },
    {
      ...file,
      name: "mqtt-ca",
      help: "PEM of who signed the broker's certificate, for mqtts://",
      default: "the system's authorities",
      field: `${section}.mqttCaFile`,
    },
    {
      ...file,
      name: "mqtt-cert",
      help: "PEM of a certificate of our own, for mqtts://",
      field: `${section}.mqttCertFile`,
    },
    {
      ...file,
      name: "mqtt-key",
      help: "PEM of that certificate's key",
      field: `${section}.mqttKeyFile`,
    },
  ];
}

export const collectorMqttOptions: readonly OptionSpec[] = [
  {
    name: "mqtt",
    kind: "text",
    value: "<url>",
    help: "hear agents at this MQTT broker too, mqtt:// or mqtts://",
    field: "collector.mqttUrl",
  },
  {
    name: "mqtt-listen",
    kind: "integer",
    value: "<port>",
    help: "host an MQTT broker for agents on this port; 0 picks a free port",
    default: "off",
    field: "collector.mqttListen",
    ...portRange,
  },
  ...mqttCredentialOptions("collector"),
];

/** From the environment alone: a command line can be read by everybody on the machine. */
export function readMqttPassword({ environment }: System): string {
  return environment.BRUNT_MQTT_PASSWORD?.trim() ?? "";
}

export const tokensFileOption: OptionSpec = {
  name: "tokens-file",
  kind: "text",
  value: "<file>",
  help: "ask for tokens of this file, which brunt token makes; without it everybody may read",
  default: "none",
  field: "collector.tokensFile",
};

export const dataDirOption: OptionSpec = {
  name: "data-dir",
  kind: "text",
  value: "<directory>",
  help: "where everything that must outlive a restart is kept; BRUNT_DATA_DIR sets it too",
  default: ".brunt",
};

export const selfTelemetryOption: OptionSpec = {
  name: "self-telemetry",
  kind: "text",
  value: "<url>",
  help: "send our own traces and metrics to this OTLP/HTTP address, which may be brunt itself",
  default: "off",
};

export function readDataDir(args: Arguments, { environment }: System): string {
  const names = { option: "data-dir", variable: "BRUNT_DATA_DIR", default: ".brunt" };
  return textOption({ args, environment }, names);
}

/** From the environment alone: a command line can be read by everybody on the machine. */
export function readToken({ environment }: System): string | undefined {
  const token = environment.BRUNT_TOKEN?.trim();
  return token === "" ? undefined : token;
}

export async function readSelfTelemetry(
  args: Arguments,
  { environment }: System,
): Promise<Observer> {
  const names = { option: "self-telemetry", variable: "BRUNT_SELF_TELEMETRY", default: "" };
  const endpoint = textOption({ args, environment }, names);
  if (endpoint === "") return noObserver;
  const { startSelfTelemetry } = await import("../self-telemetry.ts");
  return startSelfTelemetry({ endpoint, version: readVersion() });
}
