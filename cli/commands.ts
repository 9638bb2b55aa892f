import { agentCommand } from "./agent-command.ts";
import { collectorCommand } from "./collector-command.ts";
import type { Command } from "./command.ts";
import { demoCommand } from "./demo.ts";
import { replayCommand } from "./replay.ts";
import { startCommand } from "./start.ts";
import { watchCommand } from "./watch.ts";
import { whyCommand } from "./why.ts";

/** In the order of the overview. */
export const commands: readonly Command[] = [
  demoCommand,
  startCommand,
  agentCommand,
  collectorCommand,
  watchCommand,
  whyCommand,
  replayCommand,
];
