/**
 * Recognises a request that was taken a moment ago: an exporter that did not see our answer sends
 * the same bytes again. It is answered as the first time and counted no second time.
 *
 * A request is known by its length and by a keyed 64-bit hash over id and end of every span in it,
 * in order; that costs a few nanoseconds a span, where a hash over all bytes costs hundreds. What
 * is equal in all of this holds the very same spans, as span ids are random: suppressing it loses
 * nothing. That two others meet in 64 bits happens, with the memory full, once in 10^15 requests,
 * and nobody without the key can make it happen.
 *
 * The memory holds the newest 8,192 requests; one that is pushed out before its time is counted.
 */
import type { Meter } from "../../base/meter.ts";
import { endAt, spanIdAt, spanWords, type TraceTable } from "../../wire/trace-table.ts";
import { rejectionMessage } from "./reducer-metrics.ts";

export interface RetryMemory {
  /** Whether this request was here less than the memory's time ago; it is from now on. */
  isRetry(table: TraceTable, nowMs: number): boolean;
}

const requestsMax = 8_192;
/** Odd, from xxHash32 (Collet). */
const primes = [0x9e37_79b1, 0x85eb_ca77] as const;

/** `tableKey` is of 16 random bytes; a `retryMs` of 0 remembers nothing. */
export function createRetryMemory(options: {
  readonly tableKey: Uint8Array;
  readonly retryMs: number;
  readonly meter: Meter;
}): RetryMemory {
  const { tableKey, retryMs, meter } = options;
  const view = new DataView(tableKey.buffer, tableKey.byteOffset);
  const seeds = [view.getInt32(8), view.getInt32(12)] as const;
  const metrics = retryMetrics(meter);
  const hash = new Int32Array(2);
  const placeOf = new Map<number, number>();
  const names = new Float64Array(requestsMax);
  const rests = new Int32Array(requestsMax);
  const sizes = new Int32Array(requestsMax);
  const takenMs = new Float64Array(requestsMax).fill(Number.NEGATIVE_INFINITY);
  let next = 0;
  const remember = (name: number, size: number, nowMs: number): void => {
    const before = names[next] as number;
    if (placeOf.get(before) === next) {
      placeOf.delete(before);
      if (nowMs - (takenMs[next] as number) < retryMs) metrics.pushedOut.add();
    }
    names[next] = name;
    rests[next] = hash[1] as number;
    sizes[next] = size;
    takenMs[next] = nowMs;
    placeOf.set(name, next);
    next = (next + 1) % requestsMax;
  };
  return {
    isRetry(table, nowMs) {
      if (retryMs === 0 || table.spanCount === 0) return false;
      hashSpans(table, seeds, hash);
      // As many bits as a number holds exactly; the rest is compared.
      const name = ((hash[0] as number) >>> 0) * 2 ** 20 + ((hash[1] as number) >>> 12);
      const place = placeOf.get(name);
      const isKnown =
        place !== undefined &&
        rests[place] === hash[1] &&
        sizes[place] === table.bytes.length &&
        Math.abs(nowMs - (takenMs[place] as number)) < retryMs;
      if (isKnown) {
        metrics.requests.add();
        metrics.spans.add(table.spanCount);
      } else remember(name, table.bytes.length, nowMs);
      return isKnown;
    },
  };
}

/** As the first time, but for spans that were refused because of their time. */
export function answerRetry(table: TraceTable, spans: number) {
  const { rejected, rejectedReason } = table;
  const refused = { past: 0, future: 0, crowded: 0, invalid: rejected };
  return {
    accepted: spans - rejected,
    rejected,
    message: rejectionMessage(refused, rejectedReason),
  };
}

function retryMetrics(meter: Meter) {
  return {
    requests: meter.counter(
      "brunt_agent_requests_retried_total",
      "Requests that had been taken a moment before, and were only answered again.",
    ),
    spans: meter.counter("brunt_agent_spans_retried_total", "Spans of these."),
    pushedOut: meter.counter(
      "brunt_agent_retry_memory_overflow_total",
      "Requests pushed out of the memory for retries before their time, by newer ones.",
    ),
  };
}

/** Two lanes, so that neither waits for the other's multiplication. */
function hashSpans(table: TraceTable, seeds: readonly [number, number], out: Int32Array): void {
  const { spans, view, spanCount } = table;
  const [first, second] = primes;
  let [a, b] = seeds;
  const size = spanCount * spanWords;
  for (let span = 0; span < size; span += spanWords) {
    const id = spans[span + spanIdAt] as number;
    const end = spans[span + endAt] as number;
    const high = view.getInt32(id, true);
    const low = view.getInt32(id + 4, true);
    const time = end === 0 ? 0 : view.getInt32(end, true);
    a = Math.imul(a ^ high, first);
    b = Math.imul(b ^ low, second);
    a = (a ^ (b >>> 15)) + time;
    b = (b ^ (a >>> 13)) + high;
  }
  out[0] = Math.imul(a ^ (a >>> 16), second);
  out[1] = Math.imul(b ^ (b >>> 16), first);
}
