/** A machine with an agent: its disk outlives the agent, its clock may be wrong. */
import { type AgentCore, createAgentCore } from "../../agent/agent-core.ts";
import { type AgentConfig, defaultAgentConfig } from "../../agent/config.ts";
import { Secret } from "../../agent/secret.ts";
import { createMeter } from "../../base/meter.ts";
import type { Prng } from "../../base/prng.ts";
import type { CollectorLink } from "../../wire/agent-link.ts";
import { chanceOf } from "./chance.ts";
import { Incarnation } from "./incarnation.ts";
import type { Scheduler } from "./scheduler.ts";
import { type DiskOperation, isOfTheWorld, SimDisk } from "./sim-disk.ts";
import { createSimLog, type Trace } from "./trace.ts";

export interface AgentMachineOptions {
  readonly seed: number;
  readonly name: string;
  readonly scheduler: Scheduler;
  readonly config: Partial<AgentConfig>;
  readonly shortWrites: number;
  readonly trace: Trace | undefined;
  linkOf(owner: Incarnation): CollectorLink;
  onOperation(begun: DiskOperation): void;
  /** It ended by itself, as its disk refuses. */
  onExit(): void;
  onFault(message: string): void;
}

export const simHashKey = new Uint8Array(16).fill(9);

export class AgentMachine {
  readonly name: string;
  readonly disk: SimDisk;
  /** Lives so far. */
  lives = 0;
  /** Its clock less true time. */
  clockOffsetMs = 0;
  core: AgentCore | undefined;
  #life: Incarnation | undefined;
  #isUp = false;
  readonly #options: AgentMachineOptions;
  readonly #prng: Prng;

  constructor(options: AgentMachineOptions) {
    const { seed, name, shortWrites, trace, scheduler } = options;
    this.name = name;
    this.#options = options;
    this.#prng = chanceOf(seed, `agent ${name}`);
    this.disk = new SimDisk({
      seed,
      name,
      shortWrites,
      onOperation: (begun) => {
        trace?.(scheduler.nowMs, name, `${begun.operation} ${begun.path}`);
        options.onOperation(begun);
      },
    });
  }

  get nowMs(): number {
    return this.#options.scheduler.nowMs + this.clockOffsetMs;
  }

  /** It takes requests. */
  get isUp(): boolean {
    return this.#isUp;
  }

  /** It runs, and has nothing more to bring to the collector. */
  get isDrained(): boolean {
    if (this.core === undefined || !this.#isUp) return false;
    const { spans, spool } = this.core.ledger();
    return spans.open === 0 && spans.spooled === 0 && spool.records === 0;
  }

  get isRunning(): boolean {
    return this.#life !== undefined;
  }

  boot(): void {
    const { scheduler, name, config, trace, onFault, onExit, linkOf } = this.#options;
    const life = new Incarnation(name, scheduler, () => this.clockOffsetMs);
    this.lives++;
    this.#life = life;
    trace?.(scheduler.nowMs, name, `starts, life ${this.lives}`);
    const core = createAgentCore(
      {
        ...defaultAgentConfig(),
        name,
        listen: false,
        hashKey: new Secret(Buffer.from(simHashKey).toString("hex")),
        spoolDir: "/state/spool",
        ...config,
      },
      {
        clock: life.clock,
        disk: this.disk.mount(life),
        log: createSimLog(trace, scheduler, name),
        meter: createMeter(),
        link: linkOf(life),
        randomBytes: (size) => Uint8Array.from({ length: size }, () => this.#prng.integer(256)),
      },
    );
    this.core = core;
    core.start().then(
      () => {
        if (life.isAlive) this.#isUp = true;
      },
      (cause: unknown) => {
        if (!isOfTheWorld(cause)) onFault(`${name} fails: ${String(cause)}`);
        trace?.(scheduler.nowMs, name, `does not start: ${String(cause)}`);
        this.kill("kill");
        onExit();
      },
    );
  }

  kill(how: "kill" | "cutPower"): void {
    const { trace, scheduler, name } = this.#options;
    trace?.(scheduler.nowMs, name, how === "kill" ? "is killed" : "loses its power");
    this.#life?.kill();
    this.#life = undefined;
    this.core = undefined;
    this.#isUp = false;
    this.disk[how]();
  }

  /** Ends it in order; `done` is called once it has ended, unless it is killed before. */
  shutdown(done: () => void): void {
    const { trace, scheduler, name, onFault } = this.#options;
    const { core } = this;
    const life = this.#life;
    if (core === undefined || life === undefined) return;
    trace?.(scheduler.nowMs, name, "is asked to end");
    this.#isUp = false;
    core.shutdown().then(
      () => {
        if (!life.isAlive) return;
        life.kill();
        this.#life = undefined;
        this.core = undefined;
        this.disk.kill();
        done();
      },
      (cause: unknown) => onFault(`${name} does not end: ${String(cause)}`),
    );
  }
}
