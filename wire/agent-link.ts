/**
 * What passes between an agent and its collector besides the batches themselves: acknowledgements
 * and the thresholds for "slow". Both come back as JSON and are parsed here.
 */
import { ok, type Result, refuse } from "../base/result.ts";

/** What the collector holds of the sender's stream. */
export interface Ack {
  /** Sequence numbers stored, as ascending closed ranges that neither touch nor overlap. */
  readonly have: readonly (readonly [number, number])[];
  readonly thresholdsRevision: number;
  readonly collectorTimeMs: number;
}

/** A span is slow when `bucketIndex(durationNs) > slowBucket`. */
export interface Threshold {
  readonly service: string;
  readonly operation: string;
  readonly kind: string;
  readonly peer: string;
  readonly slowBucket: number;
}

export interface Thresholds {
  readonly revision: number;
  readonly items: readonly Threshold[];
}

/** An agent's way to its collector: over HTTP, or within one process. */
export interface CollectorLink {
  send(batch: Uint8Array): Promise<Ack>;
  thresholds(): Promise<Thresholds>;
}

export const ackRangesMax = 10_000;
export const thresholdsMax = 400_000;

type Fields = Readonly<Record<string, unknown>>;

export function parseAck(raw: unknown): Result<Ack> {
  if (!isFields(raw)) return refuse("BATCH_INVALID", "acknowledgement must be an object");
  const { have, thresholdsRevision, collectorTimeMs } = raw;
  if (!Array.isArray(have)) return refuse("BATCH_INVALID", "have must be a list of ranges");
  if (have.length > ackRangesMax) {
    return refuse("BATCH_INVALID", `have holds ${have.length} ranges, more than ${ackRangesMax}`);
  }
  const ranges: [number, number][] = [];
  let last = -1;
  for (const [index, range] of have.entries()) {
    const [first, end] = Array.isArray(range) && range.length === 2 ? range : [];
    if (!isCount(first) || !isCount(end) || first < 1 || end < first || first <= last + 1) {
      return refuse(
        "BATCH_INVALID",
        `have[${index}] must be a range [first, last] from 1 up, apart from the one before`,
      );
    }
    ranges.push([first, end]);
    last = end;
  }
  if (!isCount(thresholdsRevision)) {
    return refuse("BATCH_INVALID", "thresholdsRevision must be a whole number from 0");
  }
  if (!isCount(collectorTimeMs)) {
    return refuse("BATCH_INVALID", "collectorTimeMs must be epoch milliseconds");
  }
  return ok({ have: ranges, thresholdsRevision, collectorTimeMs });
}

export function parseThresholds(raw: unknown): Result<Thresholds> {
  if (!isFields(raw)) return refuse("CONFIG_INVALID", "thresholds must be an object");
  const { revision, items } = raw;
  if (!isCount(revision)) {
    return refuse("CONFIG_INVALID", "revision must be a whole number from 0");
  }
  if (!Array.isArray(items)) return refuse("CONFIG_INVALID", "items must be a list");
  if (items.length > thresholdsMax) {
    return refuse("CONFIG_INVALID", `items holds ${items.length}, more than ${thresholdsMax}`);
  }
  const thresholds: Threshold[] = [];
  for (const [index, item] of items.entries()) {
    const threshold = isFields(item) ? parseThreshold(item) : undefined;
    if (threshold === undefined) {
      return refuse(
        "CONFIG_INVALID",
        `items[${index}] must have service, operation, kind and peer as text and slowBucket as a whole number`,
      );
    }
    thresholds.push(threshold);
  }
  return ok({ revision, items: thresholds });
}

function parseThreshold(raw: Fields): Threshold | undefined {
  const { service, operation, kind, peer, slowBucket } = raw;
  if (typeof service !== "string" || typeof operation !== "string") return undefined;
  if (typeof kind !== "string" || typeof peer !== "string") return undefined;
  if (!Number.isSafeInteger(slowBucket)) return undefined;
  return { service, operation, kind, peer, slowBucket: slowBucket as number };
}

function isFields(raw: unknown): raw is Fields {
  return typeof raw === "object" && raw !== null && !Array.isArray(raw);
}

function isCount(raw: unknown): raw is number {
  return Number.isSafeInteger(raw) && (raw as number) >= 0;
}
