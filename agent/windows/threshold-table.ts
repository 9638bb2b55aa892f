/** The thresholds for "slow" in force, by service, operation, kind and peer. */
import type { Thresholds } from "../../wire/agent-link.ts";

export interface ThresholdTable {
  readonly revision: number;
  /** The last bucket that is not slow; undefined when there is no threshold. */
  slowBucketOf(key: {
    service: string;
    operation: string;
    kind: string;
    peer: string;
  }): number | undefined;
}

export const noThresholds: ThresholdTable = { revision: 0, slowBucketOf: () => undefined };

export function createThresholdTable(thresholds: Thresholds): ThresholdTable {
  const buckets = new Map<string, number>();
  for (const item of thresholds.items) buckets.set(nameOf(item), item.slowBucket);
  return {
    revision: thresholds.revision,
    slowBucketOf: (key) => buckets.get(nameOf(key)),
  };
}

/** No two keys share a name, whatever characters their parts have. */
function nameOf(key: { service: string; operation: string; kind: string; peer: string }): string {
  return JSON.stringify([key.service, key.operation, key.kind, key.peer]);
}
