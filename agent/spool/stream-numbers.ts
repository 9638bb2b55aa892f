/**
 * The stream's next number, and which of its numbers the collector has settled: applied, or
 * declared lost to it. A number is never used twice, and one that was settled stays so; a
 * collector that says otherwise is not talking of this stream alone.
 */
import { firstMissing, includesAll, lastNumber, type NumberSet, withNumber } from "./number-set.ts";
import { type CertainNumber, countsBeforeMax, type RecordCounts } from "./spool-record.ts";

export interface StreamState {
  readonly streamId: string;
  readonly lastSeq: number;
  readonly streamSpans: number;
  readonly settled: NumberSet;
  /** The last number that nobody else can have used, and the spans up to it. */
  readonly certain: CertainNumber;
  /** Counts of the newest records, the newest first. */
  readonly before: readonly RecordCounts[];
}

export class StreamNumbers {
  readonly streamId: string;
  /** No answer of the collector has confirmed the numbers yet, and nothing was sent since. */
  isBlind: boolean;
  lastSeq: number;
  streamSpans: number;
  settled: NumberSet;
  before: readonly RecordCounts[];
  readonly #certain: CertainNumber;

  constructor(state: StreamState, options: { readonly isBlind: boolean }) {
    this.streamId = state.streamId;
    this.lastSeq = state.lastSeq;
    this.streamSpans = state.streamSpans;
    this.settled = state.settled;
    this.before = state.before;
    this.#certain = state.certain;
    this.isBlind = options.isBlind;
  }

  /** The first number that is not settled; one more than the last when all are. */
  get oldestSeq(): number {
    return Math.min(firstMissing(this.settled), this.lastSeq + 1);
  }

  /**
   * What may be said of the stream: a number that is used blindly may be another record's, which
   * the collector has and knows the spans of.
   */
  get said(): CertainNumber {
    return this.isBlind ? this.#certain : { seq: this.lastSeq, streamSpans: this.streamSpans };
  }

  /** Takes the next number for a record of these counts. */
  use(counts: RecordCounts): void {
    this.lastSeq++;
    this.streamSpans += counts.spans;
    const { spans, errors, windowStartMs } = counts;
    this.before = [{ spans, errors, windowStartMs }, ...this.before].slice(0, countsBeforeMax);
  }

  settle(seq: number): void {
    this.settled = withNumber(this.settled, seq);
  }

  /**
   * Whether what the collector has cannot be of this stream as we know it: numbers we have not used
   * mean that somebody else uses it, and missing ones that the collector has forgotten it. Those
   * an earlier process sent from memory alone, for want of a disk, are nobody's on this disk.
   * `settledBefore` is what was settled when we asked.
   */
  isContradictedBy(have: NumberSet, settledBefore: NumberSet): boolean {
    const { seq: lastSeq } = this.said;
    return lastNumber(have) > lastSeq || !includesAll(have, settledBefore);
  }
}

export function newStream(streamId: string): StreamState {
  const certain = { seq: 0, streamSpans: 0 };
  return { streamId, lastSeq: 0, streamSpans: 0, settled: [], certain, before: [] };
}
