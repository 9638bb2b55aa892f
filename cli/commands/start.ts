/** `brunt start`: agent and collector in one process. */
import { join } from "node:path";
import { loadAgentFactory } from "../agent-factory.ts";
import { renderBanner } from "../banner.ts";
import { createBrunt } from "../brunt.ts";
import { agentName, hashKeyPath, hostName, makeHashKey, spoolPath } from "../identity.ts";
import type { Arguments } from "../line/arguments.ts";
import { type Command, configOption } from "../line/command.ts";
import { type Settings, settingsOrThrow } from "../line/settings.ts";
import {
  agentOptions,
  collectorMqttOptions,
  collectorOptions,
  dataDirOption,
  readDataDir,
  readSelfTelemetry,
  selfTelemetryOption,
  tokensFileOption,
  workersOption,
} from "../line/shared-options.ts";
import { commandName, uiDirectory } from "../locations.ts";
import { startMqttReceivers } from "../mqtt-receivers.ts";
import { hostReader } from "../read-proc.ts";
import { aborted, exitCodes, type System } from "../system.ts";
import { createTerminalLog } from "../terminal/terminal-log.ts";

const options = [
  configOption,
  dataDirOption,
  ...agentOptions,
  ...collectorOptions,
  tokensFileOption,
  workersOption,
  selfTelemetryOption,
  ...collectorMqttOptions,
];

export const startCommand: Command = {
  description: [
    "Receives OTLP, reduces it to sketches, detects, isolates and explains, and serves the API and the user interface; all on loopback, stored below the data directory.",
    "Every configuration field can be set in the file, as an environment variable (BRUNT_AGENT_KEYS_MAX is agent.keysMax), or, where there is one, by an option; the later wins.",
  ],
  options,
  examples: [
    { line: "brunt start", does: "on the default ports" },
    {
      line: "brunt start --dimension card.type --customer-attribute customer.id",
      does: "isolate by an attribute of your own, and count customers by another",
    },
  ],
  run: runStart,
};

async function runStart(args: Arguments, system: System): Promise<number> {
  const settings = readStartSettings(args, system);
  const observer = await readSelfTelemetry(args, system);
  makeHashKey(settings.agent, { args, system });
  const { clock, disk, stdout, stderr, randomBytes } = system;
  const log = createTerminalLog(stderr, clock);
  const createAgent = await loadAgentFactory(settings.agent);
  const brunt = createBrunt({
    ...{ settings, clock, disk, log, observer, randomBytes, createAgent },
    ...hostReader(),
  });
  await brunt.start();
  const { meter, collector } = brunt;
  const receivers = { system, log, meter, link: collector.link };
  const mqtt = await startMqttReceivers(settings.collector, receivers).catch(
    async (error: unknown) => {
      await brunt.shutdown();
      throw error;
    },
  );
  const { grpc, http } = brunt.agent.ports;
  const addresses = {
    host: settings.collector.host,
    grpcPort: grpc,
    httpPort: http,
    port: collector.port,
    mqtt: mqtt.hosted,
  };
  const banner = renderBanner(addresses, { command: commandName, terminal: stdout });
  stdout.write(`${stdout.style.bold("brunt is up")}\n\n${banner}\n`);
  stdout.write(stdout.style.dim("  stop with Ctrl-C\n"));
  await aborted(system.stop);
  stdout.write("stopping, sending what waits …\n");
  await mqtt.shutdown();
  await brunt.shutdown();
  return exitCodes.ok;
}

function readStartSettings(args: Arguments, system: System): Settings {
  const dataDir = readDataDir(args, system);
  return settingsOrThrow({
    args,
    options,
    environment: system.environment,
    defaults: {
      agent: {
        name: agentName(),
        hostName: hostName(),
        hashKey: `file:${hashKeyPath(dataDir)}`,
        spoolDir: spoolPath(dataDir),
      },
      collector: { dataDir: join(dataDir, "collector"), uiDir: uiDirectory },
    },
  });
}
