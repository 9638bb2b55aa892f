/** How an agent or a collector shows an MQTT broker who it is: fields of either's configuration. */
import { type Fields, textField } from "../base/config.ts";

export interface MqttCredentials {
  /** Empty for none; with a password it is the agent's name, unless it is given. */
  readonly mqttUser: string;
  /** Holds the password; empty for none, or one from the environment. */
  readonly mqttPasswordFile: string;
  /** PEM files: the broker's authority, and a certificate of our own; empty for the system's, none. */
  readonly mqttCaFile: string;
  readonly mqttCertFile: string;
  readonly mqttKeyFile: string;
}

const fileField = textField({ default: "", pattern: /^[^\0]*$/, hint: "a file" });

export const mqttCredentialFields: Fields<MqttCredentials> = {
  mqttUser: textField({ default: "", pattern: /^[^\0]{0,256}$/, hint: "up to 256 characters" }),
  mqttPasswordFile: fileField,
  mqttCaFile: fileField,
  mqttCertFile: fileField,
  mqttKeyFile: fileField,
};
