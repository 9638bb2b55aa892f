/**
 * What a series normally does, learnt as it comes, and how surprising its newest value is.
 *
 * The forecast is the usual value of the time of day and of the week plus a level that follows
 * slowly. Three views of a value are each ranked among their own past: the value itself, its error,
 * and the mean of the newest errors. Their surprises, powers of ten, are averaged, the weakest at
 * half weight: one unusual view is not enough, and a drift need not be a spike as well. Departures
 * that are small beside the usual error count for less: being rare is not being large.
 *
 * A value teaches at most `clipScales`, so an incident does not become the normal at once; a level
 * that stays is the new normal after some `levelSteps`. The judgement is calibrated at the end by
 * the surprises that the series itself has had.
 *
 * Source: smoothing with clipped errors, Gelper, Fried and Croux 2010; control charts of means,
 * Roberts 1959; averages of p-values, Vovk and Wang 2020; ranks among the past as p-values, Vovk,
 * Gammerman and Shafer 2005.
 */
import {
  createIncidentMemory,
  type IncidentMemory,
  learnSurprise,
  newsOf,
  shareOf,
} from "./incident-memory.ts";
import {
  addRank,
  createRankSketch,
  largestOf,
  type RankSketch,
  ranksOf,
  upperQuantile,
} from "./rank-sketch.ts";
import {
  createSeasonProfile,
  learnSeason,
  type SeasonProfile,
  seasonAt,
} from "./season-profile.ts";

export interface SeriesOptions {
  /** How far observations are apart, ms. */
  readonly stepMs: number;
}

/** At most 1 KB. */
export interface SeriesBaseline {
  readonly day: SeasonProfile;
  /** What a time of the week adds to the time of day. */
  readonly week: SeasonProfile;
  readonly stepMs: number;
  /** Of the newest observation. */
  timeMs: number;
  /** Slow: what a time of day is taken for that was never seen. */
  mean: number;
  /** Of what the seasons leave over. */
  level: number;
  /** Usual size of an error. */
  scale: number;
  /** Mean of the newest errors, in scales. */
  slowError: number;
  readonly values: RankSketch;
  /** Of sizes, in scales. */
  readonly errors: RankSketch;
  readonly slowErrors: RankSketch;
  readonly memory: IncidentMemory;
}

export interface SeriesJudgement {
  readonly expected: number;
  /** Where 99 % of ordinary values lie; infinite until that is known. */
  readonly low: number;
  readonly high: number;
  /** Share of ordinary observations at least as surprising, either way; in (0, 1]. */
  readonly pValue: number;
  readonly direction: "up" | "down" | "none";
  /**
   * How much an alarm would tell, in powers of ten: the more the more surprising, the longer since
   * the like of it, and the rarer. At a threshold, alarms come about once for an incident.
   */
  readonly news: number;
}

const dayMs = 86_400_000;
const daySlots = 48;
const weekSlots = 42;
/** Observations the slow mean of errors looks back on. */
const slowSteps = 100;
const meanSteps = 100;
const levelSteps = 50;
const scaleSteps = 1_000;
const clipScales = 4;
/** One value moves the mean of errors no further. */
const spikeScales = 20;
/** Observations before errors have a usual size, and before there is a past to rank in. */
const warmUp = 20;
const ranked = 30;
/** An error below this share of the value is rounding. */
const rounding = 1e-4;
const scaleMin = 1e-12;
const sizeMax = 1e6;
/** Single precision holds this, and sums of it. */
const valueMax = 1e30;
/** Beyond the largest error the tail is taken to fall as that of a finite variance. */
const tailIndex = 2;
const weakestWeight = 0.5;
const weights = 2 + weakestWeight;
/** A departure of this many scales is large: it counts in full. */
const largeScales = 15;
/** How many single errors a lasting one of the same size is worth. */
const lasting = 4;
const bandShare = 0.01;

export function createSeriesBaseline({ stepMs }: SeriesOptions): SeriesBaseline {
  return {
    day: createSeasonProfile(dayMs, daySlots),
    week: createSeasonProfile(7 * dayMs, weekSlots),
    stepMs,
    timeMs: Number.NaN,
    mean: 0,
    level: 0,
    scale: 0,
    slowError: 0,
    values: createRankSketch(),
    errors: createRankSketch(),
    slowErrors: createRankSketch(),
    memory: createIncidentMemory(),
  };
}

/**
 * Judges an observation by the past alone, then learns it. Undefined, or what is no finite number,
 * is missing, not zero.
 */
export function updateSeries(
  baseline: SeriesBaseline,
  timeMs: number,
  observed: number | undefined,
): SeriesJudgement {
  const missing = observed === undefined || !Number.isFinite(observed);
  const value = missing ? 0 : Math.max(-valueMax, Math.min(valueMax, observed));
  const { memory } = baseline;
  if (memory.seen === 0) baseline.mean = value;
  const day = seasonAt(baseline.day, timeMs);
  const season = (day ?? baseline.mean) + (seasonAt(baseline.week, timeMs) ?? 0);
  const expected = season + baseline.level;
  const floor = Math.max(rounding * Math.abs(expected), scaleMin);
  const scale = Math.max(baseline.scale, floor);
  const half = memory.seen < ranked ? Infinity : upperQuantile(baseline.errors, bandShare) * scale;
  const low = expected - half;
  const high = expected + half;
  if (missing) return { expected, low, high, pValue: 1, direction: "none", news: 0 };
  const error = value - expected;
  const warm = memory.seen >= warmUp;
  const scaled = warm ? Math.max(-sizeMax, Math.min(sizeMax, error / scale)) : 0;
  fadeSlowError(baseline, timeMs);
  const signed = signedSurprise(baseline, value, scaled);
  const surprise = Math.abs(signed);
  const judgement = {
    expected,
    low,
    high,
    pValue: shareOf(memory, surprise),
    direction: signed > 0 ? "up" : signed < 0 ? "down" : "none",
    news: newsOf(memory, surprise),
  } as const;
  learnSurprise(memory, surprise);
  learn(baseline, timeMs, { day, season, error, limit: warm ? clipScales * scale : Infinity });
  return judgement;
}

/** Each step that went by without an observation says that there was no error. */
function fadeSlowError(baseline: SeriesBaseline, timeMs: number): void {
  const missed = Math.round((timeMs - baseline.timeMs) / baseline.stepMs) - 1;
  if (missed > 0) baseline.slowError *= (1 - 1 / slowSteps) ** missed;
  baseline.timeMs = timeMs;
}

/** Powers of ten, below zero where the value lies below what is usual. */
function signedSurprise(baseline: SeriesBaseline, value: number, scaled: number): number {
  const { values, errors, slowErrors, memory } = baseline;
  const bounded = Math.max(-spikeScales, Math.min(spikeScales, scaled));
  baseline.slowError += (bounded - baseline.slowError) / slowSteps;
  const size = Math.abs(scaled);
  const slowSize = Math.abs(baseline.slowError);
  let signed = 0;
  if (memory.seen >= ranked) {
    const ofValue = twoSided(values, value);
    const largest = largestOf(errors) ?? 0;
    const beyond = size > largest && largest > 0 ? tailIndex * Math.log10(size / largest) : 0;
    const ofError = upper(errors, size) + beyond;
    const ofSlow = upper(slowErrors, slowSize);
    const amount = Math.abs(ofValue);
    const weakest = Math.min(amount, ofError, ofSlow);
    const sum = amount + ofError + ofSlow - (1 - weakestWeight) * weakest;
    const sign =
      ofError >= ofSlow && ofError >= amount
        ? scaled
        : ofSlow >= amount
          ? baseline.slowError
          : ofValue;
    signed = Math.sign(sign) * (sum / weights) * effectOf(size + lasting * slowSize);
  }
  addRank(values, value);
  addRank(errors, size);
  addRank(slowErrors, slowSize);
  return signed;
}

/** 0 for nothing, 1 for what is large beside the usual error, by its logarithm. */
function effectOf(size: number): number {
  return Math.min(1, Math.log1p(2 * size) / Math.log1p(2 * largeScales));
}

/** Powers of ten by which a value is rare among those seen: below zero on the lower side. */
function twoSided(sketch: RankSketch, value: number): number {
  const { below, atMost } = ranksOf(sketch, value);
  const atLeast = sketch.size - below;
  const surprise = Math.log10((sketch.size + 2) / (2 * Math.min(atLeast, atMost) + 2));
  return Math.max(0, surprise) * (atLeast < atMost ? 1 : -1);
}

function upper(sketch: RankSketch, value: number): number {
  const atLeast = sketch.size - ranksOf(sketch, value).below;
  return Math.max(0, Math.log10((sketch.size + 2) / (atLeast + 1)));
}

interface Learnt {
  readonly day: number | undefined;
  readonly season: number;
  readonly error: number;
  readonly limit: number;
}

function learn(
  baseline: SeriesBaseline,
  timeMs: number,
  { day, season, error, limit }: Learnt,
): void {
  const clipped = Math.max(-limit, Math.min(limit, error));
  const learnt = season + baseline.level + clipped;
  const { seen } = baseline.memory;
  baseline.scale += (Math.abs(clipped) - baseline.scale) / Math.min(seen, scaleSteps);
  baseline.mean += (learnt - baseline.mean) / Math.min(seen, meanSteps);
  baseline.level += clipped / Math.min(seen, levelSteps);
  learnSeason(baseline.day, timeMs, learnt);
  learnSeason(baseline.week, timeMs, learnt - (day ?? baseline.mean));
}
