/** Recorded series: how well the detector of the product finds what is labelled in them. */
import type { Figure } from "../../table.ts";
import type { Benchmark } from "../benchmark.ts";
import { alarmThresholds } from "../configuration.ts";
import { bootstrapInterval, wilsonInterval } from "../interval.ts";
import {
  bestChallengeThreshold,
  type ChallengeScore,
  challengeScore,
  tallySeries,
} from "./challenge-score.ts";
import { fdrFigures } from "./jumpstarter.ts";
import { readNab } from "./nab-data.ts";
import { bestThreshold, type NabProfile, nabProfiles, nabScore, probationOf } from "./nab-score.ts";
import { type JudgedSeries, judgeSeries, stateBytes } from "./run-series.ts";
import { readWsd } from "./wsd-data.ts";

export const seriesBenchmarks: readonly Benchmark[] = [
  {
    name: "nab",
    title: "Detection: series of the Numenta Anomaly Benchmark",
    folder: "nab",
    measure: async (data) => nabFigures(data),
  },
  {
    name: "wsd",
    title: "Detection: a web service's indicators, minute by minute",
    folder: "wsd-kpi",
    measure: async (data) => wsdFigures(data),
  },
  {
    name: "jumpstarter",
    title: "Detection: false discoveries among many streams at once",
    folder: "jumpstarter-d2",
    measure: async (data) => fdrFigures(data),
  },
];

const dayMs = 86_400_000;
const mebibyte = 2 ** 20;

function nabFigures(data: string): Figure[] {
  const all = readNab(data).map((series) => {
    const judged = judgeSeries({ ...series, stepMs: series.stepMs });
    return { ...series, length: series.values.length, scores: judged.news, judged };
  });
  const at = (name: string, label: string, profile: NabProfile, threshold: number): Figure[] => [
    {
      metric: name,
      label: `${label}, fixed threshold`,
      value: nabScore(all, threshold, profile),
      interval: bootstrapInterval(all, (sample) => nabScore(sample, threshold, profile)),
      unit: "",
    },
    {
      metric: `${name}_optimum`,
      label: `${label}, threshold that suits this folder best`,
      value: nabScore(all, bestThreshold(all, profile), profile),
      unit: "",
    },
  ];
  const { standard, lowFalsePositives } = nabProfiles;
  const [first, ...rest] = at(
    "standard",
    "standard profile",
    standard,
    alarmThresholds.nabStandard,
  );
  const categories = [...new Set(all.map(({ category }) => category))];
  const labelled = categories
    .map((category) => all.filter((series) => series.category === category))
    .filter((some) => some.some(({ windows }) => windows.length > 0));
  const quiet = all.filter(({ windows }) => windows.length === 0);
  const quietRows = quiet.flatMap(({ length, scores }) =>
    Array.from(scores.subarray(probationOf(length))),
  );
  return [
    { ...(first as Figure), goal: { min: 70.1 }, rivals: nabPublished },
    ...rest,
    ...at("low_fp", "low-FP profile", lowFalsePositives, alarmThresholds.nabLowFalsePositives),
    ...labelled.map(
      (some): Figure => ({
        metric: some[0]?.category ?? "",
        label: `standard, ${some[0]?.category}`,
        value: nabScore(some, alarmThresholds.nabStandard, standard),
        unit: "",
        ...(some[0]?.category === "realKnownCause"
          ? { goal: { min: 65 }, rivals: { ARTime: 63.9, Numenta: 55.5 } }
          : {}),
      }),
    ),
    quietFigure(quietRows, alarmThresholds.nabStandard),
    ...costFigures(all.map(({ judged }) => judged)),
  ];
}

/** Thresholds chosen on the labelled files themselves; the first two see the future. */
const nabPublished = { ARTime: 74.85, Numenta: 70.1, earthgeckoSkyline: 58.2, knncad: 57.99 };

function wsdFigures(data: string): Figure[] {
  const all = readWsd(data).map(({ startMs, stepMs, values, labels }) => {
    const times = values.map((_, slot) => startMs + slot * stepMs);
    const judged = judgeSeries({ times, values, stepMs });
    const from = values.length >>> 1;
    const days = ((values.length - from) * stepMs) / dayMs;
    return { scores: judged.news, labels, from, days, judged };
  });
  const score = (threshold: number) =>
    all.map((series) => ({ ...tallySeries(series, threshold), days: series.days }));
  const tallies = score(alarmThresholds.wsd);
  const delays = tallies.flatMap((tally) => tally.delays).sort((a, b) => a - b);
  const days = tallies.reduce((sum, tally) => sum + tally.days, 0);
  const figure = (metric: keyof ChallengeScore, label: string): Figure => ({
    metric,
    label,
    value: challengeScore(tallies)[metric],
    interval: bootstrapInterval(tallies, (sample) => challengeScore(sample)[metric]),
    unit: "",
  });
  const quiet = all.filter(({ labels, from }) => !labels.subarray(from).includes(1));
  const quietRows = quiet.flatMap(({ scores, from }) => Array.from(scores.subarray(from)));
  return [
    {
      ...figure("f1", "F1, hits within 7 minutes, fixed threshold"),
      goal: { min: 0.75 },
      rivals: { "seasonal median": 0.671, "windowed Gaussian": 0.348 },
    },
    {
      metric: "f1_optimum",
      label: "F1, threshold that suits this folder best",
      value: challengeScore(score(bestChallengeThreshold(all))).f1,
      unit: "",
    },
    figure("precision", "precision"),
    figure("recall", "recall"),
    figure("eventRecall", "segments hit in time"),
    {
      metric: "false_points",
      label: "false points a series and day",
      value: challengeScore(tallies).falsePoints / days,
      unit: "",
      goal: { max: 1 },
      rivals: { "seasonal median": 2.42 },
    },
    {
      metric: "delay_median",
      label: "median delay of a hit",
      value: delays[delays.length >>> 1] ?? Number.NaN,
      unit: "min",
    },
    quietFigure(quietRows, alarmThresholds.wsd),
    ...costFigures(all.map(({ judged }) => judged)),
  ];
}

function quietFigure(scores: readonly number[], threshold: number): Figure {
  const seen = scores.filter((score) => !Number.isNaN(score));
  const alarms = seen.filter((score) => score >= threshold).length;
  return {
    metric: "quiet_alarms",
    label: "alarms in 10,000 rows of series without labels",
    value: (10_000 * alarms) / Math.max(1, seen.length),
    interval: wilsonInterval(alarms, seen.length).map((share) => 10_000 * share) as [
      number,
      number,
    ],
    unit: "",
  };
}

function costFigures(all: readonly JudgedSeries[]): Figure[] {
  const rows = all.reduce((sum, { news }) => sum + news.length, 0);
  const seconds = all.reduce((sum, one) => sum + one.seconds, 0);
  return [
    { metric: "series", label: "series", value: all.length, unit: "" },
    { metric: "rate", label: "rows a second on one core", value: rows / seconds, unit: "/s" },
    {
      metric: "state_bytes",
      label: "state of a series",
      value: Math.max(...all.map(({ baseline }) => stateBytes(baseline))),
      unit: "B",
      goal: { max: 1_024 },
    },
    {
      metric: "memory_mib",
      label: "peak memory of the process so far",
      value: (process.resourceUsage().maxRSS * 1_024) / mebibyte,
      unit: "MiB",
    },
  ];
}
