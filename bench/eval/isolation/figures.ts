/** What was named in many cases, as figures. */
import type { Figure } from "../../table.ts";
import { bootstrapInterval, wilsonInterval } from "../interval.ts";
import { type NamedCase, type NameScore, scoreNames } from "./name-score.ts";

export interface Beside {
  readonly goals?: Partial<Record<keyof NameScore, number>>;
  readonly rivals?: Partial<Record<keyof NameScore, Readonly<Record<string, number>>>>;
}

const secondsMax = 1;
const mebibyte = 2 ** 20;

const labels: Readonly<Record<keyof NameScore, string>> = {
  f1: "F1 of combinations named exactly",
  precision: "precision",
  recall: "recall",
  top1: "cases whose first is right",
  top3: "cases with a right one among three",
  exact: "cases where all is named and nothing else",
};

export function nameFigures(cases: readonly NamedCase[], { goals, rivals }: Beside): Figure[] {
  const score = scoreNames(cases);
  const figures = (Object.keys(labels) as (keyof NameScore)[]).map((metric): Figure => {
    const goal = goals?.[metric];
    return {
      metric,
      label: labels[metric],
      value: score[metric],
      interval: bootstrapInterval(cases, (sample) => scoreNames(sample)[metric]),
      unit: "",
      ...(goal === undefined ? {} : { goal: { min: goal } }),
      rivals: rivals?.[metric] ?? {},
    };
  });
  return [...figures, ...costFigures(cases)];
}

/** A share of cases, with Wilson's interval. */
export function shareFigure(
  cases: readonly NamedCase[],
  isRight: (one: NamedCase) => boolean,
  rest: Pick<Figure, "metric" | "label" | "rivals" | "goal">,
): Figure {
  const right = cases.filter(isRight).length;
  return {
    ...rest,
    value: right / cases.length,
    interval: wilsonInterval(right, cases.length),
    unit: "",
  };
}

export function costFigures(cases: readonly NamedCase[]): Figure[] {
  const seconds = cases.map((one) => one.seconds).sort((a, b) => a - b);
  const at = (share: number): number => seconds[Math.floor(share * (seconds.length - 1))] as number;
  const sum = seconds.reduce((total, one) => total + one, 0);
  const inSeconds = (metric: string, label: string, value: number): Figure => {
    return { metric, label, value, unit: "s" };
  };
  return [
    { metric: "cases", label: "cases", value: seconds.length, unit: "" },
    {
      ...inSeconds("seconds_mean", "seconds a case", sum / seconds.length),
      goal: { max: secondsMax },
    },
    inSeconds("seconds_p50", "half of them within", at(0.5)),
    inSeconds("seconds_p95", "95 of 100 within", at(0.95)),
    inSeconds("seconds_max", "the slowest", at(1)),
    {
      metric: "memory_mib",
      label: "peak memory of the process so far",
      value: (process.resourceUsage().maxRSS * 1_024) / mebibyte,
      unit: "MiB",
    },
  ];
}
