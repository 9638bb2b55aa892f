/** Waiting for something to do: until woken, or for a pause that nothing but the end cuts short. */
import type { Clock } from "../../base/clock.ts";

export class Rest {
  readonly #clock: Clock;
  #isWoken = false;
  #isOver = false;
  /** Ends the wait that is going on, if being woken ends it, and if only the end does. */
  #onWake: () => void = () => {};
  #onEnd: () => void = () => {};

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Resolves when woken, or at once when that happened since the last wait. */
  untilWoken(): Promise<void> {
    return new Promise((resolve) => {
      const go = (): void => {
        this.#isWoken = false;
        resolve();
      };
      if (this.#isWoken || this.#isOver) return go();
      this.#onWake = go;
      this.#onEnd = go;
    });
  }

  pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      if (this.#isOver) return resolve();
      const cancel = this.#clock.after(ms, resolve);
      this.#onEnd = () => {
        cancel();
        resolve();
      };
    });
  }

  wake(): void {
    this.#isWoken = true;
    this.#onWake();
    this.#onWake = () => {};
  }

  /** Nothing waits from now on. */
  end(): void {
    this.#isOver = true;
    this.#onEnd();
  }
}
