/**
 * A decider that never finds anything, so that a run spends its time on delivery. It counts the
 * windows it saw, and forgets none over a restart.
 */
import type { Decider } from "../../collector/decide.ts";

export function createQuietDecider(): Decider {
  let state = { windows: 0 };
  return {
    decide: () => {
      state.windows++;
      return { anomalies: 0, events: [] };
    },
    incidents: () => [],
    incident: () => undefined,
    graph: () => ({ nodes: [], edges: [], hops: [] }),
    thresholds: () => ({ revision: 0, items: [] }),
    snapshot: () => state,
    restore: (snapshot) => {
      state = { ...(snapshot as typeof state) };
    },
  };
}
