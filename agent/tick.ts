/** The agent's clockwork. */
import { type Cancel, type Clock, every } from "../base/clock.ts";

const tickMs = 1_000;

/** Runs on whole seconds, so a window is sealed at its end plus the grace and not later. */
export function everySecond(clock: Clock, run: () => void): Cancel {
  let cancel = clock.after(tickMs - (clock.nowMs() % tickMs), () => {
    cancel = every(clock, tickMs, run);
    run();
  });
  return () => cancel();
}
