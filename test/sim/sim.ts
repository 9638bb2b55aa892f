/**
 * One run of the whole product in virtual time: some agents, sometimes a broker, a collector, all
 * of the production code, under a storm that depends on the seed. After the storm everything heals
 * and has to drain; then the collector's power is cut once more and the oracle judges what is left.
 */

import { createMqttLink } from "../../agent/export/mqtt-link.ts";
import { createMeter } from "../../base/meter.ts";
import type { Prng } from "../../base/prng.ts";
import { BrokerClient } from "../../collector/mqtt/broker-client.ts";
import { MqttAgents } from "../../collector/mqtt/mqtt-agents.ts";
import { MqttIntake } from "../../collector/mqtt/mqtt-intake.ts";
import type { CollectorLink } from "../../wire/agent-link.ts";
import { AgentMachine, simHashKey } from "./agent-machine.ts";
import { between, chanceOf, happens, spread } from "./chance.ts";
import { CollectorMachine } from "./collector-machine.ts";
import type { Incarnation } from "./incarnation.ts";
import { type Judged, judge, judgeIntervals, readStored } from "./judge.ts";
import { Oracle } from "./oracle.ts";
import { Scheduler } from "./scheduler.ts";
import { SimBroker } from "./sim-broker.ts";
import { SimNet, watched } from "./sim-net.ts";
import { Storm, type StormFigures } from "./storm.ts";
import { createSimLog, describe, type Trace } from "./trace.ts";
import { createRequest, customersMax, type SimRequest } from "./workload.ts";

export interface SimResult {
  readonly seed: number;
  /** What was wrong; nothing should be. */
  readonly violations: readonly string[];
  readonly figures: SimFigures;
}

export interface SimFigures extends Judged, StormFigures {
  readonly events: number;
}

export interface SimOptions {
  readonly seed: number;
  readonly trace?: Trace | undefined;
}

/** A Wednesday; the start of a window. */
export const simStartMs = 1_800_000_000_000;
const stormMs = 200_000;
const drainStepMs = 5_000;
/** Windows close within a few of these. */
const closeMs = 20_000;
const closeStepsMax = 4;
const drainMsMax = 400_000;
const agentsMax = 3;
const violationsMax = 20;
const retriedShare = 0.05;
/** Within what an agent remembers of requests. */
const retryMsMax = 30_000;
/** By so much later may an agent seal a window that it opened before its clock was corrected. */
const clockJumpMsMax = 500_000;
/** Reading every window takes some steps of this; more than so many it does not. */
const readStepMs = 1_000;
const readStepsMax = 60;
const nothingJudged: Judged = { spans: 0, applied: 0, declaredLost: 0, atRisk: 0 };

export async function simulate({ seed, trace }: SimOptions): Promise<SimResult> {
  return new Simulation(seed, trace).run();
}

class Simulation {
  readonly #seed: number;
  readonly #trace: Trace | undefined;
  readonly #prng: Prng;
  readonly #scheduler = new Scheduler(simStartMs);
  readonly #oracle = new Oracle(simHashKey, customersMax);
  readonly #agents: AgentMachine[] = [];
  readonly #collector: CollectorMachine;
  readonly #net: SimNet;
  readonly #broker: SimBroker | undefined;
  readonly #storm: Storm;
  readonly #violations: string[] = [];

  constructor(seed: number, trace: Trace | undefined) {
    this.#seed = seed;
    this.#trace = trace;
    this.#prng = chanceOf(seed, "sim");
    const prng = this.#prng;
    const scheduler = this.#scheduler;
    const shortWrites = happens(prng, 0.5) ? 0 : between(prng, 0.01, 0.3);
    const onFault = (message: string): void => this.#fail(message);
    const onArrival = (record: Uint8Array): void => {
      if (trace !== undefined) trace(scheduler.nowMs, "collector", `is sent ${describe(record)}`);
      this.#oracle.arrive(record);
    };
    this.#collector = new CollectorMachine({
      ...{ seed, scheduler, shortWrites, trace, onFault },
      onOperation: (begun) => this.#storm.operate(this.#collector, begun),
      onBoot: (life, link) => this.#joinBroker(life, watched(link, onArrival)),
      onExit: () => this.#storm.bootAgain(this.#collector),
    });
    const collector = () => this.#collector.link;
    this.#net = new SimNet({ seed, scheduler, collector, onArrival });
    if (happens(prng, 0.3)) {
      const isPersistent = happens(prng, 0.5);
      const isCutOff = (agent: string): boolean => this.#net.isCutOff(agent);
      this.#broker = new SimBroker({ seed, scheduler, isPersistent, isCutOff });
    }
    const agents = 1 + prng.integer(agentsMax);
    for (let index = 0; index < agents; index++) this.#addAgent(index, shortWrites);
    this.#storm = new Storm({
      ...{ seed, scheduler, trace },
      agents: this.#agents,
      collector: this.#collector,
      net: this.#net,
      broker: this.#broker,
      oracle: this.#oracle,
    });
  }

  #addAgent(index: number, shortWrites: number): void {
    const name = `agent-${index}`;
    const broker = happens(this.#prng, 0.6) ? this.#broker : undefined;
    // Some spools are so small that the oldest records have to be given up.
    const spoolBytesMax = happens(this.#prng, 0.5)
      ? Math.round(spread(this.#prng, 4_000, 16_000))
      : 2 ** 28;
    const agent: AgentMachine = new AgentMachine({
      ...{ seed: this.#seed, name, scheduler: this.#scheduler, shortWrites, trace: this.#trace },
      config: { spoolBytesMax, spansRememberedMax: 1_024, keysMax: 64 },
      linkOf: (owner) =>
        broker === undefined
          ? this.#net.linkOf(name, owner)
          : createMqttLink({
              ...this.#mqttParts(owner),
              open: broker.opener(name, owner),
              agent: name,
            }),
      onOperation: (begun) => this.#storm.operate(agent, begun),
      onExit: () => this.#storm.bootAgain(agent),
      onFault: (message) => this.#fail(message),
    });
    this.#agents.push(agent);
    this.#send(agent, chanceOf(this.#seed, `load ${name}`));
    this.#watch(agent);
  }

  #mqttParts({ clock, name }: Incarnation) {
    const prng = chanceOf(this.#seed, `mqtt ${name}`);
    const log = createSimLog(this.#trace, this.#scheduler, name);
    return { clock, log, meter: createMeter(), chance: () => prng.next() };
  }

  /** A life of the collector hears agents at the broker, where there is one. */
  #joinBroker(life: Incarnation, link: CollectorLink): void {
    if (this.#broker === undefined) return;
    const parts = { ...this.#mqttParts(life), link };
    new BrokerClient({
      ...parts,
      clientId: "collector",
      open: this.#broker.opener(life.name, life),
      intake: new MqttIntake(parts),
      agents: new MqttAgents(parts),
    }).start();
  }

  /** Applications send their spans for as long as the storm lasts. */
  #send(agent: AgentMachine, prng: Prng): void {
    const pauseMs = spread(prng, 300, 12_000);
    this.#scheduler.after(pauseMs, () => {
      if (this.#scheduler.nowMs > simStartMs + stormMs) return;
      this.#send(agent, prng);
      const { core, lives, nowMs, name } = agent;
      if (core === undefined || !agent.isUp) return;
      const request = createRequest(prng, { agent: name, life: lives, nowMs });
      const ingested = core.ingest(request.bytes);
      if (!ingested.ok) this.#fail(`${name} refuses a request: ${ingested.error.message}`);
      else if (ingested.value.accepted > 0) {
        this.#oracle.take(name, { life: lives, nowMs }, request);
        // What it remembers of requests goes by its clock.
        const isRetried = !this.#storm.clocksJump && happens(prng, retriedShare);
        if (isRetried) this.#retry(agent, request, prng);
      }
    });
  }

  /** An exporter that missed the answer sends the same request once more. */
  #retry(agent: AgentMachine, request: SimRequest, prng: Prng): void {
    const life = agent.lives;
    this.#scheduler.after(spread(prng, 100, retryMsMax), () => {
      if (agent.lives === life && agent.isUp) agent.core?.ingest(request.bytes);
    });
  }

  #watch(agent: AgentMachine): void {
    this.#scheduler.after(1_000, () => {
      this.#watch(agent);
      const isDiskWell = agent.isUp && this.#storm.isWell(agent.disk);
      const { name, nowMs: agentMs } = agent;
      const clockMs = this.#storm.clocksJump ? agentMs - clockJumpMsMax : agentMs;
      this.#oracle.passTime(name, { nowMs: this.#scheduler.nowMs, agentMs: clockMs, isDiskWell });
    });
  }

  async run(): Promise<SimResult> {
    const onRejection = (reason: unknown): void =>
      this.#fail(`an error nobody handled: ${reason instanceof Error ? reason.stack : reason}`);
    process.on("unhandledRejection", onRejection);
    try {
      this.#collector.boot();
      for (const agent of this.#agents) agent.boot();
      this.#storm.begin(stormMs);
      await this.#scheduler.runUntil(simStartMs + stormMs);
      this.#trace?.(this.#scheduler.nowMs, "sim", "the storm is over");
      this.#storm.end();
      await this.#drain();
      return await this.#verdict();
    } finally {
      process.off("unhandledRejection", onRejection);
    }
  }

  async #drain(): Promise<void> {
    const untilMs = this.#scheduler.nowMs + drainMsMax;
    do {
      if (this.#scheduler.nowMs > untilMs) {
        this.#fail(`not drained ${drainMsMax / 1_000} s after the storm: ${this.#undrained()}`);
        return;
      }
      await this.#pass(drainStepMs);
    } while (!this.#isDrained());
    await this.#pass(closeMs);
  }

  #isDrained(): boolean {
    return this.#isClosed && this.#agents.every((agent) => agent.isDrained);
  }

  /** The collector runs, and no window is open. */
  get #isClosed(): boolean {
    return this.#collector.isUp && this.#collector.core?.windows.openCount === 0;
  }

  #undrained(): string {
    const late = this.#agents.filter((agent) => !agent.isDrained);
    return [...late.map(({ name }) => name), this.#isClosed ? "" : "collector"].join(" ");
  }

  /** What was acknowledged has to survive: the oracle judges after one more power cut. */
  async #verdict(): Promise<SimResult> {
    for (const agent of this.#agents) agent.kill("cutPower");
    this.#collector.kill("cutPower");
    this.#collector.boot();
    for (let step = 0; step < closeStepsMax && !this.#isClosed; step++) await this.#pass(closeMs);
    const fail = (message: string): void => this.#fail(message);
    const judged = await this.#judge(fail);
    return {
      seed: this.#seed,
      violations: this.#violations,
      figures: { ...judged, ...this.#storm.figures, events: this.#scheduler.events },
    };
  }

  async #judge(fail: (message: string) => void): Promise<Judged> {
    const { core } = this.#collector;
    if (core === undefined || !this.#collector.isUp) {
      fail("the collector does not come up after the last power cut");
      return nothingJudged;
    }
    judgeIntervals(core, fail);
    if (core.windows.openCount > 0) fail(`${core.windows.openCount} windows are still open`);
    let stored: Awaited<ReturnType<typeof readStored>> | undefined;
    readStored(core, fail).then(
      (read) => {
        stored = read;
      },
      (cause: unknown) => fail(`what is stored cannot be read: ${String(cause)}`),
    );
    for (let step = 0; step < readStepsMax && stored === undefined; step++) {
      await this.#pass(readStepMs);
    }
    if (stored === undefined) return nothingJudged;
    const { clocksJump } = this.#storm;
    return judge(stored, core.ledger(), this.#oracle, { agents: this.#agents, clocksJump, fail });
  }

  #pass(ms: number): Promise<void> {
    return this.#scheduler.runUntil(this.#scheduler.nowMs + ms);
  }

  #fail(message: string): void {
    this.#trace?.(this.#scheduler.nowMs, "VIOLATION", message);
    if (this.#violations.length < violationsMax) this.#violations.push(message);
  }
}
