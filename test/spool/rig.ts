/** An agent without ports on a disk in memory, before a collector that keeps count. */
import { type AgentCore, createAgentCore } from "../../agent/agent-core.ts";
import { type AgentConfig, defaultAgentConfig } from "../../agent/config.ts";
import { createVirtualClock, type VirtualClock } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import { createMeter, type Meter } from "../../base/meter.ts";
import { fixtureStartMs, requestOf, seededBytes } from "../agent/fixture.ts";
import { MemoryDisk } from "./memory-disk.ts";
import { ModelCollector } from "./model-collector.ts";

export const spoolDir = "/spool";

export class Rig {
  readonly clock: VirtualClock = createVirtualClock(fixtureStartMs);
  readonly collector = new ModelCollector(this.clock);
  disk = new MemoryDisk();
  meter: Meter = createMeter();
  core: AgentCore;
  /** The agent's clock less the true one. */
  clockAheadMs = 0;
  /** Spans handed over to all agents so far. */
  spans = 0;
  readonly logged: string[] = [];
  readonly #config: Partial<AgentConfig>;
  #lives = 0;
  #life = { isOver: false };
  #nextId = 1;

  constructor(config: Partial<AgentConfig> = {}) {
    this.#config = { spoolDir, ...config };
    this.core = this.#create();
  }

  get ledger() {
    return this.core.ledger();
  }

  /** Hands over spans that end now, by the agent's clock. */
  ingest(count: number, service = "shop"): void {
    const nowMs = this.clock.nowMs() + this.clockAheadMs - fixtureStartMs;
    const spans = Array.from({ length: count }, (_, index) => ({
      service,
      id: this.#nextId++,
      name: `work ${"abcdefg"[index % 7]}`,
      from: nowMs - 1,
      to: nowMs,
    }));
    const taken = this.core.ingest(requestOf(spans));
    if (!taken.ok || taken.value.rejected > 0) throw new Error("not all spans are taken");
    this.spans += count;
  }

  /** Lets time pass a second at a time, and what it sets in motion come to rest. */
  async pass(seconds: number): Promise<void> {
    for (let second = 0; second < seconds; second++) {
      this.clock.advance(1_000);
      await rest();
    }
  }

  /** One window with so many spans, until it is sealed. */
  async window(count: number): Promise<void> {
    this.ingest(count);
    await this.pass(10);
  }

  /** The process is gone without a word. */
  kill(how: "kill" | "cutPower" = "kill"): void {
    this.#life.isOver = true;
    this.disk[how]();
  }

  /** A new process on the same disk, after the old one is gone. */
  async restart(how: "kill" | "cutPower" = "kill"): Promise<void> {
    this.kill(how);
    await this.boot();
  }

  async boot(): Promise<void> {
    this.meter = createMeter();
    this.core = this.#create();
    const started = this.core.start();
    started.catch(() => {});
    await rest();
    // Long enough for a greeting that nobody answers.
    this.clock.advance(1_000);
    await started;
    await rest();
  }

  #create(): AgentCore {
    const log = (message: string, fields?: object): void => {
      this.logged.push(`${message} ${JSON.stringify(fields ?? {})}`);
    };
    const says: Log = { info: log, warn: log, error: log };
    this.#lives++;
    const life = { isOver: false };
    this.#life = life;
    const alive = (run: () => void) => (): void => {
      if (!life.isOver) run();
    };
    return createAgentCore(
      { ...defaultAgentConfig(), listen: false, ...this.#config },
      {
        clock: {
          nowMs: () => this.clock.nowMs() + this.clockAheadMs,
          after: (delayMs, run) => this.clock.after(delayMs, alive(run)),
        },
        disk: this.disk,
        log: says,
        meter: this.meter,
        link: this.collector,
        randomBytes: seededBytes(this.#lives),
      },
    );
  }
}

export async function startRig(config: Partial<AgentConfig> = {}): Promise<Rig> {
  const rig = new Rig(config);
  await rig.core.start();
  await rest();
  return rig;
}

/** Lets promises that depend on nothing but each other run their course. */
export async function rest(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
}
