/**
 * Where exactly the excess of bad events lies: the smallest combinations of attribute values that
 * explain it, or none of them.
 *
 * Every combination of up to `attributesMax` values is a hypothesis: "the spans in here have a rate
 * of their own, all others are as the baseline says". Its score is the binomial log-likelihood gain
 * of that over the baseline, less what it costs to name it (cuboid-scan.ts). The combination of no
 * attributes is a hypothesis too, and wins when the excess is spread. Several causes are found
 * greedily, each on what the ones before it left. Two rules keep combinations small and pure:
 *
 *   - the rate inside is at least `purityMin` times the rate outside;
 *   - so is the rate inside against the neighbours that removing one attribute would let in.
 *
 * A combination found later of which an earlier one is a part replaces it.
 *
 * A dimension of one value is never named; of dimensions that split the spans alike, the earlier
 * is. Absent ("") and folded values are never named.
 *
 * Bounds: of more than `leavesMax` leaves those with most bad events, then most spans, are read and
 * the rest counted in `leavesDropped`; per dimension the 15 values with most excess can be named;
 * `attributesMax` falls by one until leaves times cuboids times combinations fit `workMax`.
 *
 * Source: Kulldorff 1997 (scan statistic), Neill 2012 (subset scan), Rissanen 1978 (MDL).
 */
import { betaBinomialUpperTail } from "./beta-binomial.ts";
import {
  type CodedLeaves,
  codeLeaves,
  findBest,
  type Selection,
  scoreTotals,
  selectTotals,
  type Totals,
} from "./cuboid-scan.ts";
import type { IsolationLeaf } from "./isolation-leaf.ts";

export interface IsolationOptions {
  readonly dimensions: readonly string[];
  readonly attributesMax: number;
  readonly combinationsMax: number;
  /** A combination explains at least this share of the whole excess, 0..1. */
  readonly explainedMin: number;
  /** All combinations together explain at least this share, or the excess is spread, 0..1. */
  readonly explainedTotalMin: number;
  readonly purityMin: number;
  readonly pValueMax: number;
  readonly leavesMax: number;
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

export interface Isolation extends Totals {
  /** In the order found, strongest first; one without attributes when the excess is spread. */
  readonly combinations: readonly IsolatedCombination[];
  readonly leavesDropped: number;
  /** The depth searched, at most the depth asked for. */
  readonly attributesMax: number;
}

/** How much a rate wanders between windows, for the p-value of a combination. */
const precision = 2_000;
const effectMax = 1e6;

export function defaultIsolationOptions(dimensions: readonly string[]): IsolationOptions {
  return {
    dimensions,
    attributesMax: 4,
    combinationsMax: 4,
    explainedMin: 0.1,
    explainedTotalMin: 0.5,
    purityMin: 2,
    pValueMax: 1e-3,
    leavesMax: 50_000,
    workMax: 100_000_000,
  };
}

export function isolate(leaves: readonly IsolationLeaf[], options: IsolationOptions): Isolation {
  const kept = keepLargest(leaves, options.leavesMax);
  const coded = codeLeaves(kept, options.dimensions);
  const whole = selectTotals(coded, [], wholeOf(coded), coded.counts);
  const attributesMax = affordableDepth(coded, options);
  const search = { ...options, attributesMax };
  const found = whole.bad > whole.expected ? findAll(coded, whole, search) : [];
  return {
    ...whole,
    combinations: found,
    leavesDropped: leaves.length - kept.length,
    attributesMax,
  };
}

function findAll(
  coded: CodedLeaves,
  whole: Totals,
  options: IsolationOptions,
): IsolatedCombination[] {
  const selections = withoutRefinements(findGreedily(coded, options));
  const left = wholeOf(coded);
  const everything = selectTotals(coded, [], left, coded.evidence);
  let gain = -scoreTotals(everything);
  let explained = 0;
  const found = selections.map((selection) => {
    const inside = selectTotals(coded, selection, left, coded.counts);
    const outside = subtract(selectTotals(coded, [], left, coded.counts), inside);
    const evidence = selectTotals(coded, selection, left, coded.evidence);
    gain += scoreTotals(evidence) - coded.attributeCost * selection.length;
    explained += evidence.bad - evidence.expected;
    remove(coded, selection, left);
    return describe(coded, selection, { inside, outside, whole });
  });
  const isEnough = explained >= options.explainedTotalMin * excessOf(everything);
  if (isEnough && gain > 0) return found;
  const nothing = { count: 0, bad: 0, expected: 0 };
  return [describe(coded, [], { inside: whole, outside: nothing, whole })];
}

/** The strongest combination, then the strongest on what it left, while there is a pure one. */
function findGreedily(coded: CodedLeaves, options: IsolationOptions): Selection[] {
  const left = wholeOf(coded);
  const { evidence } = coded;
  const excessMin = options.explainedMin * excessOf(selectTotals(coded, [], left, evidence));
  const found: Selection[] = [];
  while (found.length < options.combinationsMax) {
    const best = findBest(coded, left, { attributesMax: options.attributesMax, excessMin });
    if (best === undefined) break;
    const selection = simplify(coded, left, best, options.purityMin);
    const inside = selectTotals(coded, selection, left, evidence);
    const outside = subtract(selectTotals(coded, [], left, evidence), inside);
    const isPure = excessRate(inside) >= options.purityMin * excessRate(outside);
    if (selection.length === 0 || !isPure || pValueOf(inside) > options.pValueMax) break;
    found.push(selection);
    remove(coded, selection, left);
  }
  return found;
}

/** A combination found later of which an earlier one is a part stands for both. */
function withoutRefinements(found: readonly Selection[]): Selection[] {
  return found.filter(
    (selection, at) => !found.slice(at + 1).some((later) => isPartOf(selection, later)),
  );
}

/** Every span of `narrow` is one of `wide`. */
function isPartOf(narrow: Selection, wide: Selection): boolean {
  return wide.every(({ dimension, code }) =>
    narrow.some((own) => own.dimension === dimension && own.code === code),
  );
}

/** Drops attributes, last dimension first, whose removal lets in nothing or more of the same. */
function simplify(
  coded: CodedLeaves,
  left: Uint8Array,
  selection: Selection,
  purityMin: number,
): Selection {
  let kept = selection;
  for (let index = selection.length - 1; index >= 0; index--) {
    const without = kept.filter((attribute) => attribute !== selection[index]);
    const inside = selectTotals(coded, kept, left, coded.evidence);
    const letIn = subtract(selectTotals(coded, without, left, coded.evidence), inside);
    if (letIn.count === 0 || excessRate(inside) < purityMin * excessRate(letIn)) kept = without;
  }
  return kept;
}

function describe(
  coded: CodedLeaves,
  selection: Selection,
  { inside, outside, whole }: { inside: Totals; outside: Totals; whole: Totals },
): IsolatedCombination {
  const excess = inside.bad - inside.expected;
  const outsideRate = outside.bad / Math.max(1, outside.count);
  return {
    attributes: selection.map(({ dimension, code }) => coded.nameOf(dimension, code)),
    ...inside,
    excess,
    explained: Math.min(1, Math.max(0, excess / (whole.bad - whole.expected))),
    pValue: pValueOf(inside),
    effect: Math.min(effectMax, inside.bad / inside.count / Math.max(outsideRate, 1 / effectMax)),
  };
}

function pValueOf({ count, bad, expected }: Totals): number {
  const rate = Math.min(0.999, Math.max(1e-6, expected / count));
  return betaBinomialUpperTail({
    count: Math.round(count),
    bad: Math.floor(bad),
    alpha: rate * precision,
    beta: (1 - rate) * precision,
  });
}

function excessOf({ bad, expected }: Totals): number {
  return bad - expected;
}

function excessRate(totals: Totals): number {
  return totals.count === 0 ? 0 : Math.max(0, (totals.bad - totals.expected) / totals.count);
}

function subtract(from: Totals, part: Totals): Totals {
  return {
    count: from.count - part.count,
    bad: from.bad - part.bad,
    expected: from.expected - part.expected,
  };
}

/** 1 = still to be explained. */
function wholeOf(coded: CodedLeaves): Uint8Array {
  return new Uint8Array(coded.size).fill(1);
}

function remove(coded: CodedLeaves, selection: Selection, left: Uint8Array): void {
  for (let leaf = 0; leaf < coded.size; leaf++) {
    if (selection.every(({ dimension, code }) => coded.codes[dimension]?.[leaf] === code)) {
      left[leaf] = 0;
    }
  }
}

function affordableDepth(coded: CodedLeaves, options: IsolationOptions): number {
  let depth = Math.min(options.attributesMax, coded.codes.length);
  while (depth > 1 && workOf(coded, depth) * options.combinationsMax > options.workMax) depth -= 1;
  return depth;
}

function workOf(coded: CodedLeaves, depth: number): number {
  let cuboids = 0;
  let ofThisSize = 1;
  for (let size = 1; size <= depth; size++) {
    ofThisSize = (ofThisSize * (coded.codes.length - size + 1)) / size;
    cuboids += ofThisSize * size;
  }
  return cuboids * coded.size;
}

function keepLargest(leaves: readonly IsolationLeaf[], max: number): readonly IsolationLeaf[] {
  if (leaves.length <= max) return leaves;
  return leaves.toSorted((a, b) => b.bad - a.bad || b.count - a.count).slice(0, max);
}
