/**
 * The last point of every cumulative series, so that the next one tells what was added in between.
 *
 * A series that is new, or has a later start than before, counts from its start when that was not
 * long ago, as it is for a process that has just begun; otherwise its history lies before us and
 * only its next point says something. What became less without a new start began anew unseen.
 *
 * Bounds: `seriesMax` series with `numbersMax` buckets together; one more is not followed, and
 * counted, until others have been idle for `idleMs`. Source: OTel metrics data model, "Resets and
 * gaps" and "Cumulative streams: handling unknown start time".
 */
import type { MetricPoint, PointData } from "../../wire/metric-point.ts";
import { changeOf } from "./point-change.ts";

interface Last {
  startMs: number;
  timeMs: number;
  data: PointData;
  size: number;
  seenMs: number;
}

export interface Change {
  readonly data: PointData;
  readonly seconds: number;
}

/** Why a point adds nothing of its own. */
export type Silence = "first" | "reset" | "repeated" | "unfollowed" | "instant";

export interface SeriesLimits {
  readonly seriesMax: number;
  readonly numbersMax: number;
}

/** Two usual export intervals. */
const firstMsMax = 120_000;
/** Longer than any usual interval. */
const idleMs = 900_000;
const msPerSecond = 1_000;

export class SeriesMemory {
  readonly #limits: SeriesLimits;
  readonly #series = new Map<string, Last>();
  #numbers = 0;

  constructor(limits: SeriesLimits) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#series.size;
  }

  /** What the point adds to the last one of its series, which it takes the place of. */
  advance(id: string, point: MetricPoint, nowMs: number): Change | Silence {
    const last = this.#series.get(id);
    if (last === undefined) {
      return this.#follow(id, point, nowMs) ? sinceStart(point, "first") : "unfollowed";
    }
    if (point.timeMs <= last.timeMs) return "repeated";
    const { data, startMs, timeMs } = last;
    this.#put(last, point, nowMs);
    if (point.startMs > startMs && startMs > 0) return sinceStart(point, "reset");
    const change = changeOf(point.data, data);
    if (change === undefined) return "reset";
    return { data: change, seconds: (point.timeMs - timeMs) / msPerSecond };
  }

  /** Forgets series that nobody has told of for long; to be called now and then. */
  forgetIdle(nowMs: number): void {
    for (const [id, { seenMs, size }] of this.#series) {
      if (nowMs - seenMs < idleMs) continue;
      this.#series.delete(id);
      this.#numbers -= size;
    }
  }

  #follow(id: string, { data, startMs, timeMs }: MetricPoint, nowMs: number): boolean {
    const size = sizeOf(data);
    const { seriesMax, numbersMax } = this.#limits;
    if (this.#series.size >= seriesMax || this.#numbers + size > numbersMax) return false;
    this.#series.set(id, { startMs, timeMs, data, size, seenMs: nowMs });
    this.#numbers += size;
    return true;
  }

  /** A known series keeps its place even where its buckets have become more. */
  #put(last: Last, { data, startMs, timeMs }: MetricPoint, nowMs: number): void {
    this.#numbers -= last.size;
    last.startMs = startMs;
    last.timeMs = timeMs;
    last.data = data;
    last.size = sizeOf(data);
    last.seenMs = nowMs;
    this.#numbers += last.size;
  }
}

function sinceStart({ data, startMs, timeMs }: MetricPoint, otherwise: Silence): Change | Silence {
  const ms = timeMs - startMs;
  const isRecent = startMs > 0 && ms > 0 && ms <= firstMsMax;
  return isRecent ? { data, seconds: ms / msPerSecond } : otherwise;
}

function sizeOf(data: PointData): number {
  switch (data.kind) {
    case "histogram":
      return 1 + 2 * data.counts.length;
    case "exponential histogram":
      return 1 + data.positive.counts.length + data.negative.counts.length;
    default:
      return 1;
  }
}
