/** What a user may set about an agent. Every field states its unit, default and reason. */
import {
  booleanField,
  defaultsOf,
  type Field,
  type Fields,
  integerField,
  parseConfig,
  textField,
  textsField,
} from "../base/config.ts";
import { fail, ok, type Result } from "../base/result.ts";
import { type MqttCredentials, mqttCredentialFields } from "../wire/mqtt-credentials.ts";
import { Secret } from "./secret.ts";

export interface AgentConfig extends MqttCredentials {
  /** How this agent calls itself in its batches; the host's name is a good choice. */
  readonly name: string;
  /** Where receivers listen. Loopback, because OTLP carries no credentials. */
  readonly host: string;
  /** OTLP/gRPC; 0 picks a free port. 4317 is what exporters expect. */
  readonly grpcPort: number;
  /** OTLP/HTTP and /metrics, /livez, /readyz; 0 picks a free port. 4318 is the standard one. */
  readonly httpPort: number;
  /** False for a replay, which feeds `ingest` itself and needs no port. */
  readonly listen: boolean;
  /**
   * Processes that receive and reduce, 1 to 64; with 1 it is the agent's own. One takes more than a
   * million spans a second, so more are for busy gateways. Bounds below are of all together.
   */
  readonly workers: number;
  /**
   * Base address of the collector, or mqtt:// or mqtts:// of a broker that it is at; an in-process
   * link does not read it.
   */
  readonly collectorUrl: string;
  /** Attribute names to aggregate by beside the built-in ones; at most 8, each multiplies keys. */
  readonly dimensions: readonly string[];
  /** Where a span, or else its resource, says whose request it was; best first. */
  readonly customerAttributes: readonly string[];
  /**
   * The SipHash key for customers: 32 hexadecimal digits, or `file:<path>` of a file that holds them.
   * Agents of one tenant share it and the collector never has it. Empty makes one at start, which
   * is right for a single agent only.
   */
  readonly hashKey: Secret;
  /** Keys per window, after which new keys are folded; bounds memory and batch size. */
  readonly keysMax: number;
  /** Service names per window; a sender that invents names must not grow memory. */
  readonly servicesMax: number;
  /** Distinct operations per window; more means identifiers in span names. */
  readonly operationsMax: number;
  /** Distinct far sides per window. */
  readonly peersMax: number;
  /** Distinct values per window for each of the user's dimensions. */
  readonly dimensionValuesMax: number;
  /** Metrics of services per window, a key each; 0 takes none. More are refused and counted. */
  readonly metricKeysMax: number;
  /** Cumulative metric series whose last point is kept, about a kilobyte each for histograms. */
  readonly metricSeriesMax: number;
  /** Whether metrics of this host are told of the services that run on it; of Linux only. */
  readonly hostMetrics: boolean;
  /**
   * How resources of spans call this host, as host.name or k8s.node.name; empty is none, and then
   * no service is known to run here.
   */
  readonly hostName: string;
  /** Spans kept for pairing, about 70 bytes each; 25 s of traffic at 16,000 spans/s by default. */
  readonly spansRememberedMax: number;
  /** Half-edges per batch; more halve the sample until they fit. */
  readonly halfEdgesMax: number;
  /** One inflated OTLP/HTTP request, bytes; the limit of other receivers, so exporters fit it. */
  readonly httpBytesMax: number;
  /** One inflated OTLP/gRPC message, bytes; the default limit of gRPC servers. */
  readonly grpcBytesMax: number;
  /** Request bodies held at one time by all connections together, bytes. */
  readonly bytesInFlightMax: number;
  /** Open connections per port. */
  readonly connectionsMax: number;
  /**
   * Where records wait for the collector, on disk; empty keeps them in memory, which does not
   * outlive the process. One agent a directory.
   */
  readonly spoolDir: string;
  /** Bytes of the spool; when one more segment does not fit, the oldest is declared lost. */
  readonly spoolBytesMax: number;
  /** Age of the oldest records in the spool, hours; the collector takes windows for 48. */
  readonly spoolHoursMax: number;
  /** Bytes of records in memory, while there is no spool or its disk fails. */
  readonly memoryBytesMax: number;
  /** One record, bytes; a larger window is split. MQTT brokers take 256 KiB well. */
  readonly recordBytesMax: number;
  /**
   * For how long a request is remembered, so that an exporter's retry of one that was taken is
   * counted once, seconds; 0 never.
   */
  readonly retrySeconds: number;
}

type RawAgentConfig = Omit<AgentConfig, "hashKey"> & { readonly hashKey: string };

const mebibyte = 1_048_576;

const defaultCustomerAttributes: readonly string[] = [
  "customer.id",
  "tenant.id",
  "user.hash",
  "enduser.pseudo.id",
  "user.id",
  "enduser.id",
  "account.id",
  "usr.id",
  "userId",
  "user",
  "session.id",
];

/** Says what is wrong without showing the value. */
const hashKeyField: Field<string> = {
  default: "",
  check: (raw) =>
    typeof raw === "string" && /^(?:|[0-9a-fA-F]{32}|file:.+)$/.test(raw)
      ? undefined
      : "must be 32 hexadecimal digits, or file:<path> of a file that holds them",
};

const fields: Fields<RawAgentConfig> = {
  name: textField({ default: "agent", pattern: /^.{1,128}$/, hint: "1 to 128 characters" }),
  host: textField({ default: "127.0.0.1", pattern: /^\S+$/, hint: "an address or a host name" }),
  grpcPort: integerField({ default: 4317, min: 0, max: 65_535 }),
  httpPort: integerField({ default: 4318, min: 0, max: 65_535 }),
  listen: booleanField({ default: true }),
  workers: integerField({ default: 1, min: 1, max: 64 }),
  collectorUrl: textField({
    default: "http://127.0.0.1:4319",
    pattern: /^(https?:\/\/\S+|mqtts?:\/\/[^\s@]+)$/,
    hint: "an http://, https://, mqtt:// or mqtts:// address",
  }),
  ...mqttCredentialFields,
  dimensions: textsField({ default: [], countMax: 8 }),
  customerAttributes: textsField({ default: defaultCustomerAttributes, countMax: 16 }),
  hashKey: hashKeyField,
  keysMax: integerField({ default: 2_000, min: 64, max: 100_000 }),
  servicesMax: integerField({ default: 512, min: 1, max: 10_000 }),
  operationsMax: integerField({ default: 1_024, min: 1, max: 100_000 }),
  peersMax: integerField({ default: 512, min: 1, max: 100_000 }),
  dimensionValuesMax: integerField({ default: 100, min: 1, max: 100_000 }),
  metricKeysMax: integerField({ default: 1_000, min: 0, max: 100_000 }),
  metricSeriesMax: integerField({ default: 20_000, min: 0, max: 1_000_000 }),
  hostMetrics: booleanField({ default: true }),
  hostName: textField({ default: "", pattern: /^.{0,253}$/, hint: "at most 253 characters" }),
  spansRememberedMax: integerField({ default: 400_000, min: 1_024, max: 16_000_000 }),
  halfEdgesMax: integerField({ default: 4_096, min: 1, max: 1_000_000 }),
  httpBytesMax: integerField({ default: 20 * mebibyte, min: 1_024, max: 256 * mebibyte }),
  grpcBytesMax: integerField({ default: 4 * mebibyte, min: 1_024, max: 256 * mebibyte }),
  bytesInFlightMax: integerField({ default: 64 * mebibyte, min: 1_024, max: 4_096 * mebibyte }),
  connectionsMax: integerField({ default: 256, min: 1, max: 65_536 }),
  spoolDir: textField({ default: "" }),
  spoolBytesMax: integerField({ default: 256 * mebibyte, min: 65_536, max: 2 ** 40 }),
  spoolHoursMax: integerField({ default: 24, min: 1, max: 48 }),
  memoryBytesMax: integerField({ default: 16 * mebibyte, min: 1_024, max: 4_096 * mebibyte }),
  recordBytesMax: integerField({ default: mebibyte, min: 65_536, max: 4 * mebibyte }),
  retrySeconds: integerField({ default: 60, min: 0, max: 3_600 }),
};

export function defaultAgentConfig(): AgentConfig {
  return withSecret(defaultsOf(fields));
}

/** The whole configuration, or every problem with its path. */
export function parseAgentConfig(
  raw: unknown,
  path = "agent",
): Result<AgentConfig, readonly string[]> {
  const parsed = parseConfig(fields, raw, path);
  if (!parsed.ok) return parsed;
  const problems = [
    ...nameProblems(parsed.value.dimensions, `${path}.dimensions`),
    ...nameProblems(parsed.value.customerAttributes, `${path}.customerAttributes`),
  ];
  return problems.length > 0 ? fail(problems) : ok(withSecret(parsed.value));
}

function nameProblems(names: readonly string[], path: string): string[] {
  const problems: string[] = [];
  for (const [index, name] of names.entries()) {
    const bytes = Buffer.byteLength(name);
    if (bytes < 1 || bytes > attributeNameBytesMax) {
      problems.push(`${path}[${index}] must be 1 to ${attributeNameBytesMax} bytes, not ${bytes}`);
    }
    if (names.indexOf(name) !== index) problems.push(`${path}[${index}] repeats ${name}`);
  }
  return problems;
}

const attributeNameBytesMax = 128;

function withSecret(raw: RawAgentConfig): AgentConfig {
  return { ...raw, hashKey: new Secret(raw.hashKey) };
}
