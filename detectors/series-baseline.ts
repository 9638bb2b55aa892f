/**
 * What a series normally does, learnt as it comes, and how surprising its newest value is.
 *
 * The forecast is the usual value of the time of day and of the week plus a slow level. The error,
 * in units of its usual size, is looked at alone and as a mean over more and more of the newest
 * values; each of these is ranked among its own past, and the most surprising of them is the
 * judgement, corrected for having looked several times. A value teaches at most `clipScales`, so an
 * incident does not become the normal at once, and a level that stays does within `levelSteps`.
 *
 * Source: Holt-Winters smoothing with clipped errors, Gelper, Fried and Croux 2010; control charts
 * of exponential means, Roberts 1959; ranks against the past: surprise-ranks.ts.
 */
import {
  createSeasonProfile,
  learnSeason,
  type SeasonProfile,
  seasonAt,
} from "./season-profile.ts";
import {
  createSurpriseRanks,
  learnSize,
  rankPValue,
  rankQuantile,
  type SurpriseRanks,
} from "./surprise-ranks.ts";

export interface SeriesOptions {
  /** How far observations are apart, ms. */
  readonly stepMs: number;
}

/** At most 1 KB. */
export interface SeriesBaseline {
  readonly stepMs: number;
  readonly day: SeasonProfile;
  /** What a time of the week adds to the time of day. */
  readonly week: SeasonProfile;
  /** Very slow: what a time of the day is taken for that was never seen. */
  mean: number;
  /** Of what the seasons leave over. */
  level: number;
  /** Usual size of an error. */
  scale: number;
  seen: number;
  /** Mean of the newest errors in scales, one for each of `spans`. */
  readonly means: Float32Array;
  readonly ranks: readonly SurpriseRanks[];
}

export interface SeriesJudgement {
  readonly expected: number;
  /** Where 99 % of ordinary values lie. */
  readonly low: number;
  readonly high: number;
  /** Share of ordinary observations at least as surprising, either way; in (0, 1]. */
  readonly pValue: number;
  readonly direction: "up" | "down" | "none";
}

const dayMs = 86_400_000;
const daySlots = 96;
const weekSlots = 42;
/** How many values the errors are averaged over. */
const spans = [1, 8, 64] as const;
const meanSteps = 100;
const levelSteps = 20;
const scaleSteps = 1_000;
const clipScales = 4;
/** Values after which an error is believed to have a usual size. */
const warmUp = 20;
/** An error below this share of the level is rounding. */
const rounding = 1e-4;
const bandPValue = 0.01;

export function createSeriesBaseline({ stepMs }: SeriesOptions): SeriesBaseline {
  return {
    stepMs,
    day: createSeasonProfile(dayMs, daySlots),
    week: createSeasonProfile(7 * dayMs, weekSlots),
    mean: 0,
    level: 0,
    scale: 0,
    seen: 0,
    means: new Float32Array(spans.length),
    ranks: spans.map(createSurpriseRanks),
  };
}

/** Judges an observation by the past alone, then learns it; undefined is missing, not zero. */
export function updateSeries(
  baseline: SeriesBaseline,
  timeMs: number,
  value: number | undefined,
): SeriesJudgement {
  if (baseline.seen === 0) baseline.mean = value ?? 0;
  const season =
    (seasonAt(baseline.day, timeMs) ?? baseline.mean) + (seasonAt(baseline.week, timeMs) ?? 0);
  const expected = season + baseline.level;
  if (value === undefined) return judgement(baseline, expected, 1, 0);
  const error = value - expected;
  const scale = Math.max(baseline.scale, rounding * Math.abs(expected), Number.MIN_VALUE);
  const warm = baseline.seen >= warmUp;
  const scaled = warm ? error / scale : 0;
  const judged = warm ? rankError(baseline, scaled) : { pValue: 1, sign: 0 };
  const result = judgement(baseline, expected, judged.pValue, judged.sign);
  learn(baseline, timeMs, { season, error, limit: warm ? clipScales * scale : Infinity });
  return result;
}

function rankError(baseline: SeriesBaseline, scaled: number): { pValue: number; sign: number } {
  const { means, ranks } = baseline;
  let [pValue, sign] = [1, 0];
  for (let index = 0; index < spans.length; index++) {
    const span = spans[index] as number;
    const before = means[index] as number;
    means[index] = before + (scaled - before) / span;
    const mean = means[index] as number;
    const size = Math.abs(mean) * Math.sqrt(span);
    const one = rankPValue(ranks[index] as SurpriseRanks, size);
    learnSize(ranks[index] as SurpriseRanks, size);
    if (one < pValue) [pValue, sign] = [one, Math.sign(mean)];
  }
  return { pValue: -Math.expm1(spans.length * Math.log1p(-pValue)), sign };
}

function learn(
  baseline: SeriesBaseline,
  timeMs: number,
  { season, error, limit }: { season: number; error: number; limit: number },
): void {
  const clipped = Math.max(-limit, Math.min(limit, error));
  const learnt = season + baseline.level + clipped;
  const daily = seasonAt(baseline.day, timeMs) ?? learnt;
  baseline.scale += (Math.abs(clipped) - baseline.scale) / Math.min(baseline.seen + 1, scaleSteps);
  baseline.mean += (learnt - baseline.mean) / Math.min(baseline.seen + 1, meanSteps);
  baseline.level += clipped / Math.min(baseline.seen + 1, levelSteps);
  learnSeason(baseline.day, timeMs, learnt);
  learnSeason(baseline.week, timeMs, learnt - daily);
  baseline.seen++;
}

function judgement(
  baseline: SeriesBaseline,
  expected: number,
  pValue: number,
  sign: number,
): SeriesJudgement {
  const reach = rankQuantile(baseline.ranks[0] as SurpriseRanks, bandPValue);
  const half = reach === undefined ? Infinity : reach * baseline.scale;
  const direction = sign > 0 ? "up" : sign < 0 ? "down" : "none";
  return { expected, low: expected - half, high: expected + half, pValue, direction };
}
