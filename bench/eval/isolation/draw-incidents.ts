/**
 * Leaf tables of an incident that are our own: keys of Zipf-sized values, bad events binomial about
 * a rate that wanders from key to key and from window to window, a baseline learnt from ten windows
 * before, and one to three causes, something outside that all keys feel, or nothing at all.
 *
 * Bad is either "failed", and a cause has a rate of its own, or "slower than the key's threshold",
 * and a cause stretches log-logistic latencies. Only what can be told apart is asked for: a cause
 * holds enough bad events, and removing any of its attributes would let in as many spans again.
 */
import { createPrng, type Prng } from "../../../base/prng.ts";
import type { IsolationLeaf } from "../../../detectors/isolation-leaf.ts";
import { beta, binomial, integerFrom, normal, poisson, uniform } from "../chance.ts";

export interface IncidentDesign {
  /** About how many keys. */
  readonly leaves: number;
  readonly bad: "failed" | "slow";
  /** How many causes; "outside" = all keys alike, "nothing" = an ordinary window. */
  readonly happened: 1 | 2 | 3 | "outside" | "nothing";
}

export interface DrawnIncident {
  readonly dimensions: readonly string[];
  readonly leaves: readonly IsolationLeaf[];
  /** As `dimension=value` sorted and joined by `&`. */
  readonly labelled: readonly string[];
}

/** Of some dimensions one value each, by index. */
type Cause = ReadonlyMap<number, number>;

interface Key {
  readonly codes: readonly number[];
  readonly count: number;
  readonly rate: number;
}

export const names = ["operation", "region", "version", "device", "tier"];
const historyWindows = 10;
/** Spans of a key with the rate of all that stand for what it has not shown yet. */
const priorCount = 20;
const triesMax = 400;
/** Of all spans, in all causes. */
const shareMax = 0.4;
const excessMin = 30;
/** Standard deviations of all bad events: an incident is seen in the sum of all keys. */
const visibleMin = 3;
/** Of the spans of all causes, which have one rate. */
const shareMin = 0.2;
const rateRatioMin = 4;
const latencyShape = 3;

export function drawIncident(design: IncidentDesign, seed: number): DrawnIncident {
  const prng = createPrng(seed);
  const sizes = drawSizes(prng, design.leaves);
  const usual = design.bad === "slow" ? uniform(prng, 0.01, 0.05) : 10 ** uniform(prng, -3, -1.7);
  const keys = drawKeys(prng, { sizes, spans: design.leaves * uniform(prng, 5, 60), usual });
  const precision = 10 ** uniform(prng, 1.5, 4);
  const worse = drawWorse(prng, design, usual);
  const causes =
    typeof design.happened === "number"
      ? drawCauses(prng, { keys, usual, worse, wanted: design.happened })
      : [];
  const rateOf = (key: Key): number => {
    const isHit =
      design.happened === "outside" || causes.some((cause) => isInside(key.codes, cause));
    return beta(
      prng,
      isHit ? shift(key.rate, worse * Math.exp(0.3 * normal(prng))) : key.rate,
      precision,
    );
  };
  const drawn = keys.map((key) => ({
    ...key,
    bad: binomial(prng, key.count, rateOf(key)),
    ...drawHistory(prng, key, precision),
  }));
  const sum = (read: (key: (typeof drawn)[number]) => number): number =>
    drawn.reduce((total, key) => total + read(key), 0);
  const rate = sum(({ badBefore }) => badBefore) / sum(({ countBefore }) => countBefore);
  return {
    dimensions: names.slice(0, sizes.length),
    leaves: drawn.map(({ codes, count, bad, badBefore, countBefore }) => ({
      key: codes.map(String),
      count,
      bad,
      expected: (count * (badBefore + priorCount * rate)) / (countBefore + priorCount),
    })),
    labelled: causes.map(nameOf),
  };
}

/** So many values of three to five dimensions that most of their combinations have spans. */
export function drawSizes(prng: Prng, leaves: number): number[] {
  const dimensions = integerFrom(prng, 3, 5);
  const each = (1.2 * leaves) ** (1 / dimensions);
  return Array.from({ length: dimensions }, () =>
    Math.max(2, Math.round(each * uniform(prng, 0.6, 1.5))),
  );
}

export function drawKeys(
  prng: Prng,
  { sizes, spans, usual }: { sizes: readonly number[]; spans: number; usual: number },
): Key[] {
  const shares = sizes.map((size) => zipfShares(size, uniform(prng, 0.4, 1.2)));
  const keys: Key[] = [];
  const grow = (codes: readonly number[], share: number): void => {
    const own = shares[codes.length];
    if (own !== undefined) {
      for (const [code, one] of own.entries()) grow([...codes, code], share * one);
      return;
    }
    const count = poisson(prng, spans * share * Math.exp(0.5 * normal(prng)));
    if (count > 0) keys.push({ codes, count, rate: shift(usual, Math.exp(0.5 * normal(prng))) });
  };
  grow([], 1);
  return keys;
}

function zipfShares(size: number, exponent: number): number[] {
  const weights = Array.from({ length: size }, (_, rank) => (rank + 1) ** -exponent);
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return weights.map((weight) => weight / sum);
}

/** By how much odds grow. */
function drawWorse(prng: Prng, { bad, happened }: IncidentDesign, usual: number): number {
  if (happened === "outside") return Math.exp(uniform(prng, 1, 3));
  if (bad === "slow") return uniform(prng, 1.7, 6) ** latencyShape;
  const rate = Math.max(rateRatioMin * usual, uniform(prng, 0.05, 0.9));
  return rate / (1 - rate) / (usual / (1 - usual));
}

function shift(rate: number, odds: number): number {
  return (rate * odds) / (1 - rate + rate * odds);
}

interface CauseInput {
  readonly keys: readonly Key[];
  readonly usual: number;
  readonly worse: number;
  readonly wanted: number;
}

/** Fewer than wanted when chance finds no place for more. */
export function drawCauses(prng: Prng, { keys, usual, worse, wanted }: CauseInput): Cause[] {
  const spansOfAll = spansOf(keys, new Map());
  const spansMax = shareMax * spansOfAll;
  const excessLeast = Math.max(excessMin, visibleMin * Math.sqrt(usual * spansOfAll));
  const causes: { readonly cause: Cause; readonly spans: number }[] = [];
  for (let tries = 0; causes.length < wanted && tries < triesMax; tries++) {
    const cause = drawCause(prng, keys);
    if (causes.some((one) => overlaps(one.cause, cause))) continue;
    const spans = spansOf(keys, cause);
    const all = [...causes.map((one) => one.spans), spans];
    const sum = all.reduce((total, one) => total + one, 0);
    const isLarge = spans * (shift(usual, worse) - usual) >= excessLeast;
    const isEven = Math.min(...all) >= shareMin * sum;
    if (!isLarge || !isEven || sum > spansMax || !isApart(keys, cause, spans)) continue;
    causes.push({ cause, spans });
  }
  return causes.map(({ cause }) => cause);
}

function drawCause(prng: Prng, keys: readonly Key[]): Cause {
  const { codes } = prng.pick(keys);
  const left = [...codes.keys()];
  const dimensions = Array.from({ length: integerFrom(prng, 1, 3) }, () =>
    left.splice(prng.integer(left.length), 1),
  ).flat();
  return new Map(dimensions.sort().map((dimension) => [dimension, codes[dimension] as number]));
}

function isApart(keys: readonly Key[], cause: Cause, inside: number): boolean {
  return [...cause.keys()].every((dimension) => {
    const without = new Map([...cause].filter(([other]) => other !== dimension));
    return spansOf(keys, without) >= 2 * inside;
  });
}

export function nameOf(cause: Cause): string {
  return [...cause]
    .map(([dimension, code]) => `${names[dimension]}=${code}`)
    .sort()
    .join("&");
}

/** Some key could be of both. */
function overlaps(a: Cause, b: Cause): boolean {
  return [...a].every(([dimension, code]) => (b.get(dimension) ?? code) === code);
}

export function isInside(codes: readonly number[], cause: Cause): boolean {
  for (const [dimension, code] of cause) if (codes[dimension] !== code) return false;
  return true;
}

function spansOf(keys: readonly Key[], cause: Cause): number {
  return keys.reduce((sum, { codes, count }) => sum + (isInside(codes, cause) ? count : 0), 0);
}

function drawHistory(
  prng: Prng,
  { count, rate }: Key,
  precision: number,
): { readonly countBefore: number; readonly badBefore: number } {
  let [countBefore, badBefore] = [0, 0];
  for (let window = 0; window < historyWindows; window++) {
    const seen = poisson(prng, count);
    countBefore += seen;
    badBefore += binomial(prng, seen, beta(prng, rate, precision));
  }
  return { countBefore, badBefore };
}
