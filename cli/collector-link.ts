/** An agent's way to its collector, by the scheme of the address: over HTTP, or an MQTT broker. */
import type { AgentConfig } from "../agent/config.ts";
import { createHttpLink } from "../agent/export/http-link.ts";
import type { Log } from "../base/log.ts";
import type { Meter } from "../base/meter.ts";
import type { CollectorLink } from "../wire/agent-link.ts";
import { readMqttPassword, readToken } from "./line/shared-options.ts";
import { loadMqttOpener } from "./mqtt-address.ts";
import { chanceOf, type System } from "./system.ts";

export interface OpenLink {
  readonly link: CollectorLink;
  /** Larger records do not go this way. */
  readonly recordBytesMax: number;
  close(): Promise<void>;
}

/** What MQTT needs is loaded only for MQTT. */
export async function openLink(
  config: AgentConfig,
  { system, log, meter }: { readonly system: System; readonly log: Log; readonly meter: Meter },
): Promise<OpenLink> {
  const { collectorUrl, recordBytesMax, name } = config;
  if (!/^mqtts?:/.test(collectorUrl)) {
    const link = createHttpLink(collectorUrl, { token: readToken(system) });
    return { link, recordBytesMax, close: async () => link.close() };
  }
  const { createMqttLink } = await import("../agent/export/mqtt-link.ts");
  const password = readMqttPassword(system);
  const open = await loadMqttOpener(config, { url: collectorUrl, password, userDefault: name });
  const { clock } = system;
  const link = createMqttLink({ agent: name, open, clock, log, meter, chance: chanceOf(system) });
  return {
    link,
    recordBytesMax: Math.min(recordBytesMax, link.recordBytesMax),
    close: () => link.close(),
  };
}
