/** Fetches thresholds when an acknowledgement names a revision that is not the known one. */
import type { Log } from "../../base/log.ts";
import type { Counter } from "../../base/meter.ts";
import type { CollectorLink, Thresholds } from "../../wire/agent-link.ts";

export interface ThresholdReaderOptions {
  readonly link: Pick<CollectorLink, "thresholds">;
  readonly log: Log;
  readonly failures: Counter;
  onThresholds(thresholds: Thresholds): void;
}

/** Gives a function to be called with each revision named; one read is in progress at a time. */
export function createThresholdReader(
  options: ThresholdReaderOptions,
): (revision: number) => Promise<void> {
  const { link, log, failures, onThresholds } = options;
  let known = 0;
  let reading: Promise<void> | undefined;
  const read = async (): Promise<void> => {
    try {
      const thresholds = await link.thresholds();
      known = thresholds.revision;
      onThresholds(thresholds);
    } catch (cause) {
      // The next acknowledgement asks again; until then the known thresholds stay in force.
      failures.add();
      log.warn("thresholds cannot be read", {
        reason: cause instanceof Error ? cause.message : String(cause),
      });
    }
  };
  return (revision) => {
    if (revision === known) return Promise.resolve();
    reading ??= read().finally(() => {
      reading = undefined;
    });
    return reading;
  };
}
