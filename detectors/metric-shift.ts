/**
 * How far a signal moved from its ordinary level: the far quartile of the trouble against median
 * and spread before it. No mean and no standard deviation, which a single outlier, or a start of
 * trouble that is told wrongly, would carry away.
 *
 *   spread   the larger of IQR / 1.53 and the reach of the outer percentiles / 9.08: both are the
 *            scale of a t law of 3 degrees; the second knows tails and rare steps, of which the IQR
 *            of a signal that mostly stands still knows nothing
 *   far      the quartile of `during` that lies farther from the median before: trouble need fill a
 *            quarter of it only, and fewer odd values do not count
 *   score    the signed root of the log-likelihood ratio that far/spread has under that law.
 *            Metrics have heavy tails: 50 spreads are hardly more evidence than 30, and 5 are what
 *            3 would be of a normal signal
 *
 * A signal that never moved before has no spread; a change of less than `resolution` of its level
 * is worth no name whatever its spread, so no score is infinite.
 *
 * Where the reference reaches far back, the level may have drifted since. What stood as far off in
 * the last windows before the onset is no shift of now: the nearer of both levels counts.
 *
 * The start of trouble is known to some minutes only. What lies in between is left out by
 * `splitAtOnset`, so neither side holds the other's values.
 *
 * The score is signed: a resource that rises may be a cause, one that falls is relieved by work
 * that no longer arrives. Which of the two counts is for the caller to say.
 *
 * Sources: Pham et al., BARO, FSE 2024 (median and IQR in place of mean and deviation); Lange,
 * Little, Taylor 1989 (t as the robust law: three degrees are the heaviest tail with a variance).
 */
export interface MetricShift {
  /** The level it left: the median, or the last one where that is nearer. */
  readonly before: number;
  /** The far quartile. */
  readonly during: number;
  /** Its sign is the direction; 3 and more is not ordinary. */
  readonly score: number;
}

export interface MetricShiftOptions {
  /** The newest of `before`, where that reaches far back; none unless given. */
  readonly recent?: ArrayLike<number>;
  /** Spread that chance alone gives, where that is known; 0 unless given. */
  readonly spreadMin?: number;
}

export interface TimedValues {
  /** Where the window of each value begins; of the same length as `values`. */
  readonly timesMs: ArrayLike<number>;
  /** Length of a window; 0 for samples of an instant. */
  readonly windowMs: number;
  /** What is not finite is missing. */
  readonly values: ArrayLike<number>;
}

/** Fewer values before say nothing of what is ordinary. */
const beforeMin = 4;
/** What detection may need, from the first bad event to the onset it tells. */
const lateMsMax = 120_000;
/** Quartiles and outer percentiles of Student's t of `freedom` degrees lie so far apart. */
const freedom = 3;
const lawIqr = 1.53;
const outerShare = 0.99;
const lawOuter = 9.08;
const resolution = 1e-3;

/** Undefined where there is too little to compare. */
export function metricShift(
  before: ArrayLike<number>,
  during: ArrayLike<number>,
  { recent = [], spreadMin = 0 }: MetricShiftOptions = {},
): MetricShift | undefined {
  const past = sortFinite(before);
  const now = sortFinite(during);
  if (past.length < beforeMin || now.length === 0) return undefined;
  const median = quantileSorted(past, 0.5);
  const low = quantileSorted(now, 0.25);
  const high = quantileSorted(now, 0.75);
  const far = high - median >= median - low ? high : low;
  const spread = Math.max(
    (quantileSorted(past, 0.75) - quantileSorted(past, 0.25)) / lawIqr,
    (quantileSorted(past, outerShare) - quantileSorted(past, 1 - outerShare)) / lawOuter,
    resolution * Math.abs(median),
    spreadMin,
  );
  const level = nearestLevel({ median, far }, sortFinite(recent));
  const unit = spread > 0 ? spread : resolution * Math.abs(far);
  const deviations = far === level ? 0 : (far - level) / unit;
  return { before: level, during: far, score: evidenceOf(deviations) };
}

/** Between the median and `far`, as near to it as the signal stood of late. */
function nearestLevel(
  { median, far }: { readonly median: number; readonly far: number },
  recent: Float64Array,
): number {
  if (recent.length === 0) return median;
  const last = quantileSorted(recent, 0.5);
  return far >= median
    ? Math.min(far, Math.max(median, last))
    : Math.max(far, Math.min(median, last));
}

function evidenceOf(deviations: number): number {
  const ratio = (freedom + 1) * Math.log1p((deviations * deviations) / freedom);
  return Math.sign(deviations) * Math.sqrt(ratio);
}

/**
 * Windows before a trouble told to begin at `onsetMs`, at most half of each of which may be
 * trouble, and those that saw it.
 */
export function splitAtOnset(
  { timesMs, windowMs, values }: TimedValues,
  onsetMs: number,
): { readonly before: number[]; readonly during: number[] } {
  const before: number[] = [];
  const during: number[] = [];
  for (let at = 0; at < timesMs.length; at++) {
    const startMs = timesMs[at] as number;
    if (startMs + windowMs / 2 < onsetMs - lateMsMax) before.push(values[at] as number);
    else if (startMs + windowMs > onsetMs) during.push(values[at] as number);
  }
  return { before, during };
}

function sortFinite(values: ArrayLike<number>): Float64Array {
  return Float64Array.from(Array.from(values).filter(Number.isFinite)).sort();
}

/** Linear between the two nearest. */
function quantileSorted(sorted: Float64Array, share: number): number {
  const place = share * (sorted.length - 1);
  const below = sorted[Math.floor(place)] as number;
  const above = sorted[Math.ceil(place)] as number;
  return below + (place - Math.floor(place)) * (above - below);
}
