/** Isolation: what it is held against. */
import type { Figure } from "../../table.ts";
import type { Benchmark } from "../benchmark.ts";
import { bootstrapInterval } from "../interval.ts";
import { type NamedCase, type NameScore, scoreNames } from "./name-score.ts";
import { runRiskLoc } from "./riskloc.ts";
import { runRobustSpot } from "./robustspot.ts";

type Goals = Partial<Record<keyof NameScore, number>>;

/** Measured on these very files, by the methods' own code. */
type Published = Partial<Record<keyof NameScore, Readonly<Record<string, number>>>>;

export const isolationBenchmarks: readonly Benchmark[] = [
  {
    name: "robustspot",
    title: "Isolation: stalled plays of a video service",
    folder: "robustspot-rs",
    measure: async (data) =>
      nameFigures(
        runRobustSpot(data),
        { top1: 0.78, top3: 0.93, f1: 0.72 },
        {
          top1: { RobustSpot: 0.667, "G-test": 0.615 },
          f1: { RobustSpot: 0.628, "G-test": 0.597 },
        },
      ),
  },
  {
    name: "riskloc_s",
    title: "Isolation: RiskLoc's generator, 48,000 keys, anomalies in any cuboid",
    folder: "mdrc-synthetic/S",
    measure: async (data) =>
      nameFigures(runRiskLoc(data), { f1: 0.75 }, { f1: { RiskLoc: 0.597, AutoRoot: 0.459 } }),
  },
  {
    name: "riskloc_l",
    title: "Isolation: RiskLoc's generator, 36,000 keys, anomalies of single keys",
    folder: "mdrc-synthetic/L",
    measure: async (data) =>
      nameFigures(runRiskLoc(data), { f1: 0.85 }, { f1: { RiskLoc: 0.712, AutoRoot: 0.52 } }),
  },
];

const secondsMax = 1;
const mebibyte = 2 ** 20;

function nameFigures(cases: readonly NamedCase[], goals: Goals, published: Published): Figure[] {
  const score = scoreNames(cases);
  const figures = (["f1", "precision", "recall", "top1", "top3"] as const).map((metric): Figure => {
    const goal = goals[metric];
    return {
      metric,
      label: labels[metric],
      value: score[metric],
      interval: bootstrapInterval(cases, (sample) => scoreNames(sample)[metric]),
      unit: "",
      ...(goal === undefined ? {} : { goal: { min: goal } }),
      rivals: published[metric] ?? {},
    };
  });
  return [...figures, ...costFigures(cases.map(({ seconds }) => seconds))];
}

const labels: Readonly<Record<keyof NameScore, string>> = {
  f1: "F1 of combinations named exactly",
  precision: "precision",
  recall: "recall",
  top1: "cases whose first is right",
  top3: "cases with a right one among three",
};

function costFigures(seconds: readonly number[]): Figure[] {
  const sum = seconds.reduce((total, one) => total + one, 0);
  return [
    { metric: "cases", label: "cases", value: seconds.length, unit: "" },
    {
      metric: "seconds_mean",
      label: "seconds a case",
      value: sum / seconds.length,
      unit: "s",
      goal: { max: secondsMax },
    },
    { metric: "seconds_max", label: "the slowest", value: Math.max(...seconds), unit: "s" },
    {
      metric: "memory_mib",
      label: "peak memory of the process so far",
      value: (process.resourceUsage().maxRSS * 1_024) / mebibyte,
      unit: "MiB",
    },
  ];
}
