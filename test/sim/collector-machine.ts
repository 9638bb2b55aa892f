/** The machine with the collector: its disk outlives the collector. */

import { createMeter } from "../../base/meter.ts";
import { type CollectorCore, createCollectorCore } from "../../collector/collector-core.ts";
import { defaultCollectorConfig } from "../../collector/config.ts";
import type { CollectorLink } from "../../wire/agent-link.ts";
import { Incarnation } from "./incarnation.ts";
import { createQuietDecider } from "./quiet-decider.ts";
import type { Scheduler } from "./scheduler.ts";
import { type DiskOperation, isOfTheWorld, SimDisk } from "./sim-disk.ts";
import { createSimLog, type Trace } from "./trace.ts";

export interface CollectorMachineOptions {
  readonly seed: number;
  readonly scheduler: Scheduler;
  readonly shortWrites: number;
  readonly trace: Trace | undefined;
  onOperation(begun: DiskOperation): void;
  /** A life of it begins, whose end nobody tells. */
  onBoot(life: Incarnation, link: CollectorLink): void;
  /** It ended by itself, as its disk refuses. */
  onExit(): void;
  onFault(message: string): void;
}

const name = "collector";

export class CollectorMachine {
  readonly disk: SimDisk;
  core: CollectorCore | undefined;
  #life: Incarnation | undefined;
  #isUp = false;
  readonly #options: CollectorMachineOptions;

  constructor(options: CollectorMachineOptions) {
    const { seed, shortWrites, trace, scheduler } = options;
    this.#options = options;
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

  get isRunning(): boolean {
    return this.#life !== undefined;
  }

  get isUp(): boolean {
    return this.#isUp;
  }

  /** Reachable, ready or not. */
  get link(): CollectorLink | undefined {
    return this.core?.link;
  }

  boot(): void {
    const { scheduler, trace, onFault, onExit, onBoot } = this.#options;
    const life = new Incarnation(name, scheduler);
    this.#life = life;
    trace?.(scheduler.nowMs, name, "starts");
    this.core = createCollectorCore(
      { ...defaultCollectorConfig(), dataDir: "/state/data" },
      {
        clock: life.clock,
        disk: this.disk.mount(life),
        log: createSimLog(trace, scheduler, name),
        meter: createMeter(),
        decider: createQuietDecider(),
      },
    );
    onBoot(life, this.core.link);
    this.core.start().then(
      () => {
        if (life.isAlive) this.#isUp = true;
      },
      (cause: unknown) => {
        if (!isOfTheWorld(cause)) onFault(`the collector fails: ${String(cause)}`);
        trace?.(scheduler.nowMs, name, `does not start: ${String(cause)}`);
        this.kill("kill");
        onExit();
      },
    );
  }

  kill(how: "kill" | "cutPower"): void {
    const { trace, scheduler } = this.#options;
    trace?.(scheduler.nowMs, name, how === "kill" ? "is killed" : "loses its power");
    this.#life?.kill();
    this.#life = undefined;
    this.core = undefined;
    this.#isUp = false;
    this.disk[how]();
  }
}
