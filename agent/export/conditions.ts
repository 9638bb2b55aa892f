/** Promises for what is looked at whenever something has happened. */
import type { Cancel, Clock } from "../../base/clock.ts";

export class Conditions {
  readonly #clock: Clock;
  readonly #waits = new Set<() => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Resolves when it is so, or after `waitMs`. */
  until(isSo: () => boolean, waitMs?: number): Promise<void> {
    if (isSo()) return Promise.resolve();
    return new Promise((resolve) => {
      let cancel: Cancel = () => {};
      const end = (): void => {
        cancel();
        this.#waits.delete(look);
        resolve();
      };
      const look = (): void => {
        if (isSo()) end();
      };
      if (waitMs !== undefined) cancel = this.#clock.after(waitMs, end);
      this.#waits.add(look);
    });
  }

  /** Something has happened. */
  look(): void {
    for (const look of [...this.#waits]) look();
  }
}
