/** `brunt agent`: the agent alone, sending to a collector elsewhere. */
import { createMeter } from "../../base/meter.ts";
import { loadAgentFactory } from "../agent-factory.ts";
import { renderBanner } from "../banner.ts";
import { openLink } from "../collector-link.ts";
import { agentName, hashKeyPath, hostName, makeHashKey, spoolPath } from "../identity.ts";
import type { Arguments } from "../line/arguments.ts";
import { type Command, configOption } from "../line/command.ts";
import { settingsOrThrow } from "../line/settings.ts";
import {
  agentOptions,
  dataDirOption,
  mqttCredentialOptions,
  readDataDir,
  readSelfTelemetry,
  selfTelemetryOption,
  workersOption,
} from "../line/shared-options.ts";
import { commandName } from "../locations.ts";
import { hostReader } from "../read-proc.ts";
import { aborted, exitCodes, type System } from "../system.ts";
import { createTerminalLog } from "../terminal/terminal-log.ts";

const options = [
  {
    name: "collector",
    kind: "text",
    value: "<url>",
    help: "base address of the collector, or mqtt:// or mqtts:// of the broker it is at",
    default: "http://127.0.0.1:4319",
    field: "agent.collectorUrl",
  },
  configOption,
  dataDirOption,
  ...agentOptions,
  workersOption,
  selfTelemetryOption,
  ...mqttCredentialOptions("agent"),
] as const;

export const agentCommand: Command = {
  description: [
    "Receives OTLP on this node, reduces it to sketches and sends those to the collector. Raw spans and customer names stay here.",
    "What the collector has not acknowledged waits in the spool below the data directory, and outlives a restart; one agent a directory.",
    "On Linux it also tells how the host fares (CPU, memory, disks, network, pressure) beside the services whose spans carry its name as host.name or k8s.node.name; BRUNT_AGENT_HOST_METRICS=false switches that off.",
    "All agents of one collector must hash customers with one key: give each the same 32 hexadecimal digits as BRUNT_AGENT_HASH_KEY, or file:<path> of a file that holds them. Without it a key is made below the data directory, which is right for a single agent only.",
  ],
  options,
  examples: [
    {
      line: "brunt agent --collector http://collector.internal:4319",
      does: "receive on this node's loopback, send there",
    },
    {
      line: "brunt agent --collector mqtts://broker.internal:8883 --mqtt-ca ca.pem",
      does: "on an edge device, by way of an MQTT broker",
    },
  ],
  run: runAgent,
};

async function runAgent(args: Arguments, system: System): Promise<number> {
  const { clock, disk, stdout, stderr, environment, randomBytes } = system;
  const dataDir = readDataDir(args, system);
  const hashKey = `file:${hashKeyPath(dataDir)}`;
  const identity = { name: agentName(), hostName: hostName() };
  const defaults = { agent: { ...identity, hashKey, spoolDir: spoolPath(dataDir) } };
  const settings = settingsOrThrow({ args, options, environment, defaults }).agent;
  const observer = await readSelfTelemetry(args, system);
  makeHashKey(settings, { args, system });
  const meter = createMeter();
  const log = createTerminalLog(stderr, clock);
  const { link, recordBytesMax, close } = await openLink(settings, { system, log, meter });
  const createAgent = await loadAgentFactory(settings);
  const agent = createAgent(
    { ...settings, recordBytesMax },
    { clock, disk, log, meter, link: observer.observeLink(link), randomBytes, ...hostReader() },
  );
  await agent.start();
  observer.observeMeter(meter);
  const { grpc, http } = agent.ports;
  const addresses = { host: settings.host, grpcPort: grpc, httpPort: http };
  const banner = renderBanner(addresses, { command: commandName, terminal: stdout });
  stdout.write(
    `${stdout.style.bold("agent is up")}, sends to ${settings.collectorUrl}\n\n${banner}`,
  );
  await aborted(system.stop);
  stdout.write("stopping, sending what waits; what is left stays in the spool …\n");
  await agent.shutdown();
  await observer.shutdown();
  await close();
  return exitCodes.ok;
}
