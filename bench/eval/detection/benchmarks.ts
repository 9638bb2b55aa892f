/** Detection: what it is held against. */
import type { Benchmark } from "../benchmark.ts";
import { measureLag } from "./lag.ts";

export const detectionBenchmarks: readonly Benchmark[] = [
  {
    name: "lag",
    title: "Detection: from the seal of a window of 100,000 keys to the incident on the stream",
    measure: async (_, seed) => measureLag(seed),
  },
];
