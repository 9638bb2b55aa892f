/**
 * The score of the Numenta Anomaly Benchmark: each labelled window counts once, by its earliest
 * detection, and each detection outside costs more the farther it is behind a window. 0 is what a
 * detector gets that never speaks, 100 what one gets that is right at every window's start.
 *
 * Source: Lavin and Ahmad 2015, "Evaluating real-time anomaly detection algorithms", section III.
 */

/** Rows of a series, first and last, both inside. */
export type LabelledWindow = readonly [first: number, last: number];

export interface ScoredSeries {
  readonly length: number;
  readonly windows: readonly LabelledWindow[];
  /** By row; a detection is a score at or above the threshold. */
  readonly scores: ArrayLike<number>;
}

export interface NabProfile {
  readonly falsePositive: number;
  readonly falseNegative: number;
}

export const nabProfiles = {
  standard: { falsePositive: 0.11, falseNegative: 1 },
  lowFalsePositives: { falsePositive: 0.22, falseNegative: 1 },
} as const satisfies Record<string, NabProfile>;

const probationShare = 0.15;
const probationRowsMax = 750;
const farBehind = 3;
const steepness = 5;

/** Rows that are not scored, for a detector to learn. */
export function probationOf(length: number): number {
  return Math.min(Math.floor(probationShare * length), probationRowsMax);
}

/** 0..100 over all series together, at one threshold; below 0 for worse than silence. */
export function nabScore(
  all: readonly ScoredSeries[],
  threshold: number,
  profile: NabProfile,
): number {
  let raw = 0;
  let windows = 0;
  for (const series of all) {
    raw += scoreSeries(series, threshold, profile);
    windows += series.windows.length;
  }
  const silent = -profile.falseNegative * windows;
  return (100 * (raw - silent)) / (windows - silent);
}

/** The threshold with the best score, of those that divide the scores. */
export function bestThreshold(all: readonly ScoredSeries[], profile: NabProfile): number {
  const changes: { score: number; gain: number }[] = [];
  for (const series of all) changes.push(...changesOf(series, profile));
  changes.sort((a, b) => b.score - a.score);
  let best = { threshold: Number.POSITIVE_INFINITY, raw: 0 };
  let raw = 0;
  for (const [index, { score, gain }] of changes.entries()) {
    raw += gain;
    if (changes[index + 1]?.score === score) continue;
    if (raw > best.raw) best = { threshold: score, raw };
  }
  return best.threshold;
}

function scoreSeries(
  { length, windows, scores }: ScoredSeries,
  threshold: number,
  profile: NabProfile,
): number {
  let sum = 0;
  const earliest = windows.map(() => -profile.falseNegative);
  for (let row = probationOf(length); row < length; row++) {
    if ((scores[row] as number) < threshold) continue;
    const at = windows.findIndex(([first, last]) => row >= first && row <= last);
    if (at < 0) sum += outside(windows, row, profile);
    else
      earliest[at] = Math.max(earliest[at] as number, inside(windows[at] as LabelledWindow, row));
  }
  return earliest.reduce((total, one) => total + one, sum);
}

/** What lowering the threshold to each row's score adds, above a detector that is silent. */
function changesOf({ length, windows, scores }: ScoredSeries, profile: NabProfile) {
  const changes: { score: number; gain: number }[] = [];
  const rows: { score: number; at: number; worth: number }[] = [];
  for (let row = probationOf(length); row < length; row++) {
    const score = scores[row] as number;
    const at = windows.findIndex(([first, last]) => row >= first && row <= last);
    if (at < 0) changes.push({ score, gain: outside(windows, row, profile) });
    else rows.push({ score, at, worth: inside(windows[at] as LabelledWindow, row) });
  }
  rows.sort((a, b) => b.score - a.score);
  const reached = windows.map(() => -profile.falseNegative);
  for (const { score, at, worth } of rows) {
    const before = reached[at] as number;
    if (worth <= before) continue;
    reached[at] = worth;
    changes.push({ score, gain: worth - before });
  }
  return changes;
}

/** 1 at the window's start, almost 0 at its end. */
function inside([first, last]: LabelledWindow, row: number): number {
  const width = last - first + 1;
  return scaledSigmoid(-(last - row + 1) / width) / scaledSigmoid(-1);
}

/** 0 right behind a window, down to the whole cost far behind one, or before any. */
function outside(windows: readonly LabelledWindow[], row: number, profile: NabProfile): number {
  const before = windows.findLast(([, last]) => last < row);
  if (before === undefined) return -profile.falsePositive;
  const [first, last] = before;
  return scaledSigmoid((row - last) / Math.max(1, last - first)) * profile.falsePositive;
}

function scaledSigmoid(position: number): number {
  return position > farBehind ? -1 : 2 / (1 + Math.exp(steepness * position)) - 1;
}
