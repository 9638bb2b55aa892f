/**
 * Where a measure departs from its forecast: the smallest combinations of attribute values whose
 * keys all moved, or none.
 *
 * A combination is a hypothesis: its keys moved together by an amount of their own, all others as
 * most keys did. Its gain is the log-likelihood ratio of that in nats, less the log of how many
 * values could have been named for each attribute. Keys that did not move dilute it, so neither a
 * wider nor a narrower combination than the right one gains as much. Several are found greedily,
 * each among the keys the ones before it left. What all keys did alike is nobody's: what is found
 * gains more than "everything moved alike", and moved twice as far as what is left over.
 *
 * What is measured is one of two:
 *
 *   values  Each key is one witness, however large: by how much it moved, relative to the mean of
 *           what was measured and forecast, from where most keys are in units of how much they
 *           scatter (shortest half, so that what moved is no scatter), at most `witnessMax`.
 *           n witnesses of sum s gain s^2/2n.
 *   counts  Small ones scatter by chance alone. A key counts f events of forecast as
 *           f / (1 + f scatter^2), the size of a Poisson count that says as much, so that a large
 *           key is no better a witness than one that scatters as keys do. Gain of a Poisson rate.
 *
 * Bounds: of more than `leavesMax` leaves those that weigh most are read and the rest counted in
 * `leavesDropped`; `attributesMax` falls by one until leaves times cuboids fit `workMax`.
 *
 * Source: likelihood ratio of a subset scan, Neill 2012; of Poisson counts, Kulldorff 1997; that
 * all parts of a cause move alike ("ripple effect"), Sun et al. 2018, Li et al. 2019 (Squeeze).
 */
import {
  attributeCostOf,
  attributesOf,
  type Cell,
  createCuboidTable,
  membersOf,
  type RankedCell,
  rankCells,
  takeOut,
  wholeOf,
} from "./cuboids.ts";
import { keepHeaviest } from "./keep-heaviest.ts";
import { countScatter, shortestHalf } from "./key-scatter.ts";

export interface MeasuredLeaf {
  /** One value for each dimension. */
  readonly key: readonly string[];
  /** Both at least 0; a leaf where both are 0 says nothing. */
  readonly actual: number;
  readonly forecast: number;
}

export interface DeviationOptions {
  readonly dimensions: readonly string[];
  readonly measure: "values" | "counts";
  /** Attributes of a combination at most. */
  readonly attributesMax: number;
  readonly combinationsMax: number;
  readonly leavesMax: number;
  /** Leaves times cuboids. */
  readonly workMax: number;
}

export interface DeviatingCombination {
  readonly attributes: readonly { readonly dimension: string; readonly value: string }[];
  readonly leaves: number;
  readonly actual: number;
  readonly forecast: number;
  /** What was measured over what was forecast, at most 1e6. */
  readonly effect: number;
  /** Share of the whole net departure inside, 0..1. */
  readonly explained: number;
  /** At most this, with all that could have been named allowed for. */
  readonly pValue: number;
  /** Nats over nothing having happened, less the cost of naming it. */
  readonly gain: number;
}

export interface DeviationIsolation {
  /** Strongest first. */
  readonly combinations: readonly DeviatingCombination[];
  readonly leavesDropped: number;
}

/** A single witness can convince, but not outweigh a hundred others. */
const witnessMax = 15;
/** Less than the scatter of a single key is no move, however many keys agree on it. */
const deviationMin = 1;
/** A combination moved so many times as far as what is left over. */
const purityMin = 2;
/** e^10 to one. */
const gainMin = 10;
/** No series is forecast better than this. */
const scatterMin = 1e-4;
const countMin = 1e-9;
const effectMax = 1e6;

export function defaultDeviationOptions(
  dimensions: readonly string[],
  measure: DeviationOptions["measure"],
): DeviationOptions {
  return {
    dimensions,
    measure,
    attributesMax: 5,
    combinationsMax: 20,
    leavesMax: 200_000,
    workMax: 16_000_000,
  };
}

export function isolateDeviation(
  leaves: readonly MeasuredLeaf[],
  options: DeviationOptions,
): DeviationIsolation {
  const telling = leaves.filter(({ actual, forecast }) => actual + forecast > 0);
  const kept = keepHeaviest(telling, weightOf, options.leavesMax);
  const measure = options.measure === "counts" ? asCounts(kept) : asValues(kept);
  const table = createCuboidTable({
    keys: kept.map(({ key }) => key),
    dimensions: options.dimensions,
    columns: measure.columns,
    depth: options.attributesMax,
    workMax: options.workMax,
  });
  const cost = attributeCostOf(table);
  const whole = kept.reduce((sum, leaf) => sum + leaf.actual - leaf.forecast, 0);
  const everything = wholeOf(table);
  const alike = measure.gainOf(everything);
  const found: (DeviatingCombination & { readonly shift: number })[] = [];
  while (found.length < options.combinationsMax) {
    const [best] = rankCells(
      table,
      (cell) => measure.gainOf(cell) - cost * cell.cuboid.dimensions.length,
      {
        keep: 1,
        floor: gainMin,
      },
    );
    if (best === undefined) break;
    const members = membersOf(table, best);
    const attributes = attributesOf(table, best);
    const inside = members.map((leaf) => kept[leaf] as MeasuredLeaf);
    const shift = measure.shiftOf(best);
    found.push({ ...describe(best, { attributes, inside, whole }), shift });
    takeOut(table, members);
  }
  const gain = found.reduce((sum, one) => sum + one.gain, 0);
  const shiftMin = purityMin * Math.abs(measure.shiftOf(everything));
  const combinations = found
    .filter(({ shift }) => gain > alike && Math.abs(shift) >= shiftMin)
    .map(({ shift, ...combination }) => combination);
  return { combinations, leavesDropped: telling.length - kept.length };
}

interface Measure {
  /** What is summed. */
  readonly columns: readonly Float64Array[];
  /** What the sums of a cell gain over nothing having happened there, in nats. */
  gainOf(cell: Cell): number;
  /** How far its leaves moved together; 0 without leaves. */
  shiftOf(cell: Cell): number;
}

function asValues(leaves: readonly MeasuredLeaf[]): Measure {
  const moved = Float64Array.from(
    leaves,
    ({ actual, forecast }) => (2 * (actual - forecast)) / (actual + forecast),
  );
  const { centre, scatter } = shortestHalf(moved);
  const unit = Math.max(scatterMin, scatter);
  const witnesses = moved.map((one) =>
    Math.max(-witnessMax, Math.min(witnessMax, (one - centre) / unit)),
  );
  return {
    columns: [witnesses],
    gainOf: ({ cuboid, group }) => {
      const n = cuboid.left[group] as number;
      const s = cuboid.sums[0]?.[group] as number;
      return Math.abs(s) < deviationMin * n ? 0 : (s * s) / (2 * n);
    },
    shiftOf: ({ cuboid, group }) =>
      (cuboid.sums[0]?.[group] as number) / Math.max(1, cuboid.left[group] as number),
  };
}

function asCounts(leaves: readonly MeasuredLeaf[]): Measure {
  const scatter = countScatter(leaves);
  const shareOf = ({ actual, forecast }: MeasuredLeaf): number =>
    1 / (1 + Math.max(actual, forecast) * scatter ** 2);
  return {
    columns: [
      Float64Array.from(leaves, (leaf) => leaf.actual * shareOf(leaf)),
      Float64Array.from(leaves, (leaf) => leaf.forecast * shareOf(leaf)),
    ],
    gainOf: ({ cuboid, group }) => {
      const actual = Math.max(0, cuboid.sums[0]?.[group] as number);
      const forecast = Math.max(countMin, cuboid.sums[1]?.[group] as number);
      if (Math.abs(actual - forecast) < deviationMin * scatter * forecast) return 0;
      const surprise = actual > 0 ? actual * Math.log(actual / forecast) : 0;
      return surprise - (actual - forecast);
    },
    shiftOf: ({ cuboid, group }) => {
      const [actual, forecast] = cuboid.sums.map((sum) => sum[group] as number);
      const isEmpty = cuboid.left[group] === 0 || (forecast as number) < countMin;
      return isEmpty ? 0 : (actual as number) / (forecast as number) - 1;
    },
  };
}

function weightOf({ actual, forecast }: MeasuredLeaf): number {
  return actual + forecast;
}

function describe(
  { gain }: RankedCell,
  of: {
    readonly attributes: DeviatingCombination["attributes"];
    readonly inside: readonly MeasuredLeaf[];
    /** Net departure of all leaves. */
    readonly whole: number;
  },
): DeviatingCombination {
  const actual = of.inside.reduce((sum, leaf) => sum + leaf.actual, 0);
  const forecast = of.inside.reduce((sum, leaf) => sum + leaf.forecast, 0);
  const share = of.whole === 0 ? 0 : (actual - forecast) / of.whole;
  return {
    attributes: of.attributes,
    leaves: of.inside.length,
    actual,
    forecast,
    effect: Math.min(effectMax, actual / Math.max(forecast, actual / effectMax)),
    explained: Math.min(1, Math.max(0, share)),
    pValue: Math.exp(-gain),
    gain,
  };
}
