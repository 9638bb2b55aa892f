/** Isolation: what it is held against. */
import type { Figure } from "../../table.ts";
import type { Benchmark } from "../benchmark.ts";
import { drawIncident, type IncidentDesign } from "./draw-incidents.ts";
import { designL, designS } from "./draw-measures.ts";
import { drawTraffic } from "./draw-traffic.ts";
import { costFigures, nameFigures, shareFigure } from "./figures.ts";
import { nameIncident, runIncidents } from "./incidents.ts";
import { type NamedCase, scoreNames } from "./name-score.ts";
import { nameDeparture, runDrawnMeasures, runRiskLoc } from "./riskloc.ts";
import { runRobustSpot } from "./robustspot.ts";

/** Rivals' figures on recorded data: measured on these very files, by the methods' own code. */
export const isolationBenchmarks: readonly Benchmark[] = [
  {
    name: "robustspot",
    title: "Isolation: stalled plays of a video service",
    folder: "robustspot-rs",
    measure: async (data) =>
      nameFigures(runRobustSpot(data), {
        goals: { top1: 0.78, top3: 0.93, f1: 0.72 },
        rivals: {
          top1: { RobustSpot: 0.667, "G-test": 0.615 },
          top3: { "G-test": 0.889 },
          f1: { RobustSpot: 0.628, "G-test": 0.597 },
        },
      }),
  },
  {
    name: "riskloc_s",
    title: "Isolation: RiskLoc's generator, 48,000 keys, anomalies in any cuboid",
    folder: "mdrc-synthetic/S",
    measure: async (data) =>
      nameFigures(runRiskLoc(data), {
        goals: { f1: 0.75 },
        rivals: { f1: { RiskLoc: 0.597, AutoRoot: 0.459 } },
      }),
  },
  {
    name: "riskloc_l",
    title: "Isolation: RiskLoc's generator, 36,000 keys, anomalies of single keys",
    folder: "mdrc-synthetic/L",
    measure: async (data) =>
      nameFigures(runRiskLoc(data), {
        goals: { f1: 0.85 },
        rivals: { f1: { RiskLoc: 0.712, AutoRoot: 0.52 } },
      }),
  },
  {
    name: "drawn_s",
    title: "Isolation: our copy of RiskLoc's generator, 48,000 keys, anomalies in any cuboid",
    measure: async (_, seed) =>
      nameFigures(runDrawnMeasures(designS, seed), { goals: { f1: 0.75 } }),
  },
  {
    name: "drawn_l",
    title: "Isolation: our copy of RiskLoc's generator, 36,000 keys, anomalies of single keys",
    measure: async (_, seed) =>
      nameFigures(runDrawnMeasures(designL, seed), { goals: { f1: 0.85 } }),
  },
  {
    name: "drawn_incidents",
    title: "Isolation: our incidents, 200 to 10,000 Zipf-sized keys, one to three causes",
    measure: async (_, seed) => measureIncidents(seed),
  },
  {
    name: "drawn_none",
    title: "Isolation: our tables where no attribute is to blame",
    measure: async (_, seed) => measureNone(seed),
  },
  {
    name: "drawn_traffic",
    title: "Isolation: our drops of traffic, 200 to 10,000 Zipf-sized keys",
    measure: async (_, seed) => measureTraffic(seed),
  },
  {
    name: "drawn_large",
    title: "Isolation: our incidents of 100,000 and 1,000,000 keys",
    measure: async (_, seed) => measureLarge(seed),
  },
];

const sizes = [200, 2_000, 10_000];
const kinds = ["failed", "slow"] as const;
const causesRounds = 8;
const noneRounds = 15;
const noneGoal = 0.95;
const noneLabels = {
  outside: "none, where all keys feel it",
  nothing: "none, where nothing happened",
};

function designsOf(happened: readonly IncidentDesign["happened"][]): IncidentDesign[] {
  return sizes.flatMap((leaves) =>
    kinds.flatMap((bad) => happened.map((what) => ({ leaves, bad, happened: what }))),
  );
}

function measureIncidents(seed: number): Figure[] {
  const { cases, rival } = runIncidents(designsOf([1, 2, 3]), { rounds: causesRounds, seed });
  const beside = scoreNames(rival);
  const rivals = Object.fromEntries(
    Object.entries(beside).map(([metric, value]) => [metric, { "G-test": value }]),
  );
  const isExact = (one: NamedCase): boolean => scoreNames([one]).exact === 1;
  const parts = [1, 2, 3].map((causes) => {
    const part = cases.filter(({ labelled }) => labelled.length === causes);
    const label = `exactly right of cases with ${causes}`;
    return shareFigure(part, isExact, { metric: `exact_${causes}`, label });
  });
  const ofKind = kinds.map((kind) => {
    const part = cases.filter(({ design }) => design.bad === kind);
    const label = `exactly right where bad is "${kind}"`;
    return shareFigure(part, isExact, { metric: `exact_${kind}`, label });
  });
  return [...nameFigures(cases, { rivals }), ...parts, ...ofKind];
}

function measureNone(seed: number): Figure[] {
  const designs = designsOf(["outside", "nothing"]);
  const { cases, rival } = runIncidents(designs, { rounds: noneRounds, seed });
  const isNone = ({ named }: NamedCase): boolean => named.length === 0;
  const figures = (["outside", "nothing"] as const).map((what) => {
    const ofThis = cases.filter(({ design }) => design.happened === what);
    const others = rival.filter((_, at) => cases[at]?.design.happened === what);
    return shareFigure(ofThis, isNone, {
      metric: `none_${what}`,
      label: noneLabels[what],
      rivals: { "G-test": others.filter(isNone).length / others.length },
      goal: { min: noneGoal },
    });
  });
  return [...figures, ...costFigures(cases)];
}

const trafficRounds = 15;
const seedStride = 1_000_000;

function measureTraffic(seed: number): Figure[] {
  const happened = [1, 2, "outside", "nothing"] as const;
  const cases = sizes.flatMap((leaves) =>
    happened.flatMap((what) =>
      Array.from({ length: trafficRounds }, (_, round) => {
        const drawn = drawTraffic({ leaves, happened: what }, seed * seedStride + leaves + round);
        return { what, ...nameDeparture(drawn, "counts") };
      }),
    ),
  );
  const isNone = ({ named }: NamedCase): boolean => named.length === 0;
  const none = (["outside", "nothing"] as const).map((what) =>
    shareFigure(
      cases.filter((one) => one.what === what),
      isNone,
      { metric: `none_${what}`, label: noneLabels[what], goal: { min: noneGoal } },
    ),
  );
  return [
    ...nameFigures(
      cases.filter(({ what }) => typeof what === "number"),
      {},
    ),
    ...none,
  ];
}

const largeRounds = { 100000: 4, 1000000: 1 };

function measureLarge(seed: number): Figure[] {
  return Object.entries(largeRounds).flatMap(([leaves, rounds]) => {
    const cases = Array.from({ length: rounds }, (_, round) =>
      kinds.map((bad) => {
        const design = { leaves: Number(leaves), bad, happened: 1 } as const;
        return nameIncident(design, drawIncident(design, seed * 100 + round));
      }),
    ).flat();
    const figures = [
      ...nameFigures(cases, {}).filter(({ metric }) => ["f1", "exact"].includes(metric)),
      ...costFigures(cases),
      {
        metric: "leaves",
        label: "keys a case",
        value: cases.reduce((sum, one) => sum + one.leaves, 0) / cases.length,
        unit: "",
      },
      {
        metric: "leaves_dropped",
        label: "keys not looked at, a case",
        value: cases.reduce((sum, one) => sum + one.leavesDropped, 0) / cases.length,
        unit: "",
      },
    ];
    return figures.map(
      (figure): Figure => ({
        ...figure,
        metric: `${figure.metric}_${leaves}`,
        label: `${Number(leaves).toLocaleString("en")}: ${figure.label}`,
      }),
    );
  });
}
