/** `brunt collector`: the collector alone, for agents elsewhere. */
import { join } from "node:path";
import { createMeter } from "../../base/meter.ts";
import { createCollector } from "../../collector/collector.ts";
import { createDecider } from "../../collector/stages/decider.ts";
import { renderBanner } from "../banner.ts";
import type { Arguments } from "../line/arguments.ts";
import { type Command, configOption } from "../line/command.ts";
import { settingsOrThrow } from "../line/settings.ts";
import {
  collectorMqttOptions,
  collectorOptions,
  dataDirOption,
  readDataDir,
  readSelfTelemetry,
  selfTelemetryOption,
  tokensFileOption,
} from "../line/shared-options.ts";
import { commandName, uiDirectory } from "../locations.ts";
import { startMqttReceivers } from "../mqtt-receivers.ts";
import { aborted, exitCodes, type System } from "../system.ts";
import { createTerminalLog } from "../terminal/terminal-log.ts";

const options = [
  configOption,
  dataDirOption,
  ...collectorOptions,
  tokensFileOption,
  selfTelemetryOption,
  ...collectorMqttOptions,
];

export const collectorCommand: Command = {
  description: [
    "Receives sketch batches from agents, merges windows, detects, isolates and explains, and serves the API, the event stream and the user interface on one port.",
    "It listens on loopback; agents elsewhere need BRUNT_COLLECTOR_HOST, or collector.host in the file, and a tokens file or a network that keeps others out.",
  ],
  options,
  examples: [{ line: "brunt collector --port 4319", does: "on the default port" }],
  run: runCollector,
};

async function runCollector(args: Arguments, system: System): Promise<number> {
  const { clock, disk, stdout, stderr, environment } = system;
  const dataDir = join(readDataDir(args, system), "collector");
  const defaults = { collector: { dataDir, uiDir: uiDirectory } };
  const settings = settingsOrThrow({ args, options, environment, defaults }).collector;
  const observer = await readSelfTelemetry(args, system);
  const meter = createMeter();
  const log = createTerminalLog(stderr, clock);
  const { customersMin, falsePagesPerWeek } = settings;
  const decider = observer.observeDecider(createDecider({ customersMin, falsePagesPerWeek }));
  const collector = createCollector(settings, { clock, log, meter, decider, disk });
  await collector.start();
  const receivers = { system, log, meter, link: collector.link };
  const mqtt = await startMqttReceivers(settings, receivers).catch(async (error: unknown) => {
    await collector.shutdown();
    throw error;
  });
  observer.observeMeter(meter);
  const addresses = { host: settings.host, port: collector.port, mqtt: mqtt.hosted };
  const banner = renderBanner(addresses, { command: commandName, terminal: stdout });
  stdout.write(`${stdout.style.bold("collector is up")}\n\n${banner}`);
  await aborted(system.stop);
  stdout.write("stopping …\n");
  await mqtt.shutdown();
  await collector.shutdown();
  await observer.shutdown();
  return exitCodes.ok;
}
