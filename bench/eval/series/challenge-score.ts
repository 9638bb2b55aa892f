/**
 * The score of the AIOps challenge for service indicators: a labelled segment counts, with all its
 * points, when it is hit within its first points, and is missed as a whole otherwise; then F1 over
 * the points of all series together.
 */

export interface LabelledSeries {
  /** By slot; NaN where nothing was measured. */
  readonly scores: Float64Array;
  readonly labels: Uint8Array;
  /** Slots before are for learning. */
  readonly from: number;
}

export interface ChallengeScore {
  readonly f1: number;
  readonly precision: number;
  readonly recall: number;
  /** Share of the segments hit in time. */
  readonly eventRecall: number;
  readonly falsePoints: number;
}

interface Event {
  readonly score: number;
  readonly points: number;
}

interface Events {
  readonly segments: readonly Event[];
  /** Scores outside segments, descending. */
  readonly outside: Float64Array;
}

/** Points after a segment's first that still count as in time. */
const delayMax = 7;

export function challengeScore(all: readonly LabelledSeries[], threshold: number): ChallengeScore {
  return scoreAt(eventsOf(all), threshold);
}

export function bestChallengeThreshold(all: readonly LabelledSeries[]): number {
  const events = eventsOf(all);
  const candidates = new Set(events.segments.map(({ score }) => score));
  let best = { threshold: Number.POSITIVE_INFINITY, f1: 0 };
  for (const threshold of candidates) {
    const { f1 } = scoreAt(events, threshold);
    if (f1 > best.f1) best = { threshold, f1 };
  }
  return best.threshold;
}

function scoreAt({ segments, outside }: Events, threshold: number): ChallengeScore {
  const hit = segments.filter(({ score }) => score >= threshold);
  const sum = (some: readonly Event[]): number => some.reduce((n, { points }) => n + points, 0);
  const right = sum(hit);
  const falsePoints = countAtLeast(outside, threshold);
  const precision = right / Math.max(1, right + falsePoints);
  const recall = right / Math.max(1, sum(segments));
  return {
    f1: right === 0 ? 0 : (2 * precision * recall) / (precision + recall),
    precision,
    recall,
    eventRecall: hit.length / Math.max(1, segments.length),
    falsePoints,
  };
}

function eventsOf(all: readonly LabelledSeries[]): Events {
  const segments: Event[] = [];
  const outside: number[] = [];
  for (const { scores, labels, from } of all) {
    for (let slot = from; slot < scores.length; slot++) {
      const score = scores[slot] as number;
      if (labels[slot] === 0) {
        if (!Number.isNaN(score)) outside.push(score);
        continue;
      }
      const first = slot;
      while (labels[slot + 1] === 1) slot++;
      const inTime = scores.subarray(first, Math.min(slot, first + delayMax) + 1);
      const reached = inTime.reduce((max, one) => (one > max ? one : max), -1);
      segments.push({ score: reached, points: slot - first + 1 });
    }
  }
  return { segments, outside: Float64Array.from(outside).sort().reverse() };
}

function countAtLeast(descending: Float64Array, threshold: number): number {
  let [low, high] = [0, descending.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((descending[middle] as number) >= threshold) low = middle + 1;
    else high = middle;
  }
  return low;
}
