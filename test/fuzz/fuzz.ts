/**
 * The fuzzer: seeded, so a number of rounds and a seed say what was tried. Of ten inputs six are
 * OTLP traces in protobuf, one OTLP metrics, two are sketch batches, one is OTLP in JSON.
 *
 * A fault is an exception, a verdict or a sum the reference does not share, or an input that takes
 * longer than `hangMs` each time it is tried.
 *
 * Seeded defects, each caught within 20,000 inputs:
 *
 * | defect                                                | caught as                        |
 * | ----------------------------------------------------- | -------------------------------- |
 * | an attribute may end a byte past what it is in        | taken, the reference does not    |
 * | a text may be shorter than the value it is in         | taken, the reference does not    |
 * | a fixed64 may end past its message                    | taken, the reference does not    |
 * | a group may end with another number than it began     | taken, the reference does not    |
 * | a span with a parent id of 5 bytes is taken           | spans is 1, not 0                |
 * | an agent forgets to count one span in a thousand      | took 962 …, shipped 961          |
 */
import { createPrng, type Prng } from "../../base/prng.ts";
import { encodeFields, type Field, hexOf } from "../wire/proto-tree.ts";
import { checkBatch, makeBatchSeeds } from "./batch-target.ts";
import { checkJson, makeJsonSeeds } from "./json-target.ts";
import { makeMetricSeeds } from "./metrics-seeds.ts";
import { MetricsTarget } from "./metrics-target.ts";
import { mutateBytes, mutateJson, mutateRequest } from "./mutate.ts";
import { type Fault, OtlpTarget, type Verdicts } from "./otlp-target.ts";
import { makeSeeds } from "./seeds.ts";

export interface FuzzReport {
  readonly inputs: number;
  /** The first faults, each with the input that shows it, in hexadecimal. */
  readonly faults: readonly string[];
  readonly faultCount: number;
  readonly hangs: number;
  readonly slowestMs: number;
  readonly verdicts: Readonly<Record<string, Verdicts>>;
}

export interface FuzzOptions {
  readonly seed: number;
  readonly count: number;
  /** Called every `settleEvery` inputs. */
  readonly onProgress?: (inputs: number) => void;
}

const seedCount = 500;
export const settleEvery = 2_000;
/** SCOREBOARD's bound for one input. */
const hangMs = 50;
/** One slow reading may be the machine's; only one that repeats is the input's. */
const suspectMs = 10;
const retries = 5;
const faultsShown = 5;

interface Corpus {
  readonly requests: readonly Field[][];
  readonly metrics: readonly Field[][];
  readonly batches: readonly Uint8Array[];
  readonly jsons: readonly unknown[];
}

interface State {
  readonly corpus: Corpus;
  readonly prng: Prng;
  readonly otlp: OtlpTarget;
  readonly metrics: MetricsTarget;
  readonly verdicts: Readonly<Record<"otlp" | "metrics" | "batch" | "json", Verdicts>>;
  readonly faults: string[];
  faultCount: number;
  hangs: number;
  slowestMs: number;
}

export async function fuzz({ seed, count, onProgress }: FuzzOptions): Promise<FuzzReport> {
  const requests = makeSeeds(seed, seedCount);
  const encoded = requests.map((fields) => encodeFields(fields).slice());
  const otlp = new OtlpTarget();
  const metrics = new MetricsTarget();
  const metricSeeds = makeMetricSeeds(seed, seedCount);
  const encodedMetrics = metricSeeds.map((fields) => encodeFields(fields).slice());
  const state: State = {
    corpus: {
      requests,
      metrics: metricSeeds,
      batches: await makeBatchSeeds(encoded, encodedMetrics),
      jsons: makeJsonSeeds(encoded),
    },
    prng: createPrng(seed),
    otlp,
    metrics,
    verdicts: {
      otlp: otlp.verdicts,
      metrics: metrics.verdicts,
      batch: { accepted: 0, refused: 0 },
      json: { accepted: 0, refused: 0 },
    },
    faults: [],
    ...{ faultCount: 0, hangs: 0, slowestMs: 0 },
  };
  for (const bytes of encoded) note(state, otlp.check(bytes), bytes);
  for (const bytes of encodedMetrics) note(state, metrics.check(bytes), bytes);
  for (let input = 1; input <= count; input++) {
    tryOne(state);
    if (input % settleEvery === 0 || input === count) {
      note(state, await otlp.settle(settleEvery), new Uint8Array());
      note(state, await metrics.settle(), new Uint8Array());
      onProgress?.(input);
    }
  }
  const { faults, faultCount, hangs, slowestMs, verdicts } = state;
  return { inputs: count, faults, faultCount, hangs, slowestMs, verdicts };
}

function tryOne(state: State): void {
  const { corpus, prng, otlp, metrics, verdicts } = state;
  const chance = prng.integer(10);
  if (chance < 6) {
    const mutant = mutateRequest(prng.pick(corpus.requests), corpus.requests, prng);
    run(state, mutant, () => otlp.check(mutant));
  } else if (chance < 7) {
    const mutant = mutateRequest(prng.pick(corpus.metrics), corpus.metrics, prng);
    run(state, mutant, () => metrics.check(mutant));
  } else if (chance < 9) {
    const mutant = mutateBytes(prng.pick(corpus.batches), prng);
    run(state, mutant, () => checkBatch(mutant, verdicts.batch));
  } else {
    const text = mutateJson(prng.pick(corpus.jsons), prng);
    const mutant = new TextEncoder().encode(text);
    run(state, mutant, () => checkJson(mutant, text, verdicts.json));
  }
}

function run(state: State, input: Uint8Array, check: () => Fault): void {
  let leastMs = Number.POSITIVE_INFINITY;
  for (let attempt = 0; attempt <= retries; attempt++) {
    const startMs = performance.now();
    let fault: Fault;
    try {
      fault = check();
    } catch (cause) {
      fault = `throws ${cause instanceof Error ? cause.stack : cause}`;
    }
    leastMs = Math.min(leastMs, performance.now() - startMs);
    if (attempt === 0) note(state, fault, input);
    if (leastMs <= suspectMs) break;
  }
  state.slowestMs = Math.max(state.slowestMs, leastMs);
  if (leastMs > hangMs) {
    state.hangs++;
    note(state, `takes ${leastMs} ms`, input);
  }
}

function note(state: State, fault: Fault, input: Uint8Array): void {
  if (fault === undefined) return;
  state.faultCount++;
  if (state.faults.length < faultsShown) state.faults.push(`${fault}: ${hexOf(input)}`);
}
