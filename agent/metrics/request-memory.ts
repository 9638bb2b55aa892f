/**
 * Recognises a request of metrics that was taken a moment ago, by a hash of all its bytes: an
 * exporter that did not see our answer sends them again, and neither gauges nor deltas may count
 * twice. The newest `requestsMax` are remembered.
 */
import type { Ingested } from "../reduce/reducer-metrics.ts";

export interface RequestMemory {
  /** What a request was answered less than the memory's time ago; undefined when it is new. */
  find(name: string, nowMs: number): Ingested | undefined;
  add(name: string, answer: Ingested, nowMs: number): void;
}

const requestsMax = 1_024;

/** A `retryMs` of 0 remembers nothing. */
export function createRequestMemory(retryMs: number): RequestMemory {
  const answers = new Map<string, { readonly answer: Ingested; readonly takenMs: number }>();
  return {
    find(name, nowMs) {
      const known = answers.get(name);
      const isFresh = known !== undefined && Math.abs(nowMs - known.takenMs) < retryMs;
      return isFresh ? known.answer : undefined;
    },
    add(name, answer, nowMs) {
      if (retryMs === 0) return;
      answers.delete(name);
      answers.set(name, { answer, takenMs: nowMs });
      if (answers.size <= requestsMax) return;
      for (const oldest of answers.keys()) {
        answers.delete(oldest);
        break;
      }
    },
  };
}
