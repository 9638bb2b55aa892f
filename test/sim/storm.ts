/**
 * What goes wrong, and when: by the seed, a step every 20 s. Half of the crashes are power cuts,
 * and many come in the middle of an operation of the disk, or soon after one that makes, renames or
 * removes a file.
 */
import type { Prng } from "../../base/prng.ts";
import type { AgentMachine } from "./agent-machine.ts";
import { between, chanceOf, happens, spread } from "./chance.ts";
import type { CollectorMachine } from "./collector-machine.ts";
import type { Oracle } from "./oracle.ts";
import type { Scheduler } from "./scheduler.ts";
import type { SimBroker } from "./sim-broker.ts";
import type { DiskHealth, DiskOperation, DiskOperationName, SimDisk } from "./sim-disk.ts";
import type { SimNet } from "./sim-net.ts";
import type { Trace } from "./trace.ts";

export interface StormOptions {
  readonly seed: number;
  readonly scheduler: Scheduler;
  readonly trace: Trace | undefined;
  readonly agents: readonly AgentMachine[];
  readonly collector: CollectorMachine;
  readonly net: SimNet;
  readonly broker: SimBroker | undefined;
  readonly oracle: Oracle;
}

type Machine = AgentMachine | CollectorMachine;

const stepMs = 20_000;
const crashShare = 0.25;
const partitionShare = 0.25;
const diskShare = 0.12;
const brokerShare = 0.3;
const endShare = 0.06;
/** Of the seeds, how many have agents whose clocks jump. */
const clockSeedShare = 0.15;
const clockShare = 0.3;
const clockMsMax = 250_000;
const downMsMax = 60_000;
const partitionMsMax = 250_000;
const operationsMax = 40;
/** What is done in the wrong order with files shows only just then. */
const riskyOperations: ReadonlySet<DiskOperationName> = new Set(["rename", "remove", "open w"]);
const riskyShare = 0.02;
/** An agent does so once in many seconds, a collector many times in one. */
const riskyAgentShare = 0.1;
const riskyOperationsMax = 6;
const restartMs = 2_000;
/** A crash that waits for an operation comes anyway after this. */
const armedMsMax = 20_000;

/** How much of it there was. */
export interface StormFigures {
  readonly crashes: number;
  readonly powerCuts: number;
  readonly partitions: number;
  readonly badDisks: number;
  readonly clockJumps: number;
  readonly brokerKills: number;
}

export class Storm {
  readonly #figures: { -readonly [name in keyof StormFigures]: number } = {
    crashes: 0,
    powerCuts: 0,
    partitions: 0,
    badDisks: 0,
    clockJumps: 0,
    brokerKills: 0,
  };
  readonly #options: StormOptions;
  readonly #prng: Prng;
  readonly #clocksJump: boolean;
  /** Machines that crash in the midst of an operation to come: how many are before it. */
  readonly #armed = new Map<Machine, number>();
  #isOver = false;

  constructor(options: StormOptions) {
    this.#options = options;
    this.#prng = chanceOf(options.seed, "storm");
    this.#clocksJump = happens(this.#prng, clockSeedShare);
  }

  get figures(): StormFigures {
    return this.#figures;
  }

  get clocksJump(): boolean {
    return this.#clocksJump;
  }

  begin(lastsMs: number): void {
    for (let atMs = between(this.#prng, 0, stepMs); atMs < lastsMs; atMs += stepMs) {
      this.#later(atMs, () => this.#step());
    }
  }

  /** Everything heals: machines come back, the network and the disks are well. */
  end(): void {
    const { agents, collector, net, broker } = this.#options;
    this.#isOver = true;
    this.#armed.clear();
    net.heal();
    broker?.heal();
    for (const machine of [...agents, collector]) {
      machine.disk.health = "well";
      if (!machine.isRunning) machine.boot();
    }
  }

  isWell(disk: SimDisk): boolean {
    return disk.health === "well";
  }

  /** An operation of a machine's disk begins: the machine may crash before it is done. */
  operate(machine: Machine, { operation, takesMs }: DiskOperation): void {
    const left = this.#armed.get(machine);
    if (left === undefined) {
      this.#armAfter(machine, operation);
      return;
    }
    this.#armed.set(machine, left - 1);
    if (left > 0) return;
    this.#armed.delete(machine);
    this.#later(this.#prng.next() * takesMs, () => this.#crash(machine));
  }

  #armAfter(machine: Machine, operation: DiskOperationName): void {
    if (this.#isOver || !riskyOperations.has(operation)) return;
    if (!happens(this.#prng, "name" in machine ? riskyAgentShare : riskyShare)) return;
    this.#armed.set(machine, this.#prng.integer(riskyOperationsMax));
  }

  #step(): void {
    const prng = this.#prng;
    const { agents, collector, broker } = this.#options;
    if (happens(prng, crashShare)) this.#crashSoon(collector);
    for (const agent of agents) {
      if (happens(prng, crashShare)) this.#crashSoon(agent);
      else if (happens(prng, endShare)) this.#restart(agent);
      if (happens(prng, diskShare)) this.#spoil(agent);
      if (this.#clocksJump && happens(prng, clockShare)) this.#jump(agent);
    }
    if (happens(prng, partitionShare)) this.#cutOff();
    if (happens(prng, diskShare)) this.#spoil(collector);
    if (broker !== undefined && happens(prng, brokerShare)) this.#killBroker(broker);
  }

  #crashSoon(machine: Machine): void {
    const waitMs = between(this.#prng, 0, stepMs);
    const operations = happens(this.#prng, 0.6) ? this.#prng.integer(operationsMax) : undefined;
    this.#later(waitMs, () => {
      if (operations === undefined) {
        this.#crash(machine);
        return;
      }
      this.#armed.set(machine, operations);
      this.#later(armedMsMax, () => {
        if (this.#armed.delete(machine)) this.#crash(machine);
      });
    });
  }

  #crash(machine: Machine): void {
    if (!machine.isRunning) return;
    const how = happens(this.#prng, 0.5) ? "cutPower" : "kill";
    this.#figures.crashes++;
    if (how === "cutPower") this.#figures.powerCuts++;
    this.#armed.delete(machine);
    if ("name" in machine) this.#options.oracle.kill(machine.name);
    machine.kill(how);
    this.#bootIn(machine, spread(this.#prng, 200, downMsMax));
  }

  #restart(agent: AgentMachine): void {
    if (!agent.isUp) return;
    const isWell = this.isWell(agent.disk);
    agent.shutdown(() => {
      if (isWell && this.isWell(agent.disk)) this.#options.oracle.end(agent.name);
      else this.#options.oracle.kill(agent.name);
      if (this.#isOver) agent.boot();
      else this.#bootIn(agent, spread(this.#prng, 200, downMsMax));
    });
  }

  #bootIn(machine: Machine, delayMs: number): void {
    this.#later(delayMs, () => {
      if (!machine.isRunning) machine.boot();
      // A machine that has just come up may go down again, in the midst of its recovery.
      if (happens(this.#prng, 0.15)) this.#armed.set(machine, this.#prng.integer(operationsMax));
    });
  }

  /** Whoever starts processes starts one again that ended by itself. */
  bootAgain(machine: Machine): void {
    this.#options.scheduler.after(restartMs, () => {
      if (!machine.isRunning) machine.boot();
    });
  }

  #cutOff(): void {
    const { agents, net, scheduler, trace } = this.#options;
    const lastsMs = spread(this.#prng, 3_000, partitionMsMax);
    const whom = happens(this.#prng, 0.5) ? agents : [this.#prng.pick(agents)];
    this.#figures.partitions++;
    for (const { name } of whom) {
      trace?.(scheduler.nowMs, name, `is cut off for ${(lastsMs / 1_000).toFixed(1)} s`);
      net.cutOff(name, scheduler.nowMs + lastsMs);
    }
  }

  #spoil(machine: Machine): void {
    this.#figures.badDisks++;
    const health: DiskHealth = happens(this.#prng, 0.5) ? "full" : "broken";
    this.#setHealth(machine, health);
    this.#later(spread(this.#prng, 500, downMsMax), () => this.#setHealth(machine, "well"));
  }

  #setHealth(machine: Machine, health: DiskHealth): void {
    const { trace, scheduler } = this.#options;
    trace?.(scheduler.nowMs, "name" in machine ? machine.name : "collector", `disk is ${health}`);
    machine.disk.health = health;
  }

  #killBroker(broker: SimBroker): void {
    const { trace, scheduler } = this.#options;
    if (!broker.isUp) return;
    this.#figures.brokerKills++;
    trace?.(scheduler.nowMs, "broker", "is killed");
    broker.kill();
    this.#later(spread(this.#prng, 200, downMsMax), () => {
      if (!broker.isUp) broker.start();
    });
  }

  #jump(agent: AgentMachine): void {
    const { trace, scheduler } = this.#options;
    this.#figures.clockJumps++;
    agent.clockOffsetMs = happens(this.#prng, 0.3)
      ? 0
      : Math.round(between(this.#prng, -clockMsMax, clockMsMax));
    trace?.(scheduler.nowMs, agent.name, `clock is off by ${agent.clockOffsetMs} ms`);
  }

  /** Runs unless the storm is over by then. */
  #later(delayMs: number, run: () => void): void {
    this.#options.scheduler.after(delayMs, () => {
      if (!this.#isOver) run();
    });
  }
}
