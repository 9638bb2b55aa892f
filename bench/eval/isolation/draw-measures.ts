/**
 * Leaf tables of a measure and its forecast, with departures injected, after the generator that
 * RiskLoc was published with (arXiv 2205.10004, parameters of its S and L).
 */
import { createPrng, type Prng } from "../../../base/prng.ts";
import type { MeasuredLeaf } from "../../../detectors/isolate-deviation.ts";
import { integerFrom, normal, uniform } from "../chance.ts";

type Range = readonly [low: number, high: number];

export interface MeasureDesign {
  /** Values of each dimension, which are called by its name and a number from 1. */
  readonly dims: Readonly<Record<string, number>>;
  readonly noise: Range;
  readonly severity: Range;
  readonly deviation: Range;
  readonly anomalies: Range;
  /** Combinations of one anomaly, all of the same dimensions. */
  readonly elements: Range;
  /** Single keys alone depart. */
  readonly isLastLayer: boolean;
}

export interface DrawnMeasures {
  readonly dimensions: readonly string[];
  readonly leaves: readonly MeasuredLeaf[];
  readonly labelled: readonly string[];
}

export const designS: MeasureDesign = {
  dims: { a: 10, b: 12, c: 10, d: 8, e: 5 },
  noise: [0, 0.25],
  severity: [0.2, 1],
  deviation: [0, 0.1],
  anomalies: [1, 3],
  elements: [1, 3],
  isLastLayer: false,
};

export const designL: MeasureDesign = {
  dims: { a: 10, b: 24, c: 10, d: 15 },
  noise: [0, 0.1],
  severity: [0.5, 1],
  deviation: [0, 0],
  anomalies: [1, 5],
  elements: [1, 1],
  isLastLayer: true,
};

const zeroRate: Range = [0, 0.25];
const weibullShape: Range = [0.5, 1];
const weibullScale = 100;
const triesMax = 1_000;

/** The dimensions by index, and for each combination a value of each. */
interface Anomaly {
  readonly dimensions: readonly number[];
  readonly elements: readonly (readonly number[])[];
}

export function drawMeasures(design: MeasureDesign, seed: number): DrawnMeasures {
  const prng = createPrng(seed);
  const dimensions = Object.keys(design.dims);
  const sizes = Object.values(design.dims);
  const values = drawNormal(prng, design, sizes);
  const anomalies: Anomaly[] = [];
  const wanted = integerFrom(prng, ...design.anomalies);
  for (let tries = 0; anomalies.length < wanted && tries < triesMax; tries++) {
    const anomaly = drawAnomaly(prng, design, anomalies);
    if (anomaly !== undefined && isSeen(anomaly, values, sizes)) anomalies.push(anomaly);
  }
  inject(prng, design, { values, anomalies, sizes });
  return {
    dimensions,
    leaves: values.actual.map((actual, leaf) => ({
      key: codesOf(leaf, sizes).map((code, index) => `${dimensions[index]}${code + 1}`),
      actual,
      forecast: values.forecast[leaf] as number,
    })),
    labelled: anomalies.flatMap((anomaly) =>
      anomaly.elements.map((element) =>
        element
          .map((code, at) => {
            const name = dimensions[anomaly.dimensions[at] as number];
            return `${name}=${name}${code + 1}`;
          })
          .sort()
          .join("&"),
      ),
    ),
  };
}

interface Values {
  readonly actual: number[];
  readonly forecast: number[];
  readonly noise: number;
}

function drawNormal(prng: Prng, { noise }: MeasureDesign, sizes: readonly number[]): Values {
  const shape = uniform(prng, ...weibullShape);
  const zeros = uniform(prng, ...zeroRate);
  const scatter = uniform(prng, ...noise);
  const rows = sizes.reduce((product, size) => product * size, 1);
  const values: Values = { actual: [], forecast: [], noise: scatter };
  for (let row = 0; row < rows; row++) {
    const size = weibullScale * (-Math.log(1 - prng.next())) ** (1 / shape);
    const one = prng.next() < zeros ? 0 : size;
    const other = Math.max(0, one + one * scatter * normal(prng));
    const isSwapped = prng.next() < 0.5;
    values.actual.push(isSwapped ? other : one);
    values.forecast.push(isSwapped ? one : other);
  }
  return values;
}

/** Undefined when it would not be told apart from those there are. */
function drawAnomaly(
  prng: Prng,
  design: MeasureDesign,
  known: readonly Anomaly[],
): Anomaly | undefined {
  const sizes = Object.values(design.dims);
  const depth = design.isLastLayer ? sizes.length : integerFrom(prng, 1, sizes.length);
  const left = [...sizes.keys()];
  const dimensions = Array.from({ length: depth }, () => left.splice(prng.integer(left.length), 1))
    .flat()
    .sort((a, b) => a - b);
  const isUsed = known.some((other) => other.dimensions.join() === dimensions.join());
  if (isUsed && depth < sizes.length) return undefined;
  const free = dimensions.map((dimension) => {
    const used = known.flatMap((other) => {
      const at = other.dimensions.indexOf(dimension);
      return at < 0 ? [] : other.elements.map((element) => element[at]);
    });
    const codes = Array.from({ length: sizes[dimension] as number }, (_, code) => code);
    return codes.filter((code) => !used.includes(code));
  });
  if (free.some((codes) => codes.length === 0)) return undefined;
  const elements = Array.from({ length: integerFrom(prng, ...design.elements) }, () =>
    free.map((codes) => prng.pick(codes)),
  );
  const isUnique = new Set(elements.map((element) => element.join())).size === elements.length;
  return isUnique ? { dimensions, elements } : undefined;
}

/** A single key that measures nothing cannot depart. */
function isSeen(anomaly: Anomaly, { actual }: Values, sizes: readonly number[]): boolean {
  if (anomaly.dimensions.length < sizes.length) return true;
  return anomaly.elements.every((element) => {
    const leaf = element.reduce((at, code, index) => at * (sizes[index] as number) + code, 0);
    return actual[leaf] !== 0;
  });
}

/** In the direction in which what is normal errs already, so that the two do not cancel. */
function inject(
  prng: Prng,
  design: MeasureDesign,
  { values, anomalies, sizes }: { values: Values; anomalies: Anomaly[]; sizes: readonly number[] },
): void {
  const { actual, forecast, noise } = values;
  const sum = (of: readonly number[]): number => of.reduce((total, one) => total + one, 0);
  const [from, to] = sum(actual) > sum(forecast) ? [actual, forecast] : [forecast, actual];
  for (const { dimensions, elements } of anomalies) {
    const severity = uniform(prng, ...design.severity) + noise;
    const deviation = uniform(prng, ...design.deviation);
    for (let leaf = 0; leaf < actual.length; leaf++) {
      const codes = codesOf(leaf, sizes);
      const isInside = elements.some((element) =>
        element.every((code, at) => codes[dimensions[at] as number] === code),
      );
      if (!isInside) continue;
      const loss = severity + deviation * normal(prng);
      to[leaf] = Math.max(0, (from[leaf] as number) * (1 - loss));
    }
  }
}

/** The last dimension fastest. */
function codesOf(leaf: number, sizes: readonly number[]): number[] {
  const codes: number[] = [];
  let rest = leaf;
  for (const size of sizes.toReversed()) {
    codes.unshift(rest % size);
    rest = Math.floor(rest / size);
  }
  return codes;
}
