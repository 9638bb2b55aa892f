#!/usr/bin/env node
/** The `brunt` command. */
import { commands } from "./commands.ts";
import { runCli } from "./line/run-cli.ts";
import { readVersion } from "./locations.ts";
import { createSystem } from "./system.ts";

/** Whatever still holds the process after a command has ended does not hold it for ever. */
const lingerMsMax = 2_000;

const program = { commands, version: readVersion() };
const code = await runCli(process.argv.slice(2), program, createSystem());
process.exitCode = code;
setTimeout(() => process.exit(code), lingerMsMax).unref();
