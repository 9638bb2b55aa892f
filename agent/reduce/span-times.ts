/**
 * The times of all spans of a request as doubles, before anything is done with a span.
 *
 *   times  Float64Array [spanCount, 2]   end since an epoch, and duration, in nanoseconds
 *
 * One small loop, because a double that is handed from function to function is boxed: span by span
 * that was 170 bytes of garbage each. A span that ends before it starts, or has no start, has
 * duration 0; no duration passes 2^53 - 1.
 */
import { endAt, spanWords, startAt, type TraceTable } from "../../wire/trace-table.ts";

export const spanTimes = 2;
const wordSize = 2 ** 32;

export class SpanTimes {
  times = new Float64Array(2_048);
  readonly #epochHigh: number;
  readonly #epochLow: number;

  /** `epochMs` is in whole milliseconds. */
  constructor(epochMs: number) {
    const epochNs = BigInt(epochMs) * 1_000_000n;
    this.#epochHigh = Number(epochNs >> 32n);
    this.#epochLow = Number(epochNs & 0xffffffffn);
  }

  /** Overwrites the times with those of the spans of a table. */
  read(table: TraceTable): void {
    const { spans, view, spanCount } = table;
    if (spanCount * spanTimes > this.times.length) this.times = new Float64Array(spanCount * 4);
    const { times } = this;
    const epochHigh = this.#epochHigh;
    const epochLow = this.#epochLow;
    for (let index = 0; index < spanCount; index++) {
      const start = spans[index * spanWords + startAt] as number;
      const end = spans[index * spanWords + endAt] as number;
      const endHigh = end === 0 ? 0 : view.getUint32(end + 4, true);
      const endLow = end === 0 ? 0 : view.getUint32(end, true);
      const startHigh = start === 0 ? 0 : view.getUint32(start + 4, true);
      const startLow = start === 0 ? 0 : view.getUint32(start, true);
      const ns = (endHigh - startHigh) * wordSize + (endLow - startLow);
      const isKnown = (startHigh | startLow) !== 0 && ns > 0;
      times[index * spanTimes] = (endHigh - epochHigh) * wordSize + (endLow - epochLow);
      times[index * spanTimes + 1] = isKnown ? Math.min(ns, Number.MAX_SAFE_INTEGER) : 0;
    }
  }
}
