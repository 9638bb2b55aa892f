/** How many bytes of request bodies may be held at one time, whoever sends them. */
import type { Counter, Meter } from "../../base/meter.ts";

export interface ByteBudget {
  /** Takes `bytes` and gives what gives them back, once; undefined when they do not fit. */
  take(bytes: number): (() => void) | undefined;
}

export function createByteBudget(bytesMax: number, meter: Meter): ByteBudget {
  let used = 0;
  const refused: Counter = meter.counter(
    "brunt_collector_budget_refused_total",
    "batches refused because the bytes in flight had reached their bound",
  );
  meter.gauge(
    "brunt_collector_in_flight_bytes",
    "bytes of batches being received or made durable",
    () => used,
  );
  return {
    take(bytes) {
      if (used + bytes > bytesMax) {
        refused.add();
        return undefined;
      }
      used += bytes;
      let held = true;
      return () => {
        if (held) used -= bytes;
        held = false;
      };
    },
  };
}
