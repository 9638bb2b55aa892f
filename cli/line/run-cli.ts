/** From a command line to an exit code. */
import { OperationalError } from "../../base/errors.ts";
import { exitCodes, type System } from "../system.ts";
import { parseArguments } from "./arguments.ts";
import { type Command, type CommandEntry, CommandError, helpOption } from "./command.ts";
import { renderHelp, renderOverview } from "./help.ts";
import { suggestion } from "./nearest-name.ts";

export interface Program {
  readonly commands: readonly CommandEntry[];
  readonly version: string;
}

export async function runCli(
  argv: readonly string[],
  program: Program,
  system: System,
): Promise<number> {
  const [name, ...rest] = argv;
  if (name === undefined) {
    system.stderr.write(renderOverview(program.commands, system.stderr));
    return exitCodes.usage;
  }
  if (name === "--help" || name === "help") return showHelp(rest[0], program, system);
  if (name === "--version") {
    system.stdout.write(`brunt ${program.version}\n`);
    return exitCodes.ok;
  }
  const entry = program.commands.find((candidate) => candidate.name === name);
  if (entry === undefined) return refuseCommand(name, program, system);
  return runCommand(entry, rest, system);
}

async function showHelp(
  name: string | undefined,
  program: Program,
  system: System,
): Promise<number> {
  if (name === undefined) {
    system.stdout.write(renderOverview(program.commands, system.stdout));
    return exitCodes.ok;
  }
  const entry = program.commands.find((candidate) => candidate.name === name);
  if (entry === undefined) return refuseCommand(name, program, system);
  system.stdout.write(renderHelp(name, withHelp(await entry.load()), system.stdout));
  return exitCodes.ok;
}

function refuseCommand(name: string, program: Program, system: System): number {
  const names = program.commands.map((command) => command.name);
  const kind = name.startsWith("-") ? "option" : "command";
  const hint =
    kind === "option" ? suggestion(name, ["--help", "--version"]) : suggestion(name, names);
  system.stderr.write(
    `brunt: unknown ${kind} ${JSON.stringify(name)}${hint}\ncommands: ${names.join(", ")}\n`,
  );
  return exitCodes.usage;
}

async function runCommand(
  { name, load }: CommandEntry,
  argv: readonly string[],
  system: System,
): Promise<number> {
  const command = withHelp(await load());
  const wantsHelp = argv.slice(0, endOfOptions(argv)).includes("--help");
  if (wantsHelp) {
    system.stdout.write(renderHelp(name, command, system.stdout));
    return exitCodes.ok;
  }
  const parsed = parseArguments(command, argv);
  if (!parsed.ok) {
    for (const problem of parsed.error) system.stderr.write(`brunt ${name}: ${problem}\n`);
    system.stderr.write(`brunt ${name} --help shows what there is\n`);
    return exitCodes.usage;
  }
  return orExitCode(name, system, () => command.run(parsed.value, system));
}

/** The exit code of a run, or of the failure that ended it. */
async function orExitCode(
  name: string,
  system: System,
  run: () => Promise<number>,
): Promise<number> {
  try {
    return await run();
  } catch (error) {
    if (error instanceof CommandError) {
      for (const line of error.message.split("\n")) {
        system.stderr.write(`brunt ${name}: ${line}\n`);
      }
      return error.exitCode;
    }
    if (error instanceof OperationalError) {
      system.stderr.write(`brunt ${name}: ${error.message} (${error.code})\n`);
      return exitCodes.failure;
    }
    throw error;
  }
}

function withHelp(command: Command): Command {
  return { ...command, options: [...command.options, helpOption] };
}

function endOfOptions(argv: readonly string[]): number {
  const index = argv.indexOf("--");
  return index < 0 ? argv.length : index;
}
