/** The files of the batch log, oldest first, and which windows still need them. */
import type { WindowPlace } from "./levels.ts";

export interface Generation {
  readonly number: number;
  readonly path: string;
  size: number;
  /** The last lsn of each window that is not yet in a segment, by its name. */
  readonly unsettled: Map<string, number>;
}

export function nameOfWindow({ startMs, lengthMs }: WindowPlace): string {
  return `${lengthMs}/${startMs}`;
}

export class Generations {
  readonly #all: Generation[] = [];

  get newest(): Generation | undefined {
    return this.#all.at(-1);
  }

  get bytes(): number {
    return this.#all.reduce((sum, { size }) => sum + size, 0);
  }

  /** The oldest one that is needed: the newest is, and each that holds what is nowhere else. */
  get oldestNeeded(): Generation | undefined {
    return this.#all.find(({ unsettled }) => unsettled.size > 0) ?? this.newest;
  }

  add(generation: Generation): void {
    this.#all.push(generation);
  }

  settle(window: WindowPlace, lsn: number): void {
    const name = nameOfWindow(window);
    for (const { unsettled } of this.#all) {
      if ((unsettled.get(name) ?? Number.POSITIVE_INFINITY) <= lsn) unsettled.delete(name);
    }
  }

  holds(window: WindowPlace): boolean {
    return this.#all.some(({ unsettled }) => unsettled.has(nameOfWindow(window)));
  }

  /** Takes out those before that number. */
  takeBefore(number: number): readonly Generation[] {
    const first = this.#all.findIndex((generation) => generation.number >= number);
    return this.#all.splice(0, Math.max(0, first));
  }
}
