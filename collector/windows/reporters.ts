/**
 * Which streams had reported a window when it was closed, so that late data adds to its coverage
 * rather than standing for all of it. In memory only: after a restart a revised window keeps the
 * better of its coverages.
 */
const windowsMax = 360;
const reportersMax = 200_000;
const none: ReadonlySet<string> = new Set();

export class Reporters {
  /** By the window's start, in the order of closing. */
  readonly #windows = new Map<number, ReadonlySet<string>>();
  #count = 0;

  of(startMs: number): ReadonlySet<string> {
    return this.#windows.get(startMs) ?? none;
  }

  note(startMs: number, streams: Iterable<string>): void {
    const all = new Set([...this.of(startMs), ...streams]);
    this.#forget(startMs);
    this.#windows.set(startMs, all);
    this.#count += all.size;
    for (const oldest of this.#windows.keys()) {
      if (this.#windows.size <= windowsMax && this.#count <= reportersMax) break;
      this.#forget(oldest);
    }
  }

  #forget(startMs: number): void {
    this.#count -= this.of(startMs).size;
    this.#windows.delete(startMs);
  }
}
