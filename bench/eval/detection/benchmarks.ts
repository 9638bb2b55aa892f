/** Detection: what it is held against. */
import type { Benchmark } from "../benchmark.ts";
import { faultFigures, nullFigures, trafficFigures } from "./figures.ts";
import { measureLag } from "./lag.ts";
import { playFaults, playNullWeek } from "./null-week.ts";
import { playTrafficWeek } from "./traffic-week.ts";

/** Two days: the time of day twice, and not the weekend. */
const trafficWindows = 17_280;

export const detectionBenchmarks: readonly Benchmark[] = [
  {
    name: "lag",
    title: "Detection: from the seal of a window of 100,000 keys to the incident on the stream",
    measure: async (_, seed) => measureLag(seed),
  },
  {
    name: "null_week",
    title: "Detection: a week of 100,000 keys in which nothing is wrong",
    measure: async (_, seed) => nullFigures(playNullWeek(seed)),
  },
  {
    name: "null_traffic",
    title: "Detection: two days of ordinary traffic in which nothing is missing",
    measure: async (_, seed) => trafficFigures(playTrafficWeek(seed, trafficWindows)),
  },
  {
    name: "faults",
    title: "Detection: faults in one of 100 services at a time, of a fifth of its keys",
    measure: async (_, seed) => faultFigures(playFaults(seed)),
  },
];
