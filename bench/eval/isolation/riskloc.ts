/** Synthetic leaf tables of RiskLoc's generator: a measure and its forecast, and what was injected. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import {
  defaultDeviationOptions,
  isolateDeviation,
  type MeasuredLeaf,
} from "../../../detectors/isolate-deviation.ts";
import { readBytes, readCsv, readJson } from "../read-data.ts";
import { type DrawnMeasures, drawMeasures, type MeasureDesign } from "./draw-measures.ts";
import { type NamedCase, textOf } from "./name-score.ts";

interface Meta {
  /** Values of each dimension, which are called by its name and a number from 1. */
  readonly dims: Readonly<Record<string, number>>;
  readonly rows: number;
}

const msPerSecond = 1_000;
const drawnCases = 60;
const seedStride = 1_000;

export function runRiskLoc(data: string): NamedCase[] {
  const { dims, rows } = readJson<Meta>(join(data, "meta.json"));
  const names = Object.keys(dims);
  const keys = keysOf(Object.entries(dims));
  const injected = new Map(
    readCsv(join(data, "injection_info.csv")).map(({ timestamp, set }) => [timestamp, set ?? ""]),
  );
  return readdirSync(data)
    .filter((file) => file.endsWith(".f32shuf.gz"))
    .sort()
    .map((file) => {
      const leaves = readLeaves(join(data, file), keys, rows);
      const set = injected.get(file.split(".")[0] ?? "") ?? "";
      const labelled = set.split(";").map((one) => one.split("&").sort().join("&"));
      return nameDeparture({ dimensions: names, leaves, labelled });
    });
}

export function runDrawnMeasures(design: MeasureDesign, seed: number): NamedCase[] {
  return Array.from({ length: drawnCases }, (_, at) =>
    nameDeparture(drawMeasures(design, seed * seedStride + at)),
  );
}

export function nameDeparture(
  { dimensions, leaves, labelled }: DrawnMeasures,
  measure: "values" | "counts" = "values",
): NamedCase {
  const startMs = performance.now();
  const { combinations } = isolateDeviation(leaves, defaultDeviationOptions(dimensions, measure));
  const seconds = (performance.now() - startMs) / msPerSecond;
  const named = combinations.map(({ attributes }) => textOf(attributes));
  return { named, alternatives: [], labelled, seconds };
}

/** In the order of the cartesian product, the last dimension fastest. */
function keysOf(dims: readonly (readonly [name: string, size: number])[]): string[][] {
  return dims.reduce<string[][]>(
    (keys, [name, size]) =>
      keys.flatMap((key) =>
        Array.from({ length: size }, (_, index) => [...key, `${name}${index + 1}`]),
      ),
    [[]],
  );
}

/** Four planes, one a byte, of little-endian floats: all that were measured, then all forecast. */
function readLeaves(
  path: string,
  keys: readonly (readonly string[])[],
  rows: number,
): MeasuredLeaf[] {
  const planes = readBytes(path);
  const count = planes.length / 4;
  const bytes = planes.map((_, at) => planes[(at % 4) * count + (at >> 2)] as number);
  const floats = new Float32Array(bytes.buffer, bytes.byteOffset, count);
  return keys.map((key, row) => {
    return { key, actual: floats[row] as number, forecast: floats[rows + row] as number };
  });
}
