/**
 * PetShop: trouble seen at one part of a shop, its cause somewhere among what that part depends on.
 * Latency moves as metrics do and costs what it adds to every request; availability is counted.
 *
 * Specificity is what the data set's own scorer asks: hours without trouble split at several
 * places, all that follows taken for trouble, and no answer is the right one. The same is asked of
 * stretches as long as an issue.
 */
import type { Shift, SuspectGraph, SuspectNode } from "../../../dependency-graph/shifts.ts";
import { rankSuspects, type Suspect } from "../../../dependency-graph/suspects.ts";
import { type CountedWindow, countShift } from "../../../detectors/count-shift.ts";
import { metricShift, splitAtOnset } from "../../../detectors/metric-shift.ts";
import type { Figure } from "../../table.ts";
import type { Benchmark } from "../benchmark.ts";
import {
  metricKey,
  type PetShopMetrics,
  type PetShopScenario,
  type PetShopTarget,
  petShopWindowMs,
  readPetShop,
  sliceMetrics,
} from "./petshop-data.ts";
import {
  costFigures,
  faultTypeFigures,
  type RankedCase,
  type RankGoals,
  rankFigures,
  shareFigure,
  strictRank,
  withGoal,
} from "./rank-score.ts";

interface PetShopCase extends RankedCase {
  readonly metric: string;
  readonly jitterMs: number;
}

interface Silence {
  readonly metric: string;
  readonly kind: "split" | "stretch";
  readonly silent: boolean;
  readonly first: string;
}

const goals: RankGoals = {
  latency_top1: { goal: 0.8, rivals: { "MAD + traversal": 0.571 } },
  latency_top3: { goal: 0.93, rivals: { "MAD + traversal": 0.679 } },
  latency_specificity: { goal: 0.95, rivals: { "MAD + traversal": 0.25 } },
  availability_top1: { goal: 0.9, rivals: { "MAD + traversal": 0.75 } },
};

const jittersMs: readonly number[] = [0, -60_000, 60_000, 120_000];
const msPerSecond = 1_000;
/** Of the data set's scorer: the first split, the step to the next, and windows before the onset. */
const firstSplitShare = 0.5;
const splitStepShare = 0.1;
const windowsBeforeOnset = 2;
/** Of an issue's file. */
const issueWindows = 5;

export const petShop: Benchmark = {
  name: "petshop",
  title: "Cause: a part of PetShop slow or failing, five-minute metrics on a given graph",
  folder: "petshop",
  measure: async (data) => {
    const scenarios = readPetShop(data);
    const cases = scenarios.flatMap(runIssues);
    const silences = scenarios.flatMap(runFaultFree);
    const metrics = [...new Set(cases.map(({ metric }) => metric))].sort().reverse();
    return [
      ...metrics.flatMap((metric) => metricFigures(metric, cases, silences)),
      ...costFigures(cases),
    ];
  },
};

function metricFigures(
  metric: string,
  cases: readonly PetShopCase[],
  silences: readonly Silence[],
): Figure[] {
  const own = cases.filter((one) => one.metric === metric);
  const exact = own.filter(({ jitterMs }) => jitterMs === 0);
  const jittered = own.filter(({ jitterMs }) => jitterMs !== 0);
  const quiet = (kind: Silence["kind"], name: string): Figure => {
    const asked = silences.filter((one) => one.metric === metric && one.kind === kind);
    const right = asked.filter(({ silent }) => silent).length;
    const named = { metric: `${metric}_${name}`, label: `${metric} ${name}`.replace("_", ", ") };
    return withGoal(shareFigure(named, { right, of: asked.length }), goals);
  };
  return [
    ...rankFigures(exact, { prefix: `${metric}_`, ks: [1, 3], goals }),
    quiet("split", "specificity"),
    quiet("stretch", "specificity_stretches"),
    ...rankFigures(jittered, { prefix: `${metric}_jittered_`, ks: [1] }),
    ...faultTypeFigures(exact, `${metric}_`),
  ];
}

function runIssues(scenario: PetShopScenario): PetShopCase[] {
  return scenario.issues.flatMap(({ name, metrics, target, cause }) =>
    jittersMs.map((jitterMs) => {
      const startedMs = performance.now();
      const onsetMs = target.onsetMs + jitterMs;
      const suspects = rankSuspects(
        graphOf(scenario, { ...target, onsetMs }, [scenario.normal, metrics]),
      );
      return {
        name,
        faultType: scenario.name,
        metric: target.metric,
        jitterMs,
        rank: strictRank(suspects, cause),
        first: firstWords(suspects),
        seconds: (performance.now() - startedMs) / msPerSecond,
      };
    }),
  );
}

function runFaultFree(scenario: PetShopScenario): Silence[] {
  const { normal, issues } = scenario;
  const targets = new Map(
    issues.map(({ target }) => [JSON.stringify({ ...target, onsetMs: 0 }), target]),
  );
  const windows = normal.timesMs.length;
  const first = Math.floor(windows * firstSplitShare);
  const step = Math.floor(windows * splitStepShare);
  return [...targets.values()].flatMap((target) => {
    const silenceAt = (at: number, kind: Silence["kind"], to?: number): Silence => {
      const metrics = sliceMetrics(normal, at, to);
      const onsetMs = metrics.timesMs[windowsBeforeOnset] as number;
      const known = [sliceMetrics(normal, 0, at), metrics] as const;
      const suspects = rankSuspects(graphOf(scenario, { ...target, onsetMs }, known));
      const { metric } = target;
      return { metric, kind, silent: suspects.length === 0, first: firstWords(suspects) };
    };
    const silences: Silence[] = [];
    for (let at = first; at < windows - 3; at += step) silences.push(silenceAt(at, "split"));
    for (let at = first; at + issueWindows <= windows; at += issueWindows) {
      silences.push(silenceAt(at, "stretch", at + issueWindows));
    }
    return silences;
  });
}

function graphOf(
  { edges }: PetShopScenario,
  target: PetShopTarget,
  [normal, around]: readonly [PetShopMetrics, PetShopMetrics],
): SuspectGraph {
  const seriesOf = (metrics: PetShopMetrics, node: string, [metric, statistic]: MetricName) => {
    const values = metrics.values.get(metricKey(node, metric, statistic)) ?? [];
    return { timesMs: metrics.timesMs, windowMs: petShopWindowMs, values };
  };
  const readAround = (node: string, name: MetricName): Around => {
    const { before, during } = splitAtOnset(seriesOf(around, node, name), target.onsetMs);
    return { past: seriesOf(normal, node, name).values, recent: before, during };
  };
  const ids = new Set(edges.flatMap(({ caller, callee }) => [caller, callee]));
  const nodes = [...ids.add(target.node)].map((id): SuspectNode => {
    const moved = readAround(id, [target.metric, target.statistic]);
    const requests = readAround(id, ["requests", "Sum"]);
    const shift =
      target.metric === "availability"
        ? availabilityShift(moved, requests)
        : latencyShift(moved, requests);
    return { id, shifts: shift === undefined ? [] : [shift] };
  });
  const calls = edges.map((edge) => ({ ...edge, shifts: [] }));
  return { nodes, edges: calls, entry: target.node };
}

type MetricName = readonly [metric: string, statistic: string];

interface Around {
  readonly past: readonly number[];
  readonly recent: readonly number[];
  readonly during: readonly number[];
}

function latencyShift({ past, recent, during }: Around, requests: Around): Shift | undefined {
  const moved = metricShift([...past, ...recent], during, { recent });
  if (moved === undefined) return undefined;
  const counts = requests.during.filter(Number.isFinite);
  const calls = counts.reduce((sum, count) => sum + count, 0) / Math.max(1, counts.length);
  const cost = (moved.during - moved.before) * calls;
  return { kind: "latency", name: "", unit: "s", ...moved, cost };
}

function availabilityShift(availability: Around, requests: Around): Shift | undefined {
  const counted = (of: keyof Around): CountedWindow[] =>
    availability[of].flatMap((percent, at) => {
      const count = requests[of][at] ?? Number.NaN;
      const isKnown = Number.isFinite(percent) && count > 0;
      return isKnown ? [{ count, bad: Math.round(count * (1 - percent / 100)) }] : [];
    });
  const moved = countShift([...counted("past"), ...counted("recent")], counted("during"));
  if (moved === undefined) return undefined;
  const { expected, bad, excess, score } = moved;
  return { kind: "errors", name: "", unit: "", before: expected, during: bad, score, cost: excess };
}

function firstWords(suspects: readonly Suspect[]): string {
  const [first] = suspects;
  return first === undefined ? "none" : `${first.score.toFixed(2)} ${first.evidence.join("; ")}`;
}
