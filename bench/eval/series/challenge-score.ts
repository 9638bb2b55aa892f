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

/** What one series adds to the score at a threshold. */
export interface ChallengeTally {
  readonly segments: number;
  readonly hits: number;
  readonly points: number;
  readonly hitPoints: number;
  readonly falsePoints: number;
  /** Slots from a hit segment's first to its first alarm. */
  readonly delays: readonly number[];
}

export interface ChallengeScore {
  readonly f1: number;
  readonly precision: number;
  readonly recall: number;
  /** Share of the segments hit in time. */
  readonly eventRecall: number;
  readonly falsePoints: number;
}

interface Segment {
  readonly first: number;
  /** The last that still counts as in time. */
  readonly inTime: number;
  readonly points: number;
}

/** Points after a segment's first that still count as in time. */
const delayMax = 7;

export function tallySeries(series: LabelledSeries, threshold: number): ChallengeTally {
  const { scores, labels, from } = series;
  const segments = segmentsOf(series);
  const delays = segments.flatMap(({ first, inTime }) => {
    const alarm = scores.subarray(first, inTime + 1).findIndex((score) => score >= threshold);
    return alarm < 0 ? [] : [{ alarm, first }];
  });
  const hitFirsts = new Set(delays.map(({ first }) => first));
  let falsePoints = 0;
  for (let slot = from; slot < scores.length; slot++)
    if (labels[slot] === 0 && (scores[slot] as number) >= threshold) falsePoints++;
  return {
    segments: segments.length,
    hits: delays.length,
    points: pointsOf(segments),
    hitPoints: pointsOf(segments.filter(({ first }) => hitFirsts.has(first))),
    falsePoints,
    delays: delays.map(({ alarm }) => alarm),
  };
}

export function challengeScore(tallies: readonly ChallengeTally[]): ChallengeScore {
  const total = { segments: 0, hits: 0, points: 0, hitPoints: 0, falsePoints: 0 };
  for (const tally of tallies)
    for (const name of Object.keys(total) as (keyof typeof total)[]) total[name] += tally[name];
  const precision = total.hitPoints / Math.max(1, total.hitPoints + total.falsePoints);
  const recall = total.hitPoints / Math.max(1, total.points);
  return {
    f1: total.hitPoints === 0 ? 0 : (2 * precision * recall) / (precision + recall),
    precision,
    recall,
    eventRecall: total.hits / Math.max(1, total.segments),
    falsePoints: total.falsePoints,
  };
}

/** The threshold with the best F1, of those that divide the segments. */
export function bestChallengeThreshold(all: readonly LabelledSeries[]): number {
  const changes: { score: number; right: number; wrong: number }[] = [];
  let points = 0;
  for (const series of all) {
    const { scores, labels, from } = series;
    for (const { first, inTime, points: right } of segmentsOf(series)) {
      const reached = scores.subarray(first, inTime + 1);
      changes.push({ score: largestOf(reached), right, wrong: 0 });
      points += right;
    }
    for (let slot = from; slot < scores.length; slot++)
      if (labels[slot] === 0 && (scores[slot] as number) > 0)
        changes.push({ score: scores[slot] as number, right: 0, wrong: 1 });
  }
  changes.sort((a, b) => b.score - a.score);
  let best = { threshold: Number.POSITIVE_INFINITY, f1: 0 };
  let [right, wrong] = [0, 0];
  for (const [index, change] of changes.entries()) {
    right += change.right;
    wrong += change.wrong;
    if (change.right === 0 || changes[index + 1]?.score === change.score) continue;
    const f1 = (2 * right) / (points + right + wrong);
    if (f1 > best.f1) best = { threshold: change.score, f1 };
  }
  return best.threshold;
}

function segmentsOf({ labels, from }: LabelledSeries): Segment[] {
  const segments: Segment[] = [];
  for (let slot = from; slot < labels.length; slot++) {
    if (labels[slot] === 0) continue;
    const first = slot;
    while (labels[slot + 1] === 1) slot++;
    segments.push({ first, inTime: Math.min(slot, first + delayMax), points: slot - first + 1 });
  }
  return segments;
}

function pointsOf(segments: readonly Segment[]): number {
  return segments.reduce((sum, { points }) => sum + points, 0);
}

function largestOf(scores: Float64Array): number {
  return scores.reduce((largest, score) => (score > largest ? score : largest), -1);
}
