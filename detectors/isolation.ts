/**
 * Where exactly the excess of bad events lies: the smallest combinations of attribute values that
 * explain it, or none of them, and what else would explain it nearly as well.
 *
 * Every combination of up to `attributesMax` values is a hypothesis: "the spans in here have a rate
 * of their own, all others are as the baseline says". Its gain is the binomial log-likelihood of
 * that over the baseline (isolation-evidence.ts), less what it costs to name it. The combination of
 * no attributes is a hypothesis too, and wins when the excess is spread. Several causes are found
 * greedily (isolation-search.ts), each on what the ones before it left. Rules keep them small and
 * pure: the rate inside is at least `purityMin` times the rate outside, and so is it against the
 * neighbours that removing one attribute would let in; a combination found later of which an
 * earlier one is a part replaces it.
 *
 * Alternatives are the combinations that gain most, each alone, after the believed ones; how many
 * nats that is behind what those gain together tells whether they are worth a word.
 *
 * A dimension of one value is never named; of dimensions that split the spans alike, the earlier
 * is. Absent ("") and folded values are never named.
 *
 * Bounds: of more than `leavesMax` leaves those with most spans are read and the rest counted in
 * `leavesDropped`; per dimension the 15 values with most excess can be named; `attributesMax` falls
 * by one until leaves times cuboids fit `workMax`.
 *
 * Source: Kulldorff 1997 (scan statistic), Neill 2012 (subset scan), Rissanen 1978 (MDL).
 */
import {
  attributesOf,
  type Cell,
  type CuboidTable,
  createCuboidTable,
  membersOf,
  type RankedCell,
  wholeOf,
} from "./cuboids.ts";
import {
  evidenceOf,
  excessOf,
  pValueOf,
  scoreTotals,
  subtract,
  type Totals,
} from "./isolation-evidence.ts";
import type { IsolationLeaf } from "./isolation-leaf.ts";
import { costOf, evidenceIn, findGreedily, type SearchLimits } from "./isolation-search.ts";
import { keepHeaviest } from "./keep-heaviest.ts";

export interface IsolationOptions extends SearchLimits {
  readonly dimensions: readonly string[];
  readonly attributesMax: number;
  /** All combinations together explain at least this share, or the excess is spread, 0..1. */
  readonly explainedTotalMin: number;
  readonly leavesMax: number;
  /** Leaves times cuboids. */
  readonly workMax: number;
}

export interface IsolatedCombination extends Totals {
  /** Empty when no attribute explains the excess. */
  readonly attributes: readonly { readonly dimension: string; readonly value: string }[];
  readonly excess: number;
  /** Share of the whole excess inside, 0..1. */
  readonly explained: number;
  readonly pValue: number;
  /** Rate of bad events inside over the rate outside, at most 1e6. */
  readonly effect: number;
}

export interface AlternativeCombination extends IsolatedCombination {
  /** Nats that the believed combinations together gain more. */
  readonly behind: number;
}

export interface Isolation extends Totals {
  /** In the order found, strongest first; one without attributes when the excess is spread. */
  readonly combinations: readonly IsolatedCombination[];
  /** Not believed, but next in the order of evidence. */
  readonly alternatives: readonly AlternativeCombination[];
  readonly leavesDropped: number;
  /** The depth searched, at most the depth asked for. */
  readonly attributesMax: number;
}

const effectMax = 1e6;

export function defaultIsolationOptions(dimensions: readonly string[]): IsolationOptions {
  return {
    dimensions,
    attributesMax: 5,
    combinationsMax: 4,
    alternativesMax: 3,
    explainedMin: 0.1,
    explainedTotalMin: 0.5,
    purityMin: 2,
    pValueMax: 1e-3,
    leavesMax: 200_000,
    workMax: 16_000_000,
  };
}

export function isolate(leaves: readonly IsolationLeaf[], options: IsolationOptions): Isolation {
  const kept = keepHeaviest(leaves, ({ count }) => count, options.leavesMax);
  const table = createCuboidTable({
    keys: kept.map(({ key }) => key),
    dimensions: options.dimensions,
    columns: evidenceOf(kept),
    weights: Float64Array.from(kept, excessOf),
    depth: options.attributesMax,
    workMax: options.workMax,
  });
  const search = { table, leaves: kept, whole: sumAll(kept) };
  return {
    ...search.whole,
    ...(excessOf(search.whole) > 0 ? findAll(search, options) : noFinding),
    leavesDropped: leaves.length - kept.length,
    attributesMax: table.cuboids.at(-1)?.dimensions.length ?? 0,
  };
}

type Found = Pick<Isolation, "combinations" | "alternatives">;

interface Search {
  readonly table: CuboidTable;
  readonly leaves: readonly IsolationLeaf[];
  /** All of the leaves. */
  readonly whole: Totals;
}

const noFinding: Found = { combinations: [], alternatives: [] };

function findAll(search: Search, options: IsolationOptions): Found {
  const { table, leaves, whole } = search;
  const everything = evidenceIn(wholeOf(table));
  const { cells, ranked } = findGreedily(table, options);
  table.isLeft.fill(1);
  let gain = 0;
  let explained = 0;
  let left = whole;
  const found = cells.map((cell) => {
    const members = membersOf(table, cell);
    for (const leaf of members) table.isLeft[leaf] = 0;
    const inside = sumAll(members.map((leaf) => leaves[leaf] as IsolationLeaf));
    left = subtract(left, inside);
    const evidence = evidenceAt(table, members);
    gain += scoreTotals(evidence) - costOf(table, cell);
    explained += excessOf(evidence);
    return describe(search, cell, { inside, outside: left });
  });
  table.isLeft.fill(1);
  const spread = scoreTotals(everything);
  const isEnough = explained >= options.explainedTotalMin * excessOf(everything);
  const isBelieved = isEnough && gain > spread;
  const nothing = { count: 0, bad: 0, expected: 0 };
  return {
    combinations: isBelieved
      ? found
      : [describe(search, wholeOf(table), { inside: whole, outside: nothing })],
    alternatives: ranked
      .filter((cell) => !(isBelieved && cells.some((known) => holdsTheSame(cell, known))))
      .slice(0, options.alternativesMax)
      .map((cell) => describeAlternative(search, cell, isBelieved ? gain : spread)),
  };
}

function holdsTheSame(a: Cell, b: Cell): boolean {
  return a.cuboid.group.every(
    (group, leaf) => (group === a.group) === (b.cuboid.group[leaf] === b.group),
  );
}

function describeAlternative(
  search: Search,
  cell: RankedCell,
  gain: number,
): AlternativeCombination {
  const members = membersOf(search.table, cell);
  const inside = sumAll(members.map((leaf) => search.leaves[leaf] as IsolationLeaf));
  const outside = subtract(search.whole, inside);
  return {
    ...describe(search, cell, { inside, outside }),
    behind: Math.max(0, gain - cell.gain),
  };
}

function describe(
  { table, whole }: Search,
  cell: Cell,
  { inside, outside }: { readonly inside: Totals; readonly outside: Totals },
): IsolatedCombination {
  const excess = excessOf(inside);
  const outsideRate = outside.bad / Math.max(1, outside.count);
  return {
    attributes: attributesOf(table, cell),
    ...inside,
    excess,
    explained: Math.min(1, Math.max(0, excess / excessOf(whole))),
    pValue: pValueOf(inside),
    effect: Math.min(effectMax, inside.bad / inside.count / Math.max(outsideRate, 1 / effectMax)),
  };
}

function evidenceAt({ columns }: CuboidTable, leaves: readonly number[]): Totals {
  const [count, bad, expected] = columns.map((column) =>
    leaves.reduce((sum, leaf) => sum + (column[leaf] as number), 0),
  );
  return { count: count as number, bad: bad as number, expected: expected as number };
}

function sumAll(leaves: readonly Totals[]): Totals {
  const sum = { count: 0, bad: 0, expected: 0 };
  for (const { count, bad, expected } of leaves) {
    sum.count += count;
    sum.bad += bad;
    sum.expected += expected;
  }
  return sum;
}
