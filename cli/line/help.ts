/** `--help`, for the program and for each command, from the tables the parser itself reads. */

import { type Terminal, wrapText } from "../terminal/terminal.ts";
import type { OptionSpec } from "./arguments.ts";
import type { Command, CommandEntry } from "./command.ts";

const widthMax = 100;

export function renderOverview(commands: readonly CommandEntry[], terminal: Terminal): string {
  const { bold, dim } = terminal.style;
  const width = Math.max(...commands.map(({ name }) => name.length));
  const rows = commands.map(({ name, summary }) => `  ${bold(name.padEnd(width))}  ${summary}`);
  return [
    `${bold("brunt")}: which customers are hurting, where exactly, and why`,
    "",
    `usage: brunt <command> [options]`,
    "",
    ...rows,
    "",
    dim("brunt <command> --help explains a command; brunt --version prints the version"),
    "",
  ].join("\n");
}

export function renderHelp(name: string, command: Command, terminal: Terminal): string {
  const { bold, dim } = terminal.style;
  const width = Math.min(terminal.columns, widthMax);
  const lines = [`usage: ${usageOf(name, command)}`, ""];
  for (const paragraph of command.description) lines.push(...wrapText(paragraph, width), "");
  lines.push(bold("options"), ...optionLines(command.options, width), "");
  if (command.examples.length > 0) {
    lines.push(bold("examples"));
    for (const { line, does } of command.examples) lines.push(`  ${line}`, `      ${dim(does)}`);
    lines.push("");
  }
  return lines.join("\n");
}

function usageOf(name: string, command: Command): string {
  const { positional } = command;
  const tail = positional === undefined ? "" : ` ${positionalText(positional)}`;
  return `brunt ${name}${tail} [options]`;
}

function positionalText(positional: NonNullable<Command["positional"]>): string {
  const text = positional.countMax > 1 ? `${positional.name}…` : positional.name;
  return positional.countMin === 0 ? `[${text}]` : text;
}

function optionLines(options: readonly OptionSpec[], width: number): string[] {
  const heads = options.map((option) =>
    [`--${option.name}`, option.value].filter(Boolean).join(" "),
  );
  const indent = Math.max(...heads.map((head) => head.length)) + 4;
  return options.flatMap((option, index) => {
    const text = wrapText(optionText(option), Math.max(30, width - indent));
    const head = `  ${heads[index] ?? ""}`.padEnd(indent);
    return text.map((line, row) => `${row === 0 ? head : " ".repeat(indent)}${line}`);
  });
}

function optionText(option: OptionSpec): string {
  const parts = [option.help];
  if (option.choices !== undefined) parts.push(`one of ${option.choices.join(", ")}`);
  if (option.kind === "texts") parts.push("may be repeated");
  if (option.default !== undefined) parts.push(`default ${option.default}`);
  return parts.join("; ");
}
