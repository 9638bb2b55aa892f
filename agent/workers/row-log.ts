/**
 * Spans on their way to the one memory that pairs them, in the order they came.
 *
 *   words  Uint32Array [rows, 9]   id high, low, parent high, low, trace, process, key, segment,
 *                                  flags
 *   times  Float64Array [rows, 2]  start and duration in nanoseconds
 *   links  Uint32Array [links, 4]  row, id high, id low, trace
 *
 * It holds what one request may hold and a little more, as it is emptied between requests.
 */
import type { Remembered, RememberedSpan } from "../pairing/remembered-span.ts";
import type { SpanSink } from "../pairing/span-sink.ts";

export const rowWords = 9;
export const rowTimes = 2;
export const linkWords = 4;

const rowsInitial = 1_024;

export class RowLog implements SpanSink {
  rows = 0;
  linkCount = 0;
  #words = new Uint32Array(rowsInitial * rowWords);
  #times = new Float64Array(rowsInitial * rowTimes);
  #links = new Uint32Array(rowsInitial);

  /** Always kept: what is a repetition is seen where the spans of all workers meet. */
  remember(span: RememberedSpan): Remembered {
    if ((this.rows + 1) * rowWords > this.#words.length) this.#grow();
    const words = this.#words;
    let at = this.rows * rowWords;
    words[at++] = span.idHigh;
    words[at++] = span.idLow;
    words[at++] = span.parentHigh;
    words[at++] = span.parentLow;
    words[at++] = span.trace;
    words[at++] = span.process;
    words[at++] = span.key;
    words[at++] = span.segment;
    words[at] = span.flags;
    this.#times[this.rows * rowTimes] = span.startNs;
    this.#times[this.rows * rowTimes + 1] = span.durationNs;
    this.rows++;
    return "kept";
  }

  link(idHigh: number, idLow: number, trace: number): boolean {
    const at = this.linkCount * linkWords;
    if (at + linkWords > this.#links.length) this.#links = doubled(this.#links);
    this.#links[at] = this.rows - 1;
    this.#links[at + 1] = idHigh;
    this.#links[at + 2] = idLow;
    this.#links[at + 3] = trace;
    this.linkCount++;
    return true;
  }

  /** Nothing is looked up here. */
  linkNew(): void {}

  /** Empties the log into views that hold until the next span. */
  take(): { words: Uint32Array; times: Float64Array; links: Uint32Array } {
    const taken = {
      words: this.#words.subarray(0, this.rows * rowWords),
      times: this.#times.subarray(0, this.rows * rowTimes),
      links: this.#links.subarray(0, this.linkCount * linkWords),
    };
    this.rows = 0;
    this.linkCount = 0;
    return taken;
  }

  #grow(): void {
    this.#words = doubled(this.#words);
    const times = new Float64Array(this.#times.length * 2);
    times.set(this.#times);
    this.#times = times;
  }
}

function doubled(from: Uint32Array): Uint32Array<ArrayBuffer> {
  const to = new Uint32Array(from.length * 2);
  to.set(from);
  return to;
}
