/** Agent and collector in one process, joined without a network between them. */
import { type Agent, createAgent } from "../agent/agent.ts";
import type { ReadProc } from "../agent/host/host-counters.ts";
import type { Clock } from "../base/clock.ts";
import type { Disk } from "../base/disk.ts";
import type { Log } from "../base/log.ts";
import { createMeter, type Meter } from "../base/meter.ts";
import { type Collector, createCollector } from "../collector/collector.ts";
import { createDecider } from "../collector/stages/decider.ts";
import type { AgentFactory } from "./agent-factory.ts";
import type { Settings } from "./line/settings.ts";
import { noObserver, type Observer } from "./observer.ts";

export interface BruntOptions {
  readonly settings: Settings;
  readonly clock: Clock;
  readonly disk: Disk;
  readonly log: Log;
  readonly observer?: Observer;
  /** An agent of one process unless said otherwise. */
  readonly createAgent?: AgentFactory;
  /** How this host's metrics are read; without it none are told. */
  readonly readProc?: ReadProc;
  randomBytes(size: number): Uint8Array;
}

export interface Brunt {
  readonly agent: Agent;
  readonly collector: Collector;
  readonly meter: Meter;
  start(): Promise<void>;
  /** The agent first, so that what it holds still reaches the collector. */
  shutdown(): Promise<void>;
}

export function createBrunt(options: BruntOptions): Brunt {
  const { settings, clock, disk, log, randomBytes, observer = noObserver } = options;
  const meter = createMeter();
  const { customersMin, falsePagesPerWeek } = settings.collector;
  const decider = observer.observeDecider(createDecider({ customersMin, falsePagesPerWeek }));
  const collector = createCollector(settings.collector, { clock, log, meter, decider, disk });
  const link = observer.observeLink(collector.link);
  const makeAgent = options.createAgent ?? createAgent;
  const host = options.readProc === undefined ? {} : { readProc: options.readProc };
  const agent = makeAgent(settings.agent, { clock, disk, log, meter, link, randomBytes, ...host });
  return {
    agent,
    collector,
    meter,
    async start() {
      await collector.start();
      try {
        await agent.start();
      } catch (error) {
        await collector.shutdown();
        throw error;
      }
      observer.observeMeter(meter);
    },
    async shutdown() {
      await agent.shutdown();
      await collector.shutdown();
      await observer.shutdown();
    },
  };
}
