/** `brunt token`: the tokens a collector asks for. Their texts are shown once and kept nowhere. */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import {
  createToken,
  parseTokens,
  type Scope,
  scopes,
  type Token,
  tokensMax,
} from "../../collector/access/tokens.ts";
import type { Arguments } from "../line/arguments.ts";
import { type Command, CommandError } from "../line/command.ts";
import { dataDirOption, readDataDir } from "../line/shared-options.ts";
import { exitCodes, type System } from "../system.ts";

const dayMs = 86_400_000;
const daysDefault = 90;
const daysMax = 3_650;

export const tokenCommand: Command = {
  description: [
    "create makes a token, prints it, and adds its hash to the tokens file; revoke takes a token out by name; list shows names, scopes and ends. A collector started with --tokens-file reads the file every two seconds: who is revoked is shut out, open streams included.",
    "Scopes: agent sends batches; read sees incidents, history, the stream and metrics; admin may also change things. Programs take their token from BRUNT_TOKEN.",
  ],
  positional: { name: "create|list|revoke", countMin: 1, countMax: 1 },
  options: [
    { name: "name", kind: "text", value: "<name>", help: "what to call the token" },
    {
      name: "scope",
      kind: "text",
      value: "<scope>",
      help: `one of ${scopes.join(", ")}`,
      default: "read",
    },
    {
      name: "days",
      kind: "integer",
      value: "<count>",
      help: "how long it is good for",
      default: String(daysDefault),
      min: 1,
      max: daysMax,
    },
    {
      name: "tokens-file",
      kind: "text",
      value: "<file>",
      help: "the file to change",
      default: "tokens.json in the data directory",
    },
    dataDirOption,
  ],
  examples: [
    { line: "brunt token create --name grafana", does: "a token that may read, for 90 days" },
    { line: "brunt token create --name node-7 --scope agent", does: "one for an agent" },
    { line: "brunt token revoke --name grafana", does: "shut its holder out within seconds" },
  ],
  run: runToken,
};

async function runToken(args: Arguments, system: System): Promise<number> {
  const path =
    (args.options.get("tokens-file") as string | undefined) ??
    join(readDataDir(args, system), "tokens.json");
  const tokens = readTokens(path);
  switch (args.positionals[0]) {
    case "list":
      return list(tokens, system);
    case "create":
      return create({ path, tokens, args, system });
    case "revoke":
      return revoke({ path, tokens, args, system });
    default:
      throw new CommandError("say create, list or revoke", exitCodes.usage);
  }
}

interface Change {
  readonly path: string;
  readonly tokens: readonly Token[];
  readonly args: Arguments;
  readonly system: System;
}

function list(tokens: readonly Token[], { stdout, clock }: System): number {
  for (const { name, scope, expiresMs } of tokens) {
    const end = new Date(expiresMs).toISOString();
    const state = expiresMs <= clock.nowMs() ? "ended" : "ends";
    stdout.write(`${name}  ${scope}  ${state} ${end}\n`);
  }
  if (tokens.length === 0) stdout.write("no tokens\n");
  return exitCodes.ok;
}

function create({ path, tokens, args, system }: Change): number {
  const name = nameOf(args);
  const scope = (args.options.get("scope") ?? "read") as Scope;
  if (!scopes.includes(scope)) {
    throw new CommandError(`--scope must be one of ${scopes.join(", ")}`, exitCodes.usage);
  }
  if (tokens.some((token) => token.name === name)) {
    throw new CommandError(`there is a token ${name}; revoke it first`, exitCodes.failure);
  }
  if (tokens.length >= tokensMax) {
    throw new CommandError(`${path} holds ${tokensMax} tokens, no more fit`, exitCodes.failure);
  }
  const days = (args.options.get("days") as number | undefined) ?? daysDefault;
  const expiresMs = system.clock.nowMs() + days * dayMs;
  const { text, token } = createToken({ name, scope, expiresMs }, system.randomBytes);
  writeTokens(path, [...tokens, token]);
  system.stdout.write(`${text}\n`);
  system.stderr.write(`good for ${days} days; shown this once. brunt collector needs `);
  system.stderr.write(`--tokens-file ${path}\n`);
  return exitCodes.ok;
}

function revoke({ path, tokens, args, system }: Change): number {
  const name = nameOf(args);
  const left = tokens.filter((token) => token.name !== name);
  if (left.length === tokens.length) {
    throw new CommandError(`there is no token ${name} in ${path}`, exitCodes.failure);
  }
  writeTokens(path, left);
  system.stdout.write(`${name} is revoked\n`);
  return exitCodes.ok;
}

function nameOf(args: Arguments): string {
  const name = args.options.get("name");
  if (typeof name === "string" && name !== "") return name;
  throw new CommandError("name the token with --name", exitCodes.usage);
}

/** @throws {CommandError} when there is a file and it is none of ours */
function readTokens(path: string): readonly Token[] {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw new CommandError(`cannot read ${path}: ${(cause as Error).message}`, exitCodes.failure);
  }
  const raw = parseJson(text);
  const tokens = parseTokens(raw);
  if (tokens.ok) return tokens.value;
  throw new CommandError(`${path}: ${tokens.error.message}`, exitCodes.badConfig);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** As a whole, so that a collector never reads half a file. */
function writeTokens(path: string, tokens: readonly Token[]): void {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    writeFileSync(`${path}.tmp`, `${JSON.stringify({ tokens }, null, 2)}\n`, { mode: 0o600 });
    renameSync(`${path}.tmp`, path);
  } catch (cause) {
    throw new CommandError(`cannot write ${path}: ${(cause as Error).message}`, exitCodes.failure);
  }
}
