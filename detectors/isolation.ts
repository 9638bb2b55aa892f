/**
 * Where exactly the excess of bad events lies: the smallest combinations of attribute values that
 * explain it, or none of them, and what else would explain it nearly as well.
 *
 * Every combination of up to `attributesMax` values is a hypothesis: "the spans in here have a rate
 * of their own, all others are as the baseline says". Its gain is the binomial log-likelihood of
 * that over the baseline (isolation-evidence.ts), less what it costs to name it. The combination of
 * no attributes is a hypothesis too, and wins when the excess is spread. Several causes are found
 * greedily, each on what the ones before it left. Two rules keep combinations small and pure:
 *
 *   - the rate inside is at least `purityMin` times the rate outside;
 *   - so is the rate inside against the neighbours that removing one attribute would let in.
 *
 * A combination found later of which an earlier one is a part replaces it.
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
  attributeCostOf,
  attributesOf,
  type Cell,
  type CuboidTable,
  createCuboidTable,
  isPartOf,
  membersOf,
  type RankedCell,
  rankCells,
  takeOut,
  wholeOf,
  withoutDimension,
} from "./cuboids.ts";
import {
  evidenceOf,
  excessOf,
  excessRate,
  pValueOf,
  scoreTotals,
  subtract,
  type Totals,
} from "./isolation-evidence.ts";
import type { IsolationLeaf } from "./isolation-leaf.ts";
import { keepHeaviest } from "./keep-heaviest.ts";

export interface IsolationOptions {
  readonly dimensions: readonly string[];
  readonly attributesMax: number;
  readonly combinationsMax: number;
  readonly alternativesMax: number;
  /** A combination explains at least this share of the whole excess, 0..1. */
  readonly explainedMin: number;
  /** All combinations together explain at least this share, or the excess is spread, 0..1. */
  readonly explainedTotalMin: number;
  readonly purityMin: number;
  readonly pValueMax: number;
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
    attributesMax: 4,
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

/** The strongest combination, then the strongest on what it left, while there is a pure one. */
function findGreedily(
  table: CuboidTable,
  options: IsolationOptions,
): { readonly cells: readonly Cell[]; readonly ranked: readonly RankedCell[] } {
  const whole = wholeOf(table);
  const excessMin = options.explainedMin * excessOf(evidenceIn(whole));
  const rank = (keep: number): RankedCell[] =>
    rankCells(table, (cell) => gainOf(table, cell, excessMin), { keep, floor: 0 });
  const ranked = rank(options.alternativesMax + options.combinationsMax);
  const found: Cell[] = [];
  let best = ranked[0];
  while (best !== undefined && found.length < options.combinationsMax) {
    const cell = simplify(table, best, options.purityMin);
    const inside = evidenceIn(cell);
    const outside = subtract(evidenceIn(whole), inside);
    const isPure = excessRate(inside) >= options.purityMin * excessRate(outside);
    if (cell.cuboid === whole.cuboid || !isPure || pValueOf(inside) > options.pValueMax) break;
    found.push(cell);
    takeOut(table, membersOf(table, cell));
    best = rank(1)[0];
  }
  return { cells: withoutRefinements(found), ranked };
}

function gainOf(table: CuboidTable, cell: Cell, excessMin: number): number {
  const evidence = evidenceIn(cell);
  if (evidence.bad < 2 || excessOf(evidence) < excessMin) return -Infinity;
  return scoreTotals(evidence) - costOf(table, cell);
}

function costOf(table: CuboidTable, { cuboid }: Cell): number {
  return attributeCostOf(table) * cuboid.dimensions.length;
}

/** A combination found later of which an earlier one is a part stands for both. */
function withoutRefinements(found: readonly Cell[]): Cell[] {
  return found.filter((cell, at) => !found.slice(at + 1).some((later) => isPartOf(cell, later)));
}

/** Drops attributes, last dimension first, whose removal lets in nothing or more of the same. */
function simplify(table: CuboidTable, cell: Cell, purityMin: number): Cell {
  let kept = cell;
  for (const dimension of cell.cuboid.dimensions.toReversed()) {
    const without = withoutDimension(table, kept, dimension);
    const inside = evidenceIn(kept);
    const letIn = subtract(evidenceIn(without), inside);
    const isEmpty = without.cuboid.left[without.group] === kept.cuboid.left[kept.group];
    if (isEmpty || excessRate(inside) < purityMin * excessRate(letIn)) kept = without;
  }
  return kept;
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

/** Of the leaves that are left. */
function evidenceIn({ cuboid, group }: Cell): Totals {
  const [count, bad, expected] = cuboid.sums.map((sum) => sum[group] as number);
  return { count: count as number, bad: bad as number, expected: expected as number };
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
