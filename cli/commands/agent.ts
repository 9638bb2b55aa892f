/** `brunt agent`: the agent alone, sending to a collector elsewhere. */
import { createHttpLink } from "../../agent/export/http-link.ts";
import { createMeter } from "../../base/meter.ts";
import { loadAgentFactory } from "../agent-factory.ts";
import { renderBanner } from "../banner.ts";
import { agentName, hashKeyPath, makeHashKey } from "../identity.ts";
import type { Arguments } from "../line/arguments.ts";
import { type Command, configOption } from "../line/command.ts";
import { settingsOrThrow } from "../line/settings.ts";
import {
  agentOptions,
  dataDirOption,
  readDataDir,
  readSelfTelemetry,
  selfTelemetryOption,
  workersOption,
} from "../line/shared-options.ts";
import { commandName } from "../locations.ts";
import { aborted, exitCodes, type System } from "../system.ts";
import { createTerminalLog } from "../terminal/terminal-log.ts";

const options = [
  {
    name: "collector",
    kind: "text",
    value: "<url>",
    help: "base address of the collector",
    default: "http://127.0.0.1:4319",
    field: "agent.collectorUrl",
  },
  configOption,
  dataDirOption,
  ...agentOptions,
  workersOption,
  selfTelemetryOption,
] as const;

export const agentCommand: Command = {
  description: [
    "Receives OTLP on this node, reduces it to sketches and sends those to the collector. Raw spans and customer names stay here.",
    "All agents of one collector must hash customers with one key: give each the same 32 hexadecimal digits as BRUNT_AGENT_HASH_KEY, or file:<path> of a file that holds them. Without it a key is made below the data directory, which is right for a single agent only.",
  ],
  options,
  examples: [
    {
      line: "brunt agent --collector http://collector.internal:4319",
      does: "receive on this node's loopback, send there",
    },
  ],
  run: runAgent,
};

async function runAgent(args: Arguments, system: System): Promise<number> {
  const { clock, stdout, stderr, environment, randomBytes } = system;
  const hashKey = `file:${hashKeyPath(readDataDir(args, system))}`;
  const defaults = { agent: { name: agentName(), hashKey } };
  const settings = settingsOrThrow({ args, options, environment, defaults }).agent;
  const observer = await readSelfTelemetry(args, system);
  makeHashKey(settings, { args, system });
  const httpLink = createHttpLink(settings.collectorUrl);
  const link = observer.observeLink(httpLink);
  const meter = createMeter();
  const createAgent = await loadAgentFactory(settings);
  const agent = createAgent(settings, {
    clock,
    log: createTerminalLog(stderr, clock),
    meter,
    link,
    randomBytes,
  });
  await agent.start();
  observer.observeMeter(meter);
  const { grpc, http } = agent.ports;
  const addresses = { host: settings.host, grpcPort: grpc, httpPort: http };
  const banner = renderBanner(addresses, { command: commandName, terminal: stdout });
  stdout.write(
    `${stdout.style.bold("agent is up")}, sends to ${settings.collectorUrl}\n\n${banner}`,
  );
  await aborted(system.stop);
  stdout.write("stopping, sending what waits …\n");
  await agent.shutdown();
  await observer.shutdown();
  httpLink.close();
  return exitCodes.ok;
}
