/** Sketches: time to add and merge, bytes, and how far off they are, beside packages from npm. */
import { createPrng, type Prng } from "../../base/prng.ts";
import {
  ourDigest,
  ourHistogram,
  overRivals,
  type QuantileSketch,
} from "../rivals/quantile-sketches.ts";
import type { Figure, Goal, Table } from "../table.ts";
import { timeEach } from "../timing.ts";
import { customerFigures } from "./customers.ts";

const partCount = 200;
const partSize = 500;
const addsPerRun = 100_000;
const quantiles = [0.5, 0.95, 0.99, 0.999];
/** Half the width of a bucket at scale 5. */
const histogramErrorMax = 1.09;

const streams: Readonly<Record<string, (prng: Prng) => number>> = {
  "log-normal": (prng) => Math.round(20e6 * Math.exp(1.2 * normal(prng))),
  pareto: (prng) => Math.round(1e6 * (1 - prng.next()) ** (-1 / 1.5)),
  bimodal: (prng) =>
    Math.round(prng.next() < 0.8 ? 2e6 + 2e5 * normal(prng) : 250e6 + 2e7 * normal(prng)),
};

export async function sketchesArea(): Promise<Table> {
  const figures = [...speedFigures(), ...Object.keys(streams).flatMap(errorFigures)];
  return {
    area: "sketches",
    title: "Sketches, beside packages from npm",
    figures: [...figures, ...customerFigures()],
  };
}

interface Speed {
  readonly name: string;
  readonly add: () => void;
  readonly merge: () => void;
  readonly partBytes: number;
  readonly mergedBytes: number;
}

function speedFigures(): Figure[] {
  const prng = createPrng(1);
  const draw = streams["log-normal"] as (prng: Prng) => number;
  const values = Float64Array.from({ length: addsPerRun }, () => draw(prng));
  const rivals = overRivals((sketch) => speedOf(sketch, values)).map(({ result }) => result);
  const all = [speedOf(ourHistogram, values), speedOf(ourDigest, values), ...rivals];
  const addNs = timeEach(
    addsPerRun,
    all.map(({ add }) => add),
  );
  const mergeNs = timeEach(
    partCount,
    all.map(({ merge }) => merge),
  );
  const row = (metric: string, label: string, unit: string, of: (at: number) => number) =>
    (["histogram", "digest"] as const).map(
      (ours, at): Figure => ({
        metric: `${ours}.${metric}`,
        label: `${ours === "digest" ? "t-digest" : ours}: ${label}`,
        value: of(at),
        unit,
        rivals: Object.fromEntries(rivals.map(({ name }, rival) => [name, of(rival + 2)])),
        ...goalOf(`${ours}.${metric}`),
      }),
    );
  return [
    ...row("add_ns", "add", "ns", (at) => addNs[at] as number),
    ...row("merge_us", `merge of ${partSize} values`, "us", (at) => (mergeNs[at] as number) / 1e3),
    ...row("part_bytes", `bytes, ${partSize} values`, "B", (at) => all[at]?.partBytes ?? 0),
    ...row("merged_bytes", `bytes, ${partCount} merged`, "B", (at) => all[at]?.mergedBytes ?? 0),
  ];
}

const goals: Readonly<Record<string, Goal>> = {
  "histogram.add_ns": { max: 10 },
  "digest.add_ns": { max: 70 },
  "digest.merge_us": { max: 5 },
};

function goalOf(metric: string): { goal: Goal } | Record<string, never> {
  const goal = goals[metric];
  return goal === undefined ? {} : { goal };
}

function speedOf<S>(sketch: QuantileSketch<S>, values: Float64Array): Speed {
  const parts = partsOf(sketch, [...values]);
  const merged = mergedOf(sketch, parts);
  const adding = sketch.create();
  let target = sketch.create();
  return {
    name: sketch.name,
    add() {
      for (let at = 0; at < values.length; at++) sketch.add(adding, values[at] as number);
      sketch.settle(adding);
    },
    merge() {
      sketch.destroy(target);
      target = sketch.create();
      for (const part of parts) sketch.merge(target, part);
      sketch.settle(target);
    },
    partBytes: sketch.bytes(parts[0] as S),
    mergedBytes: sketch.bytes(merged),
  };
}

function errorFigures(stream: string): Figure[] {
  const prng = createPrng(2);
  const draw = streams[stream] as (prng: Prng) => number;
  const values = Array.from({ length: partCount * partSize }, () => draw(prng));
  const exact = [...values].sort((a, b) => a - b);
  const errorsOf = <S>(sketch: QuantileSketch<S>): number[] => {
    const parts = partsOf(sketch, values);
    const merged = mergedOf(sketch, parts);
    const errors = quantiles.map((q) => {
      const truth = exact[Math.ceil(q * exact.length) - 1] as number;
      return Math.abs(sketch.quantile(merged, q) / truth - 1) * 100;
    });
    for (const each of [...parts, merged]) sketch.destroy(each);
    return errors;
  };
  const rivals = overRivals(errorsOf);
  const ours = { histogram: errorsOf(ourHistogram), digest: errorsOf(ourDigest) };
  return quantiles.flatMap((q, at) =>
    (["histogram", "digest"] as const).map((name): Figure => {
      const goal =
        name === "histogram" ? histogramErrorMax : q === 0.999 ? 1 : Number.POSITIVE_INFINITY;
      return {
        metric: `${stream}.p${String(q * 100).replace(".", "_")}.${name}_error_pct`,
        label: `${name === "digest" ? "t-digest" : name}: error at p${q * 100}, ${stream}`,
        value: ours[name][at] as number,
        unit: "%",
        rivals: Object.fromEntries(rivals.map((rival) => [rival.name, rival.result[at] as number])),
        ...(Number.isFinite(goal) ? { goal: { max: goal } } : {}),
      };
    }),
  );
}

function partsOf<S>(sketch: QuantileSketch<S>, values: readonly number[]): S[] {
  const parts: S[] = [];
  for (let at = 0; at < values.length; at += partSize) {
    const part = sketch.create();
    for (const value of values.slice(at, at + partSize)) sketch.add(part, value);
    sketch.settle(part);
    parts.push(part);
  }
  return parts;
}

function mergedOf<S>(sketch: QuantileSketch<S>, parts: readonly S[]): S {
  const merged = sketch.create();
  for (const part of parts) sketch.merge(merged, part);
  sketch.settle(merged);
  return merged;
}

function normal(prng: Prng): number {
  return Math.sqrt(-2 * Math.log(1 - prng.next())) * Math.cos(2 * Math.PI * prng.next());
}
