/** Where the true cause stands in one strict ranked list, and the figures of many such cases. */
import type { Figure } from "../../table.ts";
import { bootstrapInterval, wilsonInterval } from "../interval.ts";

const kibibytesInMebibyte = 1_024;

export interface RankedCase {
  /** As the data set names it: which case. */
  readonly name: string;
  readonly faultType: string;
  /** 1 is first; infinite when it is not in the list. */
  readonly rank: number;
  /** What stands first, to read beside a failure. */
  readonly first: string;
  readonly seconds: number;
}

export interface Scored {
  readonly id: string;
  readonly score: number;
}

/** Position of `wanted`; of a tie it has the last, so a tie is never luck. */
export function strictRank(list: readonly Scored[], wanted: string): number {
  const found = list.find(({ id }) => id === wanted);
  if (found === undefined) return Number.POSITIVE_INFINITY;
  return list.filter(({ score }) => score >= found.score).length;
}

export interface RankGoals {
  readonly [metric: string]: { readonly goal?: number; readonly rivals?: Figure["rivals"] };
}

/** Shares of cases with the cause among the first k, and the mean reciprocal rank. */
export function rankFigures(
  cases: readonly RankedCase[],
  { prefix = "", ks, goals = {} }: { prefix?: string; ks: readonly number[]; goals?: RankGoals },
): Figure[] {
  const figures = ks.map((k) => {
    const metric = `${prefix}top${k}`;
    return withGoal(shareWithin(cases, k, { metric, label: `${labelOf(prefix)}top ${k}` }), goals);
  });
  const mrr = (sample: readonly RankedCase[]): number =>
    sample.reduce((sum, { rank }) => sum + 1 / rank, 0) / sample.length;
  return [
    ...figures,
    {
      metric: `${prefix}mrr`,
      label: `${labelOf(prefix)}mean reciprocal rank`,
      value: mrr(cases),
      interval: bootstrapInterval(cases, mrr),
      unit: "",
    },
  ];
}

/** Top 1 for each type of fault. */
export function faultTypeFigures(cases: readonly RankedCase[], prefix = ""): Figure[] {
  const types = [...new Set(cases.map(({ faultType }) => faultType))].sort();
  return types.map((type) => {
    const own = cases.filter(({ faultType }) => faultType === type);
    const metric = `${prefix}top1.${type.replace(/[^A-Za-z0-9]+/g, "_")}`;
    const label = `  ${labelOf(prefix)}${type}, of ${own.length}`;
    return shareWithin(own, 1, { metric, label });
  });
}

/** A share of counted cases, with Wilson's interval. */
export function shareFigure(
  { metric, label }: Pick<Figure, "metric" | "label">,
  { right, of }: { readonly right: number; readonly of: number },
): Figure {
  return { metric, label, value: right / of, interval: wilsonInterval(right, of), unit: "" };
}

export function withGoal(figure: Figure, goals: RankGoals): Figure {
  const { goal, rivals } = goals[figure.metric] ?? {};
  return {
    ...figure,
    ...(goal === undefined ? {} : { goal: { min: goal } }),
    ...(rivals === undefined ? {} : { rivals }),
  };
}

/** What the answers cost, and how many there were. */
export function costFigures(cases: readonly { readonly seconds: number }[]): Figure[] {
  const seconds = cases.map((one) => one.seconds);
  const mean = seconds.reduce((sum, one) => sum + one, 0) / seconds.length;
  return [
    { metric: "cases", label: "cases", value: cases.length, unit: "" },
    { metric: "seconds_mean", label: "seconds a case", value: mean, unit: "s" },
    { metric: "seconds_max", label: "the slowest", value: Math.max(...seconds), unit: "s" },
    {
      metric: "memory_mib",
      label: "peak memory of the process so far",
      value: process.resourceUsage().maxRSS / kibibytesInMebibyte,
      unit: "MiB",
    },
  ];
}

function shareWithin(
  cases: readonly RankedCase[],
  k: number,
  named: Pick<Figure, "metric" | "label">,
): Figure {
  const right = cases.filter(({ rank }) => rank <= k).length;
  return shareFigure(named, { right, of: cases.length });
}

function labelOf(prefix: string): string {
  return prefix.replaceAll(/[._]/g, " ");
}
