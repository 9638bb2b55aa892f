/**
 * Virtual time: a heap of events, each run when time has come to it, and between any two of them
 * everything the first one set going (promises) is run to its end. The order is by time, then by
 * which was set first, so a run depends on its seed and nothing else.
 */
import { setImmediate } from "node:timers/promises";

export interface ScheduledEvent {
  readonly atMs: number;
  readonly order: number;
  run: (() => void) | undefined;
}

/** After so many events Node comes to look for errors that nobody handled. */
const turnEvery = 32;

export class Scheduler {
  #nowMs: number;
  #order = 0;
  readonly #heap: ScheduledEvent[] = [];
  /** Events run so far. */
  events = 0;

  constructor(startMs: number) {
    this.#nowMs = startMs;
  }

  /** Epoch milliseconds with a fraction. */
  get nowMs(): number {
    return this.#nowMs;
  }

  /** Runs once after `delayMs`; unset `run` of the event to cancel it. */
  after(delayMs: number, run: () => void): ScheduledEvent {
    const event = { atMs: this.#nowMs + Math.max(0, delayMs), order: this.#order++, run };
    push(this.#heap, event);
    return event;
  }

  /** Moves time on to `untilMs`, running what falls due. */
  async runUntil(untilMs: number): Promise<void> {
    // What the caller set going runs first.
    await setImmediate();
    for (;;) {
      const next = this.#heap[0];
      if (next === undefined || next.atMs > untilMs) break;
      pop(this.#heap);
      const { run } = next;
      if (run === undefined) continue;
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      this.events++;
      run();
      await (this.events % turnEvery === 0 ? setImmediate() : settled());
    }
    await setImmediate();
    this.#nowMs = untilMs;
  }
}

/** Resolves when no promise has anything left to run; nothing here waits for the system. */
function settled(): Promise<void> {
  return new Promise((resolve) => process.nextTick(resolve));
}

function before(a: ScheduledEvent, b: ScheduledEvent): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}

function push(heap: ScheduledEvent[], event: ScheduledEvent): void {
  let at = heap.length;
  heap.push(event);
  while (at > 0) {
    const parent = (at - 1) >> 1;
    const above = heap[parent] as ScheduledEvent;
    if (!before(event, above)) break;
    heap[at] = above;
    at = parent;
  }
  heap[at] = event;
}

/** Takes the first event out. */
function pop(heap: ScheduledEvent[]): void {
  const last = heap.pop() as ScheduledEvent;
  if (heap.length === 0) return;
  let at = 0;
  for (;;) {
    let child = 2 * at + 1;
    if (child >= heap.length) break;
    const right = heap[child + 1];
    if (right !== undefined && before(right, heap[child] as ScheduledEvent)) child++;
    const below = heap[child] as ScheduledEvent;
    if (!before(below, last)) break;
    heap[at] = below;
    at = child;
  }
  heap[at] = last;
}
