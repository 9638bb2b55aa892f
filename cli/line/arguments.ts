/**
 * Command lines against a command's table of options: typed values, or every problem at once.
 * `--name value`, `--name=value`, `-h`, `--` and repeated options are read by node:util parseArgs.
 */
import { parseArgs } from "node:util";
import { fail, ok, type Result } from "../../base/result.ts";
import { suggestion } from "./nearest-name.ts";

export type OptionKind = "text" | "texts" | "integer" | "number" | "flag";

export interface OptionSpec {
  readonly name: string;
  readonly kind: OptionKind;
  /** What stands for the value in `--help`, e.g. `<port>`; absent for flags. */
  readonly value?: string;
  readonly help: string;
  /** Shown in `--help` after the text. */
  readonly default?: string;
  readonly choices?: readonly string[];
  readonly min?: number;
  readonly max?: number;
  /** The configuration field this option sets, e.g. `agent.grpcPort`. */
  readonly field?: string;
}

export interface PositionalSpec {
  readonly name: string;
  readonly countMin: number;
  readonly countMax: number;
}

export interface ArgumentSpec {
  readonly options: readonly OptionSpec[];
  readonly positional?: PositionalSpec;
}

export type OptionValue = string | number | boolean | readonly string[];

export interface Arguments {
  readonly options: ReadonlyMap<string, OptionValue>;
  readonly positionals: readonly string[];
}

type Token = NonNullable<ReturnType<typeof parseArgs>["tokens"]>[number];
type OptionToken = Extract<Token, { kind: "option" }>;

export function parseArguments(
  spec: ArgumentSpec,
  argv: readonly string[],
): Result<Arguments, readonly string[]> {
  const { tokens } = parseArgs({
    args: [...argv],
    strict: false,
    tokens: true,
    allowPositionals: true,
    options: Object.fromEntries(
      spec.options.map(({ name, kind }) => [
        name,
        { type: kind === "flag" ? ("boolean" as const) : ("string" as const), multiple: true },
      ]),
    ),
  });
  const problems: string[] = [];
  const options = new Map<string, OptionValue>();
  const positionals: string[] = [];
  for (const token of tokens) {
    if (token.kind === "positional") positionals.push(token.value);
    if (token.kind === "option") addOption(token, { spec, options, problems });
  }
  checkCount(spec.positional, positionals, problems);
  return problems.length > 0 ? fail(problems) : ok({ options, positionals });
}

interface Parsing {
  readonly spec: ArgumentSpec;
  readonly options: Map<string, OptionValue>;
  readonly problems: string[];
}

function addOption(token: OptionToken, parsing: Parsing): void {
  const option = parsing.spec.options.find(({ name }) => name === token.name);
  if (option === undefined || !token.rawName.startsWith("--")) {
    const names = parsing.spec.options.map(({ name }) => name);
    parsing.problems.push(`unknown option ${token.rawName}${suggestion(token.name, names, "--")}`);
    return;
  }
  const read = readValue(option, token.value);
  if (!read.ok) {
    parsing.problems.push(`${token.rawName} ${read.error}`);
  } else if (option.kind === "texts") {
    const before = (parsing.options.get(option.name) ?? []) as readonly string[];
    parsing.options.set(option.name, [...before, read.value as string]);
  } else if (parsing.options.has(option.name) && option.kind !== "flag") {
    parsing.problems.push(`${token.rawName} is given more than once`);
  } else {
    parsing.options.set(option.name, read.value);
  }
}

function readValue(option: OptionSpec, raw: string | undefined): Result<OptionValue, string> {
  if (option.kind === "flag") {
    return raw === undefined ? ok(true) : fail(`takes no value, not ${JSON.stringify(raw)}`);
  }
  // An option where a value should be is a forgotten value, not the value.
  if (raw === undefined || raw === "" || raw.startsWith("--")) {
    return fail(`needs a value, ${option.value ?? "<value>"}`);
  }
  if (option.choices !== undefined && !option.choices.includes(raw)) {
    return fail(`must be one of ${option.choices.join(", ")}, not ${JSON.stringify(raw)}`);
  }
  if (option.kind === "text" || option.kind === "texts") return ok(raw);
  return readNumber(option, raw);
}

function readNumber(option: OptionSpec, raw: string): Result<number, string> {
  const { min = 0, max = Number.MAX_SAFE_INTEGER } = option;
  const value = Number(raw);
  const whole = option.kind === "integer";
  const valid = /^\d+(\.\d+)?$/.test(raw) && value >= min && value <= max;
  if (valid && (!whole || Number.isInteger(value))) return ok(value);
  const range = option.max === undefined ? `from ${min} on` : `from ${min} to ${max}`;
  return fail(
    `must be a ${whole ? "whole number" : "number"} ${range}, not ${JSON.stringify(raw)}`,
  );
}

function checkCount(
  spec: PositionalSpec | undefined,
  positionals: readonly string[],
  problems: string[],
): void {
  const max = spec?.countMax ?? 0;
  for (const extra of positionals.slice(max)) {
    problems.push(`unexpected argument ${JSON.stringify(extra)}`);
  }
  if (spec !== undefined && positionals.length < spec.countMin) {
    problems.push(`missing ${spec.name}`);
  }
}
