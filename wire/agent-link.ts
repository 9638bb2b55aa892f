/**
 * What passes between an agent and its collector besides the batches themselves: acknowledgements,
 * refusals and the thresholds for "slow". All come back as JSON and are parsed here.
 */
import { type ErrorCode, errorCodes, OperationalError } from "../base/errors.ts";
import { ok, type Result, refuse } from "../base/result.ts";

/** What the collector holds of the sender's stream. */
export interface Ack {
  /** Sequence numbers stored, as ascending closed ranges that neither touch nor overlap. */
  readonly have: readonly (readonly [number, number])[];
  readonly thresholdsRevision: number;
  readonly collectorTimeMs: number;
  /**
   * It may answer an earlier sending of the same, so its time and ours say nothing together. Set by
   * a link, never by a collector.
   */
  readonly isUntimed?: true;
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

/** Why the collector did not take a batch. */
export interface Nack {
  /** One of ours, or of a later version. */
  readonly code: string;
  readonly message: string;
  readonly retryAfterMs?: number;
}

/** The collector's word on one batch, where the transport does not pair answers with requests. */
export type BatchAnswer = {
  readonly streamId: string;
  readonly seq: number;
  /** It answers a heartbeat, which goes under the number of its last record: its question. */
  readonly heartbeat?: number;
} & ({ readonly ack: Ack } | { readonly nack: Nack });

/**
 * What an agent does with a record that was refused:
 *
 *   keep    keeps it and backs off
 *   lose    declares it lost: it can never be taken
 *   fork    takes a new stream id for everything that is not acknowledged
 *   reorder keeps it and sends the oldest record first
 */
export type RefusalRemedy = "keep" | "lose" | "fork" | "reorder";

/** An agent's way to its collector: over HTTP, over MQTT, or within one process. */
export interface CollectorLink {
  /**
   * Gives up after `withinMs`, or the link's own bound.
   * @throws OperationalError with the collector's code when it does not take the batch
   */
  send(batch: Uint8Array, withinMs?: number): Promise<Ack>;
  thresholds(): Promise<Thresholds>;
}

/** A collector keeps 64 intervals of a stream. */
export const ackRangesMax = 64;
export const thresholdsMax = 400_000;

const retryAfterMsMax = 3_600_000;
const messageCharactersMax = 500;
const remedies: ReadonlyMap<string, RefusalRemedy> = new Map([
  ["BATCH_INVALID", "lose"],
  ["BATCH_TOO_LARGE", "lose"],
  ["SKETCH_INVALID", "lose"],
  ["STREAM_FORKED", "fork"],
  ["STREAM_GAPS", "reorder"],
]);

type Fields = Readonly<Record<string, unknown>>;

/** What to do about a refusal. Data is lost only by a code that says so: never by one unknown. */
export function remedyOf(code: string): RefusalRemedy {
  return remedies.get(code) ?? "keep";
}

/** The refusal as an agent's link throws it. */
export function refusalOf({ code, message, retryAfterMs }: Nack): OperationalError {
  const known = Object.hasOwn(errorCodes, code) ? (code as ErrorCode) : "COLLECTOR_UNREACHABLE";
  const text = known === code ? message : `${code}: ${message}`;
  return new OperationalError(known, text, { retryable: remedyOf(code) === "keep", retryAfterMs });
}

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

export function parseNack(raw: unknown): Result<Nack> {
  if (!isFields(raw)) return refuse("BATCH_INVALID", "refusal must be an object");
  const { code, message, retryAfterMs } = raw;
  if (typeof code !== "string" || !/^[A-Z_]{1,64}$/.test(code)) {
    return refuse("BATCH_INVALID", "code must be capital letters");
  }
  if (typeof message !== "string") return refuse("BATCH_INVALID", "message must be text");
  const nack = { code, message: message.slice(0, messageCharactersMax) };
  if (retryAfterMs === undefined) return ok(nack);
  if (!isCount(retryAfterMs)) {
    return refuse("BATCH_INVALID", "retryAfterMs must be a whole number from 0");
  }
  return ok({ ...nack, retryAfterMs: Math.min(retryAfterMs, retryAfterMsMax) });
}

export function parseBatchAnswer(raw: unknown): Result<BatchAnswer> {
  if (!isFields(raw)) return refuse("BATCH_INVALID", "answer must be an object");
  const { streamId, seq, heartbeat } = raw;
  if (typeof streamId !== "string" || !/^[0-9a-f]{32}$/.test(streamId)) {
    return refuse("BATCH_INVALID", "streamId must be 32 lower-case hex digits");
  }
  if (!isCount(seq)) return refuse("BATCH_INVALID", "seq must be a whole number from 0");
  if (heartbeat !== undefined && !isCount(heartbeat)) {
    return refuse("BATCH_INVALID", "heartbeat must be a whole number from 0");
  }
  const batch = { streamId, seq, ...(heartbeat === undefined ? {} : { heartbeat }) };
  if (raw.ack !== undefined) {
    const ack = parseAck(raw.ack);
    return ack.ok ? ok({ ...batch, ack: ack.value }) : ack;
  }
  const nack = parseNack(raw.nack);
  return nack.ok ? ok({ ...batch, nack: nack.value }) : nack;
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
