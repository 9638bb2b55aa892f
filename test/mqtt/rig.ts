/** Links and a collector's end over a real broker, with a collector that keeps what it is sent. */
import { createMqttLink, type MqttLink } from "../../agent/export/mqtt-link.ts";
import { type Log, silentLog } from "../../base/log.ts";
import { createMeter, type Meter } from "../../base/meter.ts";
import { type MqttAddress, mqttOpener } from "../../cli/mqtt-client.ts";
import { systemClock } from "../../cli/system.ts";
import { BrokerClient } from "../../collector/mqtt/broker-client.ts";
import { BrokerHost, type BrokerHostSettings } from "../../collector/mqtt/broker-host.ts";
import { MqttAgents } from "../../collector/mqtt/mqtt-agents.ts";
import { MqttIntake } from "../../collector/mqtt/mqtt-intake.ts";
import type { CollectorLink, Thresholds } from "../../wire/agent-link.ts";
import type { MqttOpen, MqttVersion } from "../../wire/mqtt-session.ts";
import { decodeSketchBatch } from "../../wire/sketch-batch.ts";

/** A collector in memory: numbers of each stream, and what is to be thrown at the next batches. */
export interface KeepingLink extends CollectorLink {
  /** `stream seq`, as often as it came. */
  readonly seen: string[];
  readonly refusals: Error[];
  current: Thresholds;
}

export function createKeepingLink(): KeepingLink {
  const have = new Map<string, Set<number>>();
  const link: KeepingLink = {
    seen: [],
    refusals: [],
    current: { revision: 0, items: [] },
    async send(bytes) {
      const decoded = decodeSketchBatch(bytes);
      if (!decoded.ok) throw new Error(decoded.error.message);
      const { streamId, seq, kind } = decoded.value;
      link.seen.push(`${Number(streamId)} ${seq}`);
      const refusal = link.refusals.shift();
      if (refusal !== undefined) throw refusal;
      const numbers = have.get(streamId) ?? new Set();
      have.set(streamId, numbers);
      if (kind !== "heartbeat") numbers.add(seq);
      return {
        have: rangesOf(numbers),
        thresholdsRevision: link.current.revision,
        collectorTimeMs: Date.now(),
      };
    },
    thresholds: async () => link.current,
  };
  return link;
}

function rangesOf(numbers: ReadonlySet<number>): [number, number][] {
  const ranges: [number, number][] = [];
  for (const number of [...numbers].sort((a, b) => a - b)) {
    const last = ranges[ranges.length - 1];
    if (last !== undefined && last[1] === number - 1) last[1] = number;
    else ranges.push([number, number]);
  }
  return ranges;
}

export function addressOf(url: string, more: Partial<MqttAddress> = {}): MqttAddress {
  const none = { user: "", password: "", passwordFile: "", caFile: "", certFile: "", keyFile: "" };
  return { url, ...none, ...more };
}

export interface EndOptions {
  /** In place of 5 first and 4 when that is refused. */
  readonly version?: MqttVersion | undefined;
}

function openerOf(address: MqttAddress, { version }: EndOptions): MqttOpen {
  const open = mqttOpener(address);
  if (version === undefined) return open;
  return (hello, listener) => open({ ...hello, version }, listener);
}

/** Short pauses, so that a test waits for what it tests; reasons are what it warns of. */
function parts() {
  const reasons: string[] = [];
  const faults: string[] = [];
  const log: Log = {
    ...silentLog,
    warn: (_, fields) => reasons.push(String(fields?.reason)),
    error: (_, fields) => faults.push(String(fields?.reason)),
  };
  return { reasons, faults, common: { clock: systemClock, log, chance: () => 0.2 } };
}

export interface LinkEnd {
  readonly link: MqttLink;
  readonly meter: Meter;
  /** Why the broker was not reached, or did not take something. */
  readonly reasons: readonly string[];
}

export function startLink(agent: string, address: MqttAddress, options: EndOptions = {}): LinkEnd {
  const meter = createMeter();
  const { common, reasons } = parts();
  const link = createMqttLink({ ...common, agent, meter, open: openerOf(address, options) });
  return { link, meter, reasons };
}

export interface HostEnd {
  readonly host: BrokerHost;
  readonly meter: Meter;
  readonly port: number;
  /** What it logged as errors. */
  readonly faults: readonly string[];
}

/** The collector's own broker, on a free port. */
export async function startHost(
  link: CollectorLink,
  more: Partial<BrokerHostSettings> = {},
): Promise<HostEnd> {
  const meter = createMeter();
  const { common, faults } = parts();
  const host = new BrokerHost({
    ...common,
    ...{ host: "127.0.0.1", port: 0, certFile: "", keyFile: "", caFile: "", tokensFile: "" },
    link,
    meter,
    intake: new MqttIntake({ link, log: silentLog, meter }),
    agents: new MqttAgents({ log: silentLog, meter }),
    ...more,
  });
  await host.start();
  return { host, meter, port: host.port, faults };
}

export interface CollectorEnd {
  readonly client: BrokerClient;
  readonly meter: Meter;
}

export function startCollectorEnd(
  link: CollectorLink,
  address: MqttAddress,
  options: EndOptions = {},
): CollectorEnd {
  const meter = createMeter();
  const client = new BrokerClient({
    ...parts().common,
    clientId: "brunt-collector",
    link,
    meter,
    open: openerOf(address, options),
    intake: new MqttIntake({ link, log: silentLog, meter }),
    agents: new MqttAgents({ log: silentLog, meter }),
  });
  client.start();
  return { client, meter };
}
