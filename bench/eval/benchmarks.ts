/** What the product is held against, in the order of a whole run. */
import type { Benchmark } from "./benchmark.ts";
import { causeBenchmarks } from "./cause/benchmarks.ts";
import { detectionBenchmarks } from "./detection/benchmarks.ts";
import { isolationBenchmarks } from "./isolation/benchmarks.ts";
import { seriesBenchmarks } from "./series/benchmarks.ts";

export const benchmarks: readonly Benchmark[] = [
  ...seriesBenchmarks,
  ...detectionBenchmarks,
  ...isolationBenchmarks,
  ...causeBenchmarks,
];
