/**
 * The greedy search of isolation.ts: the strongest combination, then the strongest on what it left,
 * each made as small and as pure as two rules ask:
 *
 *   - an attribute goes when the neighbours it keeps out are at least half as bad;
 *   - a neighbour that was found before is a neighbour still: of two combinations that differ in
 *     one value, what they have in common is named when it would have been without the first.
 */
import {
  attributeCostOf,
  type Cell,
  type CuboidTable,
  isPartOf,
  membersOf,
  type RankedCell,
  rankCells,
  takeOut,
  wholeOf,
  withoutDimension,
} from "./cuboids.ts";
import {
  excessOf,
  excessRate,
  plus,
  pValueOf,
  scoreTotals,
  subtract,
  type Totals,
} from "./isolation-evidence.ts";

export interface SearchLimits {
  readonly combinationsMax: number;
  readonly alternativesMax: number;
  /** A combination explains at least this share of the whole excess, 0..1. */
  readonly explainedMin: number;
  /** The rate inside is at least so many times the rate outside. */
  readonly purityMin: number;
  readonly pValueMax: number;
}

export interface FoundCells {
  /** In the order found. */
  readonly cells: readonly Cell[];
  /** Before anything was taken out, strongest first: enough for all alternatives. */
  readonly ranked: readonly RankedCell[];
}

/** The strongest combination, then the strongest on what it left, while there is a pure one. */
export function findGreedily(table: CuboidTable, limits: SearchLimits): FoundCells {
  const whole = wholeOf(table);
  const excessMin = limits.explainedMin * excessOf(evidenceIn(whole));
  const rank = (keep: number): RankedCell[] =>
    rankCells(table, (cell) => gainOf(table, cell, excessMin), { keep, floor: 0 });
  const ranked = rank(limits.alternativesMax + limits.combinationsMax);
  const found: FoundCell[] = [];
  let best = ranked[0];
  while (best !== undefined && found.length < limits.combinationsMax) {
    const cell = join(table, simplify(table, best, limits.purityMin), { found, ...limits });
    const inside = evidenceIn(cell);
    const outside = subtract(evidenceIn(whole), inside);
    const isPure = excessRate(inside) >= limits.purityMin * excessRate(outside);
    if (cell.cuboid === whole.cuboid || !isPure || pValueOf(inside) > limits.pValueMax) break;
    found.push({ cell, inside });
    takeOut(table, membersOf(table, cell));
    best = rank(1)[0];
  }
  return { cells: withoutRefinements(found.map(({ cell }) => cell)), ranked };
}

function gainOf(table: CuboidTable, cell: Cell, excessMin: number): number {
  const evidence = evidenceIn(cell);
  if (evidence.bad < 2 || excessOf(evidence) < excessMin) return -Infinity;
  return scoreTotals(evidence) - costOf(table, cell);
}

export function costOf(table: CuboidTable, { cuboid }: Cell): number {
  return attributeCostOf(table) * cuboid.dimensions.length;
}

/** A combination found later of which an earlier one is a part stands for both. */
function withoutRefinements(found: readonly Cell[]): Cell[] {
  return found.filter((cell, at) => !found.slice(at + 1).some((later) => isPartOf(cell, later)));
}

interface FoundCell {
  readonly cell: Cell;
  /** What it held when it was found. */
  readonly inside: Totals;
}

/** What it has in common with one found before, where the first is all that sets it apart. */
function join(
  table: CuboidTable,
  cell: Cell,
  { found, purityMin }: { readonly found: readonly FoundCell[]; readonly purityMin: number },
): Cell {
  const inside = evidenceIn(cell);
  for (const earlier of found) {
    if (earlier.cell.cuboid !== cell.cuboid || cell.cuboid.dimensions.length < 2) continue;
    for (const dimension of cell.cuboid.dimensions) {
      const common = withoutDimension(table, cell, dimension);
      if (!isPartOf(earlier.cell, common)) continue;
      const letIn = plus(subtract(evidenceIn(common), inside), earlier.inside);
      if (excessRate(inside) < purityMin * excessRate(letIn)) return common;
    }
  }
  return cell;
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

/** Of the leaves that are left. */
export function evidenceIn({ cuboid, group }: Cell): Totals {
  const [count, bad, expected] = cuboid.sums.map((sum) => sum[group] as number);
  return { count: count as number, bad: bad as number, expected: expected as number };
}
