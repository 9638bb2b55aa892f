/**
 * Configuration: a table of fields, each with its unit, range and default, checked as a whole. All
 * problems come back at once, each with its path; an unknown name is one of them.
 */
import { fail, ok, type Result } from "./result.ts";

export interface Field<T> {
  readonly default: T;
  /** What is wrong with the raw value, as a phrase after its path; undefined when nothing is. */
  check(raw: unknown): string | undefined;
}

export type Fields<T> = { readonly [K in keyof T]-?: Field<T[K]> };

export function integerField(options: {
  default: number;
  min: number;
  max: number;
}): Field<number> {
  const { min, max } = options;
  return {
    default: options.default,
    check: (raw) =>
      Number.isInteger(raw) && (raw as number) >= min && (raw as number) <= max
        ? undefined
        : `must be a whole number from ${min} to ${max}, not ${show(raw)}`,
  };
}

export function numberField(options: { default: number; min: number; max: number }): Field<number> {
  const { min, max } = options;
  return {
    default: options.default,
    check: (raw) =>
      typeof raw === "number" && raw >= min && raw <= max
        ? undefined
        : `must be a number from ${min} to ${max}, not ${show(raw)}`,
  };
}

export function textField(options: {
  default: string;
  pattern?: RegExp;
  hint?: string;
}): Field<string> {
  return {
    default: options.default,
    check: (raw) =>
      typeof raw === "string" && (options.pattern?.test(raw) ?? true)
        ? undefined
        : `must be ${options.hint ?? "text"}, not ${show(raw)}`,
  };
}

export function booleanField(options: { default: boolean }): Field<boolean> {
  return {
    default: options.default,
    check: (raw) =>
      typeof raw === "boolean" ? undefined : `must be true or false, not ${show(raw)}`,
  };
}

/** `isItem` says whether one text may be among them, `hint` what they must be. */
export function textsField(options: {
  default: readonly string[];
  countMax: number;
  isItem?: (text: string) => boolean;
  hint?: string;
  /** They may hold secrets, which are for no log. */
  isSecret?: boolean;
}): Field<readonly string[]> {
  const { countMax, isItem = () => true, hint = "texts", isSecret = false } = options;
  return {
    default: options.default,
    check: (raw) =>
      Array.isArray(raw) &&
      raw.length <= countMax &&
      raw.every((item) => typeof item === "string" && isItem(item))
        ? undefined
        : `must be a list of at most ${countMax} ${hint}${isSecret ? "" : `, not ${show(raw)}`}`,
  };
}

/** The defaults of every field. */
export function defaultsOf<T extends object>(fields: Fields<T>): T {
  return Object.fromEntries(entriesOf(fields).map(([name, field]) => [name, field.default])) as T;
}

/** A complete configuration: `raw` over the defaults, or every problem with its path. */
export function parseConfig<T extends object>(
  fields: Fields<T>,
  raw: unknown,
  path = "config",
): Result<T, readonly string[]> {
  if (typeof raw !== "object" || raw === null || Array.isArray(raw)) {
    return fail([`${path} must be an object, not ${show(raw)}`]);
  }
  const given = new Map<string, unknown>(Object.entries(raw));
  const known = new Map<string, Field<unknown>>(entriesOf(fields));
  const problems: string[] = [];
  const values: [string, unknown][] = [];
  for (const [name, field] of known) {
    const value = given.get(name);
    const problem = value === undefined ? undefined : field.check(value);
    if (problem !== undefined) problems.push(`${path}.${name} ${problem}`);
    values.push([name, value ?? field.default]);
  }
  for (const name of given.keys()) {
    if (!known.has(name)) {
      problems.push(`${path}.${name} is not known; known are ${[...known.keys()].join(", ")}`);
    }
  }
  return problems.length > 0 ? fail(problems) : ok(Object.fromEntries(values) as T);
}

function entriesOf<T extends object>(fields: Fields<T>): [string, Field<unknown>][] {
  return Object.entries(fields) as [string, Field<unknown>][];
}

function show(raw: unknown): string {
  return JSON.stringify(raw) ?? String(raw);
}
