/** Where an MQTT broker is and who we are there; loads what connects to it. */
import type { MqttCredentials } from "../wire/mqtt-credentials.ts";
import type { MqttOpen } from "../wire/mqtt-session.ts";
import { CommandError } from "./line/command.ts";
import { exitCodes } from "./system.ts";

export interface MqttPlace {
  readonly url: string;
  /** Empty for none. */
  readonly password: string;
  /** Who has a password has a name: the configured one, or this. */
  readonly userDefault: string;
}

/** @throws {CommandError} when the package is not installed */
export async function loadMqttOpener(
  credentials: MqttCredentials,
  { url, password, userDefault }: MqttPlace,
): Promise<MqttOpen> {
  const { mqttUser, mqttPasswordFile, mqttCaFile, mqttCertFile, mqttKeyFile } = credentials;
  const hasPassword = password !== "" || mqttPasswordFile !== "";
  const { mqttOpener } = await loaded(() => import("./mqtt-client.ts"));
  return mqttOpener({
    url,
    user: mqttUser === "" && hasPassword ? userDefault : mqttUser,
    password,
    passwordFile: mqttPasswordFile,
    caFile: mqttCaFile,
    certFile: mqttCertFile,
    keyFile: mqttKeyFile,
  });
}

/** The packages of MQTT are optional: an installation without them does everything else. */
export async function loaded<T>(load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "ERR_MODULE_NOT_FOUND") throw cause;
    const message = "MQTT needs the packages mqtt and mqtt-packet, which are not installed";
    throw new CommandError(message, exitCodes.badConfig);
  }
}
