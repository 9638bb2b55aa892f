/** What every command is: a table of arguments, its help, and a function to an exit code. */

import type { System } from "../system.ts";
import type { ArgumentSpec, Arguments, OptionSpec } from "./arguments.ts";

export interface Command extends ArgumentSpec {
  /** Paragraphs for the command's own help. */
  readonly description: readonly string[];
  readonly examples: readonly { readonly line: string; readonly does: string }[];
  run(args: Arguments, system: System): Promise<number>;
}

/** What is known of a command before its code is loaded. */
export interface CommandEntry {
  readonly name: string;
  /** One line for the overview. */
  readonly summary: string;
  load(): Promise<Command>;
}

/** A failure to be told in one line, without a stack. */
export class CommandError extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode: number) {
    super(message);
    this.exitCode = exitCode;
  }
}

export const helpOption: OptionSpec = {
  name: "help",
  kind: "flag",
  help: "show this help",
};

export const urlOption: OptionSpec = {
  name: "url",
  kind: "text",
  value: "<url>",
  help: "where the collector's API is; BRUNT_URL sets it too",
  default: "http://127.0.0.1:4319",
};

export const configOption: OptionSpec = {
  name: "config",
  kind: "text",
  value: "<file>",
  help: "JSON file with sections agent and collector; environment and options win over it",
};
