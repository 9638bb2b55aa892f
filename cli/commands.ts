import { agentCommand } from "./commands/agent.ts";
import { collectorCommand } from "./commands/collector.ts";
import { demoCommand } from "./commands/demo.ts";
import { replayCommand } from "./commands/replay.ts";
import { startCommand } from "./commands/start.ts";
import { watchCommand } from "./commands/watch.ts";
import { whyCommand } from "./commands/why.ts";
import type { Command } from "./line/command.ts";

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
