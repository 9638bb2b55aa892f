/** Whoever wants to see the work between the parts: a wrapper for each, made once at assembly. */
import type { Meter } from "../base/meter.ts";
import type { Decider } from "../collector/decide.ts";
import type { CollectorLink } from "../wire/agent-link.ts";

export interface Observer {
  observeLink(link: CollectorLink): CollectorLink;
  observeDecider(decider: Decider): Decider;
  /** All parts have started, so everything is registered with `meter` by now. */
  observeMeter(meter: Meter): void;
  shutdown(): Promise<void>;
}

/** Sees nothing and costs nothing. */
export const noObserver: Observer = {
  observeLink: (link) => link,
  observeDecider: (decider) => decider,
  observeMeter: () => {},
  shutdown: async () => {},
};
