/**
 * Where a measure departs from its forecast: the smallest combinations of attribute values whose
 * keys all moved, or none.
 *
 * Each key is one witness, however large it is: it says by how much it moved, relative to the mean
 * of what was measured and forecast, in units of how much keys scatter (median and MAD, so that
 * what moved does not count as scatter), at most `witnessMax` units. A combination is a hypothesis:
 * its keys moved together by an amount of their own. Of n witnesses with the sum s that gains
 * s^2 / 2n nats over "they scatter", less the log of how many values could have been named for each
 * attribute. Keys that did not move dilute s, so neither a wider nor a narrower combination than
 * the right one gains as much. Several are found greedily, each among the keys the ones before it
 * left.
 *
 *   keys        [leaf] as in the input
 *   group       Int32Array [cuboid][leaf]: which combination of the cuboid's values a leaf has
 *   sums        Float64Array [cuboid][group]: witnesses, and their sum
 *
 * A dimension of one value is never named. Work is leaves times cuboids; of more than `leavesMax`
 * leaves those that weigh most are read.
 *
 * Source: likelihood ratio of a subset scan, Neill 2012; that all parts of a cause move alike
 * ("ripple effect"), Sun et al. 2018 (HotSpot), Li et al. 2019 (Squeeze).
 */

export interface MeasuredLeaf {
  /** One value for each dimension. */
  readonly key: readonly string[];
  /** Both at least 0; a leaf where both are 0 says nothing. */
  readonly actual: number;
  readonly forecast: number;
}

export interface DeviationOptions {
  readonly dimensions: readonly string[];
  /** Attributes of a combination at most. */
  readonly attributesMax: number;
  readonly combinationsMax: number;
  readonly leavesMax: number;
}

export interface DeviatingCombination {
  readonly attributes: readonly { readonly dimension: string; readonly value: string }[];
  readonly leaves: number;
  readonly actual: number;
  readonly forecast: number;
  /** How far its keys moved, in units of how much others scatter; below 0 for down. */
  readonly deviation: number;
  /** Nats over nothing having happened, less the cost of naming it. */
  readonly gain: number;
}

/** A single witness can convince, but not outweigh a hundred others. */
const witnessMax = 15;
/** Less than the scatter of a single key is no move, however many keys agree on it. */
const deviationMin = 1;
/** e^10 to one. */
const gainMin = 10;
/** No series is forecast better than this. */
const scatterMin = 1e-4;
const madOfNormal = 1.4826;

export function defaultDeviationOptions(dimensions: readonly string[]): DeviationOptions {
  return { dimensions, attributesMax: 5, combinationsMax: 20, leavesMax: 200_000 };
}

/** Strongest first. */
export function isolateDeviation(
  leaves: readonly MeasuredLeaf[],
  options: DeviationOptions,
): DeviatingCombination[] {
  const kept = keepHeaviest(
    leaves.filter(({ actual, forecast }) => actual + forecast > 0),
    options.leavesMax,
  );
  const witnesses = witnessesOf(kept);
  const dimensions = codeDimensions(kept, options.dimensions);
  const cost = Math.log(dimensions.reduce((sum, { values }) => sum + values.length, 2));
  const cuboids = cuboidsOf(dimensions, kept.length, options.attributesMax);
  const isLeft = new Uint8Array(kept.length).fill(1);
  for (const cuboid of cuboids) addAll(cuboid, witnesses);
  const found: DeviatingCombination[] = [];
  while (found.length < options.combinationsMax) {
    const best = findBest(cuboids, cost);
    if (best === undefined) break;
    const members = membersOf(best, isLeft);
    found.push(describe(best, { members, kept, dimensions }));
    for (const leaf of members) isLeft[leaf] = 0;
    for (const cuboid of cuboids) takeOut(cuboid, members, witnesses);
  }
  return found;
}

interface CodedDimension {
  readonly name: string;
  readonly values: readonly string[];
  /** [leaf] an index into `values`. */
  readonly codes: Int32Array;
}

interface Cuboid {
  /** Of the coded dimensions, ascending. */
  readonly dimensions: readonly number[];
  readonly group: Int32Array;
  readonly count: Float64Array;
  readonly sum: Float64Array;
}

interface Candidate {
  readonly cuboid: Cuboid;
  readonly group: number;
  readonly gain: number;
}

function witnessesOf(leaves: readonly MeasuredLeaf[]): Float64Array {
  const moved = Float64Array.from(
    leaves,
    ({ actual, forecast }) => (2 * (actual - forecast)) / (actual + forecast),
  );
  const centre = medianOf(moved);
  const scatter = madOfNormal * medianOf(moved.map((one) => Math.abs(one - centre)));
  const unit = Math.max(scatterMin, scatter);
  return moved.map((one) => Math.max(-witnessMax, Math.min(witnessMax, (one - centre) / unit)));
}

function medianOf(values: Float64Array): number {
  return values.toSorted()[values.length >> 1] ?? 0;
}

function codeDimensions(
  leaves: readonly MeasuredLeaf[],
  names: readonly string[],
): CodedDimension[] {
  const dimensions = names.map((name, index): CodedDimension => {
    const known = new Map<string, number>();
    const codes = Int32Array.from(leaves, ({ key }) => {
      const value = key[index] ?? "";
      const code = known.get(value) ?? known.size;
      known.set(value, code);
      return code;
    });
    return { name, values: [...known.keys()], codes };
  });
  return dimensions.filter(({ values }) => values.length > 1);
}

/** Every set of up to `depth` dimensions, each made of one with a dimension less. */
function cuboidsOf(dimensions: readonly CodedDimension[], leaves: number, depth: number): Cuboid[] {
  const cuboids: Cuboid[] = [];
  const grow = (chosen: readonly number[], group: Int32Array, groups: number): void => {
    const next = (chosen.at(-1) ?? -1) + 1;
    for (let index = next; index < dimensions.length; index++) {
      const dimension = dimensions[index] as CodedDimension;
      const parts = splitGroups(group, dimension, groups);
      const size = parts.groups;
      const grown = [...chosen, index];
      cuboids.push({
        dimensions: grown,
        group: parts.group,
        count: new Float64Array(size),
        sum: new Float64Array(size),
      });
      if (grown.length < depth) grow(grown, parts.group, size);
    }
  };
  grow([], new Int32Array(leaves), 1);
  return cuboids;
}

/** Numbers the pairs of a group and a value as they come. */
function splitGroups(
  group: Int32Array,
  { codes, values }: CodedDimension,
  groups: number,
): { readonly group: Int32Array; readonly groups: number } {
  const pairs = groups * values.length;
  const numbers =
    pairs <= 4 * group.length ? new Int32Array(pairs).fill(-1) : new Map<number, number>();
  let found = 0;
  const numberOf = (pair: number): number => {
    const known = numbers instanceof Map ? (numbers.get(pair) ?? -1) : (numbers[pair] as number);
    if (known >= 0) return known;
    if (numbers instanceof Map) numbers.set(pair, found);
    else numbers[pair] = found;
    return found++;
  };
  const split = group.map((of, leaf) => numberOf(of * values.length + (codes[leaf] as number)));
  return { group: split, groups: found };
}

function addAll({ group, count, sum }: Cuboid, witnesses: Float64Array): void {
  for (let leaf = 0; leaf < group.length; leaf++) {
    const at = group[leaf] as number;
    count[at] = (count[at] as number) + 1;
    sum[at] = (sum[at] as number) + (witnesses[leaf] as number);
  }
}

function takeOut(
  { group, count, sum }: Cuboid,
  members: readonly number[],
  witnesses: Float64Array,
): void {
  for (const leaf of members) {
    const at = group[leaf] as number;
    count[at] = (count[at] as number) - 1;
    sum[at] = (sum[at] as number) - (witnesses[leaf] as number);
  }
}

/** Of equals the first, which has fewer attributes or earlier ones. */
function findBest(cuboids: readonly Cuboid[], cost: number): Candidate | undefined {
  let best: Candidate | undefined;
  for (const cuboid of cuboids) {
    const { count, sum, dimensions } = cuboid;
    const named = cost * dimensions.length;
    for (let group = 0; group < count.length; group++) {
      const n = count[group] as number;
      const s = sum[group] as number;
      if (n === 0 || Math.abs(s) < deviationMin * n) continue;
      const gain = (s * s) / (2 * n) - named;
      if (gain > (best?.gain ?? gainMin)) best = { cuboid, group, gain };
    }
  }
  return best;
}

function membersOf({ cuboid, group }: Candidate, isLeft: Uint8Array): number[] {
  const members: number[] = [];
  for (let leaf = 0; leaf < isLeft.length; leaf++) {
    if (isLeft[leaf] === 1 && cuboid.group[leaf] === group) members.push(leaf);
  }
  return members;
}

function describe(
  { cuboid, group, gain }: Candidate,
  of: {
    readonly members: readonly number[];
    readonly kept: readonly MeasuredLeaf[];
    readonly dimensions: readonly CodedDimension[];
  },
): DeviatingCombination {
  const { members, kept, dimensions } = of;
  const first = members[0] as number;
  const sumOf = (read: (leaf: MeasuredLeaf) => number): number =>
    members.reduce((sum, leaf) => sum + read(kept[leaf] as MeasuredLeaf), 0);
  return {
    attributes: cuboid.dimensions.map((index) => {
      const { name, values, codes } = dimensions[index] as CodedDimension;
      return { dimension: name, value: values[codes[first] as number] as string };
    }),
    leaves: members.length,
    actual: sumOf(({ actual }) => actual),
    forecast: sumOf(({ forecast }) => forecast),
    deviation: (cuboid.sum[group] as number) / members.length,
    gain,
  };
}

function keepHeaviest(leaves: readonly MeasuredLeaf[], max: number): readonly MeasuredLeaf[] {
  if (leaves.length <= max) return leaves;
  const weightOf = ({ actual, forecast }: MeasuredLeaf): number => actual + forecast;
  return leaves.toSorted((a, b) => weightOf(b) - weightOf(a)).slice(0, max);
}
