/**
 * One life of a process. Whatever it waits for (a timer, a disk, an answer) comes through here, and
 * comes no more once it was killed: code of a dead process never runs again.
 */
import type { Clock } from "../../base/clock.ts";
import type { Scheduler } from "./scheduler.ts";

export class Incarnation {
  readonly name: string;
  readonly scheduler: Scheduler;
  readonly clock: Clock;
  #isAlive = true;

  constructor(name: string, scheduler: Scheduler, offsetMs: () => number = () => 0) {
    this.name = name;
    this.scheduler = scheduler;
    this.clock = {
      nowMs: () => Math.floor(scheduler.nowMs + offsetMs()),
      after: (delayMs, run) => this.after(delayMs, run),
    };
  }

  get isAlive(): boolean {
    return this.#isAlive;
  }

  kill(): void {
    this.#isAlive = false;
  }

  /** Runs once after `delayMs`, unless the process died or the timer was cancelled before. */
  after(delayMs: number, run: () => void): () => void {
    const event = this.scheduler.after(delayMs, () => {
      if (this.#isAlive) run();
    });
    return () => {
      event.run = undefined;
    };
  }

  /** What `work` gives or throws after `delayMs`; never settles in a process that died. */
  later<T>(delayMs: number, work: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      this.after(delayMs, () => {
        try {
          resolve(work());
        } catch (cause) {
          reject(cause as Error);
        }
      });
    });
  }
}
