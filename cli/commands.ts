/** The commands there are. Each loads its own code, so that a lean one does not load the others'. */
import type { CommandEntry } from "./line/command.ts";

/** In the order of the overview. */
export const commands: readonly CommandEntry[] = [
  {
    name: "demo",
    summary: "start a shop of real services, break it, and watch",
    load: async () => (await import("./commands/demo.ts")).demoCommand,
  },
  {
    name: "start",
    summary: "run agent and collector in one process",
    load: async () => (await import("./commands/start.ts")).startCommand,
  },
  {
    name: "agent",
    summary: "receive OTLP here, send sketches to a collector elsewhere",
    load: async () => (await import("./commands/agent.ts")).agentCommand,
  },
  {
    name: "collector",
    summary: "merge the sketches of agents, find incidents, serve API and user interface",
    load: async () => (await import("./commands/collector.ts")).collectorCommand,
  },
  {
    name: "token",
    summary: "make, list and revoke the tokens a collector asks for",
    load: async () => (await import("./commands/token.ts")).tokenCommand,
  },
  {
    name: "watch",
    summary: "follow incidents as they open, change and resolve",
    load: async () => (await import("./commands/watch.ts")).watchCommand,
  },
  {
    name: "why",
    summary: "the root-cause graph of an incident or a service, with its evidence",
    load: async () => (await import("./commands/why.ts")).whyCommand,
  },
  {
    name: "doctor",
    summary: "is everything well, and is every span accounted for",
    load: async () => (await import("./commands/doctor.ts")).doctorCommand,
  },
  {
    name: "replay",
    summary: "run recorded OTLP through detection in event time",
    load: async () => (await import("./commands/replay.ts")).replayCommand,
  },
];
