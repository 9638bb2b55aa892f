/** Time as a value. The real clock is made in `cli/`; tests run the whole product on a virtual one. */
export type Cancel = () => void;

export interface Clock {
  /** Epoch milliseconds. */
  nowMs(): number;
  /** Runs once after `delayMs`; the returned function cancels it. */
  after(delayMs: number, run: () => void): Cancel;
}

export interface VirtualClock extends Clock {
  /** Moves time on by `ms`, running what falls due, in order. */
  advance(ms: number): void;
}

interface Timer {
  readonly atMs: number;
  readonly run: () => void;
}

/** A clock that moves only when told to. */
export function createVirtualClock(startMs: number): VirtualClock {
  let now = startMs;
  const timers = new Set<Timer>();
  return {
    nowMs: () => now,
    after(delayMs, run) {
      const timer = { atMs: now + Math.max(0, delayMs), run };
      timers.add(timer);
      return () => timers.delete(timer);
    },
    advance(ms) {
      const until = now + ms;
      for (let next = earliest(timers, until); next !== undefined; next = earliest(timers, until)) {
        timers.delete(next);
        now = Math.max(now, next.atMs);
        next.run();
      }
      now = until;
    },
  };
}

/** The first timer due by `untilMs`; of equals the one set first. */
function earliest(timers: ReadonlySet<Timer>, untilMs: number): Timer | undefined {
  let best: Timer | undefined;
  for (const timer of timers) {
    if (timer.atMs <= untilMs && (best === undefined || timer.atMs < best.atMs)) best = timer;
  }
  return best;
}

/** Repeats `run` every `periodMs` until cancelled. */
export function every(clock: Clock, periodMs: number, run: () => void): Cancel {
  let cancel = clock.after(periodMs, tick);
  function tick(): void {
    cancel = clock.after(periodMs, tick);
    run();
  }
  return () => cancel();
}
