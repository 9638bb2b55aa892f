/** What a user may set on a collector. Sizes in bytes, times in the unit the name ends with. */
import {
  defaultsOf,
  type Fields,
  integerField,
  numberField,
  parseConfig,
  textField,
  textsField,
} from "../base/config.ts";
import type { Result } from "../base/result.ts";
import { type MqttCredentials, mqttCredentialFields } from "../wire/mqtt-credentials.ts";
import { isTargetEntry } from "./notify/address-guard.ts";

export interface CollectorConfig extends MqttCredentials {
  /** Address to listen on; loopback unless the user says otherwise. */
  readonly host: string;
  /** 0 picks a free port. */
  readonly port: number;
  /** Host names browsers may use besides the loopback ones while listening on loopback. */
  readonly allowedHosts: readonly string[];
  /** File of tokens, as `brunt token` makes it; empty lets everybody in, which is for loopback. */
  readonly tokensFile: string;
  /** Directory of the embedded store; made when absent. */
  readonly dataDir: string;
  /** How long closed windows are kept as agents send them. */
  readonly retentionHours: number;
  /** How long the same is kept by the minute, by ten minutes and by the hour. */
  readonly minuteRetentionDays: number;
  readonly tenMinuteRetentionDays: number;
  readonly hourRetentionDays: number;
  /** Bytes of the whole store; above, the oldest windows of the finest levels go first. */
  readonly storeBytesMax: number;
  /** Directory with the built user interface; absent means the API alone is served. */
  readonly uiDir: string;
  /** Page gate: an incident with fewer customers affected is shown but pages nobody. */
  readonly customersMin: number;
  /** So many incidents a week may be chance: what opens one must be that unlikely. */
  readonly falsePagesPerWeek: number;
  /** Length of a window; agents must use the same. */
  readonly windowLengthMs: number;
  /** Composite keys of one window before the least important dimensions are folded. */
  readonly keysMax: number;
  /** Half-edges kept for one window. */
  readonly halfEdgesMax: number;
  /** Agent streams remembered. */
  readonly streamsMax: number;
  /** Bytes of batches being received and made durable at one time. */
  readonly inFlightBytesMax: number;
  /** WebSocket clients of the event stream. */
  readonly streamClientsMax: number;
  /** mqtt:// or mqtts:// of a broker where agents are heard; empty for none. */
  readonly mqttUrl: string;
  /** How the collector calls itself there; the broker lets one of a name in. */
  readonly mqttClientId: string;
  /** Port of a broker that the collector hosts itself, on `host`; 0 picks a free one, -1 hosts none. */
  readonly mqttListen: number;
  /** PEM files of the hosted broker: its certificate and key, for TLS; who signs agents' own. */
  readonly mqttListenCertFile: string;
  readonly mqttListenKeyFile: string;
  readonly mqttListenCaFile: string;
  /** Addresses that alerts are posted to as JSON; private ones only where allowed below. */
  readonly webhooks: readonly string[];
  /** Alertmanagers that alerts are posted to; wherever they are. */
  readonly alertmanagers: readonly string[];
  /** Hosts, addresses or ranges such as `10.1.0.0/16` that webhooks may lead to though private. */
  readonly allowedTargets: readonly string[];
}

/** What a small machine can spare. */
export const storeBytesMaxDefault = 20 * 2 ** 30;
/** Each has a connection, a queue and metrics of its own. */
const notifiersMax = 8;

function webAddresses() {
  return textsField({
    ...{ default: [], countMax: notifiersMax, isItem: isWebAddress },
    hint: "http or https addresses",
    isSecret: true,
  });
}

function isWebAddress(text: string): boolean {
  return URL.canParse(text) && /^https?:$/.test(new URL(text).protocol);
}

const fields: Fields<CollectorConfig> = {
  host: textField({ default: "127.0.0.1", pattern: /^[\w.:-]+$/, hint: "a host or address" }),
  port: integerField({ default: 4319, min: 0, max: 65_535 }),
  allowedHosts: textsField({ default: [], countMax: 32 }),
  tokensFile: textField({ default: "", pattern: /^[^\0]*$/, hint: "a file" }),
  dataDir: textField({ default: "brunt-data", pattern: /^[^\0]+$/, hint: "a directory" }),
  // Two days: as long as late data is still taken into history.
  retentionHours: integerField({ default: 48, min: 1, max: 8_784 }),
  // Two weeks to look at an incident closely, a quarter to compare, a year and a month for seasons.
  minuteRetentionDays: integerField({ default: 14, min: 1, max: 3_660 }),
  tenMinuteRetentionDays: integerField({ default: 90, min: 1, max: 3_660 }),
  hourRetentionDays: integerField({ default: 400, min: 1, max: 3_660 }),
  storeBytesMax: integerField({ default: storeBytesMaxDefault, min: 2 ** 26, max: 2 ** 50 }),
  uiDir: textField({ default: "dist/ui", pattern: /^[^\0]*$/, hint: "a directory" }),
  // One misbehaving customer must not wake anybody.
  customersMin: integerField({ default: 5, min: 1, max: 1_000_000 }),
  // One a week is as often as people still believe what wakes them.
  falsePagesPerWeek: numberField({ default: 1, min: 0.001, max: 1_000 }),
  windowLengthMs: integerField({ default: 10_000, min: 1_000, max: 600_000 }),
  keysMax: integerField({ default: 100_000, min: 100, max: 1_000_000 }),
  halfEdgesMax: integerField({ default: 200_000, min: 0, max: 10_000_000 }),
  streamsMax: integerField({ default: 10_000, min: 1, max: 100_000 }),
  inFlightBytesMax: integerField({ default: 64 * 2 ** 20, min: 4 * 2 ** 20, max: 2 ** 33 }),
  streamClientsMax: integerField({ default: 500, min: 1, max: 10_000 }),
  mqttUrl: textField({
    default: "",
    pattern: /^(mqtts?:\/\/[^\s@]+)?$/,
    hint: "an mqtt:// or mqtts:// address, without a user",
  }),
  mqttClientId: textField({
    default: "brunt-collector",
    pattern: /^[^\0]{1,128}$/,
    hint: "1 to 128 characters",
  }),
  ...mqttCredentialFields,
  mqttListen: integerField({ default: -1, min: -1, max: 65_535 }),
  mqttListenCertFile: textField({ default: "", pattern: /^[^\0]*$/, hint: "a file" }),
  mqttListenKeyFile: textField({ default: "", pattern: /^[^\0]*$/, hint: "a file" }),
  mqttListenCaFile: textField({ default: "", pattern: /^[^\0]*$/, hint: "a file" }),
  webhooks: webAddresses(),
  alertmanagers: webAddresses(),
  allowedTargets: textsField({
    ...{ default: [], countMax: 32, isItem: isTargetEntry },
    hint: "hosts, addresses or ranges",
  }),
};

export function defaultCollectorConfig(): CollectorConfig {
  return defaultsOf(fields);
}

/** A complete configuration, or every problem in `raw` with its path. */
export function parseCollectorConfig(raw: unknown): Result<CollectorConfig, readonly string[]> {
  return parseConfig(fields, raw, "collector");
}
