/**
 * The collector's side of the protocol at its plainest: numbers that were applied, digests of the
 * records under them, and a ledger. It can be away, refuse, and lose its answers.
 */
import { createHash } from "node:crypto";
import { hasNumber, type NumberSet, withNumber } from "../../agent/spool/number-set.ts";
import type { Clock } from "../../base/clock.ts";
import { OperationalError } from "../../base/errors.ts";
import { type Ack, type CollectorLink, refusalOf } from "../../wire/agent-link.ts";
import { decodeSketchBatch, type SketchBatch } from "../../wire/sketch-batch.ts";

interface Stream {
  have: NumberSet;
  readonly digests: Map<number, string>;
  applied: number;
  lost: number;
  streamSpans: number;
  lastSeq: number;
  oldestSeq: number;
  gaps: [number, number][];
}

/** Refuses a batch by a code of its own; undefined takes it. */
export type Refuse = (batch: SketchBatch) => string | undefined;

export class ModelCollector implements CollectorLink {
  isAway = false;
  /** Answers that do not arrive, from now on. */
  answersLost = 0;
  refuse: Refuse = () => undefined;
  retryAfterMs: number | undefined;
  /** Its clock less the agents'. */
  aheadMs = 0;
  /** Everything that came, also what was refused. */
  readonly heard: SketchBatch[] = [];
  readonly sizes: number[] = [];
  /** What was sent while it was away. */
  readonly turnedAway: Uint8Array[] = [];
  readonly streams = new Map<string, Stream>();
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async send(bytes: Uint8Array): Promise<Ack> {
    if (this.isAway) {
      this.turnedAway.push(bytes);
      throw new OperationalError("COLLECTOR_UNREACHABLE", "away", { retryable: true });
    }
    const decoded = decodeSketchBatch(bytes);
    if (!decoded.ok) throw refusalOf(decoded.error);
    const batch = decoded.value;
    this.heard.push(batch);
    this.sizes.push(bytes.length);
    const code = this.refuse(batch);
    const { retryAfterMs } = this;
    if (code !== undefined) {
      const more = retryAfterMs === undefined ? {} : { retryAfterMs };
      throw refusalOf({ code, message: "as told", ...more });
    }
    const stream = this.#streamOf(batch.streamId);
    this.#apply(stream, batch, createHash("sha256").update(bytes).digest("hex"));
    if (this.answersLost > 0) {
      this.answersLost--;
      throw new OperationalError("COLLECTOR_UNREACHABLE", "lost", { retryable: true });
    }
    const collectorTimeMs = this.#clock.nowMs() + this.aheadMs;
    return { have: stream.have, thresholdsRevision: 0, collectorTimeMs };
  }

  async thresholds() {
    return { revision: 0, items: [] };
  }

  /** Spans over all streams. */
  get totals() {
    const sums = { applied: 0, lost: 0, unaccounted: 0 };
    for (const stream of this.streams.values()) {
      sums.applied += stream.applied;
      sums.lost += stream.lost;
      if (isComplete(stream)) {
        sums.unaccounted += stream.streamSpans - stream.applied - stream.lost;
      }
    }
    return sums;
  }

  windows() {
    return this.heard.filter((batch) => batch.kind === "window");
  }

  #streamOf(streamId: string): Stream {
    let stream = this.streams.get(streamId);
    if (stream === undefined) {
      const counts = { applied: 0, lost: 0, streamSpans: 0, lastSeq: 0, oldestSeq: 1 };
      stream = { have: [], digests: new Map(), gaps: [], ...counts };
      this.streams.set(streamId, stream);
    }
    return stream;
  }

  #apply(stream: Stream, batch: SketchBatch, digest: string): void {
    if (batch.kind === "heartbeat") {
      stream.oldestSeq = batch.oldestSeq;
      this.#hear(stream, batch);
      return;
    }
    if (hasNumber(stream.have, batch.seq)) {
      const known = stream.digests.get(batch.seq);
      if (known === undefined || known === digest) return;
      throw refusalOf({ code: "STREAM_FORKED", message: `number ${batch.seq}` });
    }
    stream.have = withNumber(stream.have, batch.seq);
    stream.digests.set(batch.seq, digest);
    this.#hear(stream, batch);
    if (batch.kind === "window") stream.applied += batch.counts.spans;
    if (batch.kind === "gap") stream.gaps.push([batch.gapFromMs, batch.gapToMs]);
    if (batch.kind !== "tombstone") return;
    for (const { seq, spans } of batch.lost) {
      if (hasNumber(stream.have, seq)) continue;
      stream.have = withNumber(stream.have, seq);
      stream.lost += spans;
    }
  }

  #hear(stream: Stream, batch: SketchBatch): void {
    if (batch.seq < stream.lastSeq) return;
    stream.lastSeq = batch.seq;
    stream.streamSpans = batch.streamSpans;
  }
}

function isComplete({ have, oldestSeq, lastSeq }: Stream): boolean {
  for (let seq = oldestSeq; seq <= lastSeq; seq++) if (!hasNumber(have, seq)) return false;
  return true;
}
