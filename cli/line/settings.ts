/**
 * Configuration of agent and collector from four layers, the later winning: the command's own
 * defaults, `--config <file>`, the environment (`BRUNT_AGENT_GRPC_PORT` is `agent.grpcPort`), and
 * options. All problems of all layers come back at once.
 */
import { readFileSync } from "node:fs";
import { type AgentConfig, defaultAgentConfig, parseAgentConfig } from "../../agent/config.ts";
import { fail, ok, type Result } from "../../base/result.ts";
import {
  type CollectorConfig,
  defaultCollectorConfig,
  parseCollectorConfig,
} from "../../collector/config.ts";
import { exitCodes } from "../system.ts";
import type { Arguments, OptionSpec } from "./arguments.ts";
import { CommandError } from "./command.ts";
import { suggestion } from "./nearest-name.ts";

export interface Settings {
  readonly agent: AgentConfig;
  readonly collector: CollectorConfig;
}

export interface SettingsSource {
  readonly args: Arguments;
  readonly options: readonly OptionSpec[];
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly defaults: RawSettings;
}

export interface RawSettings {
  readonly agent?: Readonly<Record<string, unknown>>;
  readonly collector?: Readonly<Record<string, unknown>>;
}

const sectionNames = ["agent", "collector"] as const;
type SectionName = (typeof sectionNames)[number];
type Layers = Record<SectionName, Map<string, unknown>>;

/** Variables that are no configuration field; each command that reads one names it in its help. */
const otherVariables = [
  "BRUNT_CONFIG",
  "BRUNT_DATA_DIR",
  "BRUNT_MQTT_PASSWORD",
  "BRUNT_SELF_TELEMETRY",
  "BRUNT_TOKEN",
  "BRUNT_URL",
];

const defaults: Record<SectionName, Readonly<Record<string, unknown>>> = {
  agent: { ...defaultAgentConfig() },
  collector: { ...defaultCollectorConfig() },
};

export function readSettings(source: SettingsSource): Result<Settings, readonly string[]> {
  const problems: string[] = [];
  const layers: Layers = {
    agent: new Map(Object.entries(source.defaults.agent ?? {})),
    collector: new Map(Object.entries(source.defaults.collector ?? {})),
  };
  const path = source.args.options.get("config") ?? source.environment.BRUNT_CONFIG;
  if (typeof path === "string" && path !== "") addFile(path, layers, problems);
  addEnvironment(source.environment, layers, problems);
  addOptions(source, layers);
  const agent = parseAgentConfig(Object.fromEntries(layers.agent));
  const collector = parseCollectorConfig(Object.fromEntries(layers.collector));
  if (!agent.ok) problems.push(...agent.error);
  if (!collector.ok) problems.push(...collector.error);
  if (!agent.ok || !collector.ok || problems.length > 0) return fail(problems);
  return ok({ agent: agent.value, collector: collector.value });
}

/** @throws {CommandError} with exit code 78 that lists every problem */
export function settingsOrThrow(source: SettingsSource): Settings {
  const settings = readSettings(source);
  if (settings.ok) return settings.value;
  throw new CommandError(settings.error.join("\n"), exitCodes.badConfig);
}

function addFile(path: string, layers: Layers, problems: string[]): void {
  const read = readJson(path);
  if (!read.ok) {
    problems.push(read.error);
    return;
  }
  for (const [name, section] of Object.entries(read.value)) {
    const known = sectionNames.find((candidate) => candidate === name);
    if (known === undefined) {
      problems.push(`${path}: ${name} is not known; known are ${sectionNames.join(", ")}`);
    } else if (!isObject(section)) {
      problems.push(`${path}: ${name} must be an object, not ${JSON.stringify(section)}`);
    } else {
      for (const [field, value] of Object.entries(section)) layers[known].set(field, value);
    }
  }
}

function readJson(path: string): Result<Record<string, unknown>, string> {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    return fail(`cannot read config ${path}: ${(error as Error).message}`);
  }
  try {
    const raw: unknown = JSON.parse(text);
    return isObject(raw) ? ok(raw) : fail(`${path}: must be a JSON object`);
  } catch (error) {
    return fail(`${path}: is not JSON: ${(error as Error).message}`);
  }
}

function isObject(raw: unknown): raw is Record<string, unknown> {
  return typeof raw === "object" && raw !== null && !Array.isArray(raw);
}

interface Variable {
  readonly section: SectionName;
  readonly field: string;
}

const variables: ReadonlyMap<string, Variable> = new Map(
  sectionNames.flatMap((section) =>
    Object.keys(defaults[section]).map((field): [string, Variable] => [
      variableOf(section, field),
      { section, field },
    ]),
  ),
);

/** agent, grpcPort -> BRUNT_AGENT_GRPC_PORT. */
function variableOf(section: string, field: string): string {
  const words = field.replace(/[A-Z]/g, (capital) => `_${capital}`);
  return `BRUNT_${section}_${words}`.toUpperCase();
}

function addEnvironment(
  environment: SettingsSource["environment"],
  layers: Layers,
  problems: string[],
): void {
  for (const [name, text] of Object.entries(environment)) {
    if (!name.startsWith("BRUNT_") || text === undefined || isServiceLink(name, text)) continue;
    if (otherVariables.includes(name)) continue;
    const variable = variables.get(name);
    if (variable === undefined) {
      const hint = suggestion(name, [...variables.keys(), ...otherVariables]);
      problems.push(`environment: ${name} is not known${hint}`);
    } else {
      const { section, field } = variable;
      layers[section].set(field, typedText(text, defaults[section][field]));
    }
  }
}

/**
 * Kubernetes describes each Service to the pods beside it: one named `brunt-collector` sets
 * BRUNT_COLLECTOR_PORT=tcp://10.0.0.1:4319, which no user meant as our port.
 */
function isServiceLink(name: string, text: string): boolean {
  return (
    /^(tcp|udp|sctp):\/\//.test(text) ||
    /_SERVICE_(HOST|PORT(_\w+)?)$|_PORT_\d+_(TCP|UDP|SCTP)(_\w+)?$/.test(name)
  );
}

/** Text as the type of the field's default; what does not fit stays text and is refused as such. */
function typedText(text: string, example: unknown): unknown {
  if (typeof example === "number" && /^-?\d+(\.\d+)?$/.test(text)) return Number(text);
  if (typeof example === "boolean" && /^(true|false)$/.test(text)) return text === "true";
  if (Array.isArray(example)) return text === "" ? [] : text.split(",").map((item) => item.trim());
  return text;
}

function addOptions({ args, options }: SettingsSource, layers: Layers): void {
  for (const { name, field } of options) {
    const value = args.options.get(name);
    if (field === undefined || value === undefined) continue;
    const [section, key] = field.split(".") as [SectionName, string];
    layers[section].set(key, value);
  }
}

/** The value of an option, or of its variable, or the default. */
export function textOption(
  source: Pick<SettingsSource, "args" | "environment">,
  names: { readonly option: string; readonly variable?: string; readonly default: string },
): string {
  const given = source.args.options.get(names.option);
  if (typeof given === "string") return given;
  const text = names.variable === undefined ? undefined : source.environment[names.variable];
  return text === undefined || text === "" ? names.default : text;
}
