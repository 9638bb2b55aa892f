/** Blame: where in a graph of services trouble begins. */
import type { Benchmark } from "../benchmark.ts";
import { generatedGraphs } from "./generated-graphs.ts";
import { nezha } from "./nezha.ts";
import { petShop } from "./petshop.ts";
import { rcdSockshop } from "./rcd-sockshop.ts";

export const causeBenchmarks: readonly Benchmark[] = [nezha, petShop, rcdSockshop, generatedGraphs];
