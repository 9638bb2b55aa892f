/**
 * The scan below isolation.ts: leaves as small integers, summed over every cuboid in dense arrays.
 *
 *   codes[dimension][leaf]   0 = a value that cannot be named, 1..15 = one that can
 *   count, bad, expected     Float64Array [leaf]: as they came, and as evidence
 *
 * Rates of keys wander, so a leaf of many spans is hardly better a witness than one of some: as
 * evidence its n spans are n / (1 + (n - 1) correlation), the size of a sample of independent ones
 * that says as much (Kish 1965, design effect). What many leaves say together still adds up.
 *
 * Only dimensions of two or more values are coded. Leaves alike in all codes are one leaf.
 */
import { overflowValue } from "../sketch/key.ts";
import type { IsolationLeaf } from "./isolation-leaf.ts";

export interface Totals {
  readonly count: number;
  readonly bad: number;
  readonly expected: number;
}

export type Selection = readonly { readonly dimension: number; readonly code: number }[];

/** By leaf. */
export interface LeafColumns {
  readonly count: Float64Array;
  readonly bad: Float64Array;
  readonly expected: Float64Array;
}

export interface CodedLeaves {
  readonly size: number;
  readonly codes: readonly Uint8Array[];
  readonly counts: LeafColumns;
  readonly evidence: LeafColumns;
  /** Nameable values of each coded dimension. */
  readonly valueCounts: readonly number[];
  /** Nats it costs to name one attribute: one among all that can be named. */
  readonly attributeCost: number;
  nameOf(dimension: number, code: number): { readonly dimension: string; readonly value: string };
}

interface CodedDimension {
  readonly index: number;
  readonly name: string;
  /** Nameable values, most excess first; code 1 is the first. */
  readonly values: readonly string[];
}

const valuesMax = 15;
/** Absent, and folded by a key table that was full: neither says where. */
const unnameable = new Set(["", overflowValue]);
/** No baseline is believed below one bad event in 10,000, or above all but that. */
const rateMin = 1e-4;
/** Of the spans of one leaf, in excess of what the combinations explain. */
const correlation = 0.005;
const tie = 1e-9;

export function codeLeaves(
  leaves: readonly IsolationLeaf[],
  names: readonly string[],
): CodedLeaves {
  const dimensions = names
    .map((name, index) => codeDimension(leaves, name, index))
    .filter((dimension) => dimension !== undefined);
  const coders = dimensions.map(
    ({ values }) => new Map(values.map((value, index) => [value, index + 1])),
  );
  const rows = new Map<string, CodedRow>();
  for (const leaf of leaves) {
    const codes = dimensions.map(({ index }, at) => coders[at]?.get(leaf.key[index] ?? "") ?? 0);
    const id = String.fromCharCode(...codes);
    let row = rows.get(id);
    if (row === undefined) {
      row = { codes, counts: { ...nothing }, evidence: { ...nothing } };
      rows.set(id, row);
    }
    add(row.counts, leaf, 1);
    add(row.evidence, leaf, 1 / (1 + Math.max(0, leaf.count - 1) * correlation));
  }
  const all = [...rows.values()];
  const valueCounts = dimensions.map(({ values }) => values.length);
  return {
    size: all.length,
    codes: dimensions.map((_, at) => Uint8Array.from(all, (row) => row.codes[at] as number)),
    counts: columnsOf(all.map(({ counts }) => counts)),
    evidence: columnsOf(all.map(({ evidence }) => evidence)),
    valueCounts,
    attributeCost: Math.log(Math.max(2, sum(valueCounts))),
    nameOf: (dimension, code) => ({
      dimension: dimensions[dimension]?.name ?? "",
      value: dimensions[dimension]?.values[code - 1] ?? "",
    }),
  };
}

interface CodedRow {
  readonly codes: number[];
  readonly counts: { -readonly [name in keyof Totals]: number };
  readonly evidence: { -readonly [name in keyof Totals]: number };
}

const nothing: Totals = { count: 0, bad: 0, expected: 0 };

function add(sums: CodedRow["counts"], { count, bad, expected }: Totals, share: number): void {
  sums.count += share * count;
  sums.bad += share * bad;
  sums.expected += share * expected;
}

function columnsOf(rows: readonly Totals[]): LeafColumns {
  return {
    count: Float64Array.from(rows, ({ count }) => count),
    bad: Float64Array.from(rows, ({ bad }) => bad),
    expected: Float64Array.from(rows, ({ expected }) => expected),
  };
}

function codeDimension(
  leaves: readonly IsolationLeaf[],
  name: string,
  index: number,
): CodedDimension | undefined {
  const excess = new Map<string, number>();
  for (const leaf of leaves) {
    const value = leaf.key[index] ?? "";
    excess.set(value, (excess.get(value) ?? 0) + leaf.bad - leaf.expected);
  }
  if (excess.size < 2) return undefined;
  const values = [...excess]
    .filter(([value, over]) => over > 0 && !unnameable.has(value))
    .sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1))
    .slice(0, valuesMax)
    .map(([value]) => value);
  return values.length === 0 ? undefined : { index, name, values };
}

export interface ScanLimits {
  readonly attributesMax: number;
  /** Bad events above the expected that a combination must hold. */
  readonly excessMin: number;
}

/** The combination of best positive score among the leaves left; of equals the first. */
export function findBest(
  coded: CodedLeaves,
  left: Uint8Array,
  limits: ScanLimits,
): Selection | undefined {
  const remaining = Uint32Array.from(left.keys()).filter((leaf) => left[leaf] === 1);
  let best: Selection | undefined;
  let bestScore = 0;
  for (let size = 1; size <= limits.attributesMax; size++) {
    for (const cuboid of subsets(coded.codes.length, size)) {
      const sums = sumCuboid(coded, remaining, cuboid);
      const cost = coded.attributeCost * size;
      for (let cell = 0; cell < sums.bad.length; cell++) {
        const totals = {
          count: sums.count[cell] as number,
          bad: sums.bad[cell] as number,
          expected: sums.expected[cell] as number,
        };
        if (totals.bad < 2 || totals.bad - totals.expected < limits.excessMin) continue;
        const score = scoreTotals(totals) - cost;
        if (score <= bestScore + tie) continue;
        const selection = selectionOf(coded, cuboid, cell);
        if (selection === undefined) continue;
        best = selection;
        bestScore = score;
      }
    }
  }
  return best;
}

/**
 * Log-likelihood gain, in nats, of a rate of its own over the baseline's, less half the log of the
 * count for having fitted that rate.
 */
export function scoreTotals({ count, bad, expected }: Totals): number {
  if (count <= 0) return 0;
  const baseline = Math.min(1 - rateMin, Math.max(rateMin, expected / count));
  const rate = Math.min(1, bad / count);
  if (rate <= baseline) return 0;
  const good = count - bad;
  const gain =
    bad * Math.log(rate / baseline) + (good > 0 ? good * Math.log((1 - rate) / (1 - baseline)) : 0);
  return gain - 0.5 * Math.log(count + 1);
}

/** Sums over the leaves left that have all the selected values. */
export function selectTotals(
  coded: CodedLeaves,
  selection: Selection,
  left: Uint8Array,
  columns: LeafColumns,
): Totals {
  let count = 0;
  let bad = 0;
  let expected = 0;
  for (let leaf = 0; leaf < coded.size; leaf++) {
    if (left[leaf] === 0) continue;
    if (!selection.every(({ dimension, code }) => coded.codes[dimension]?.[leaf] === code))
      continue;
    count += columns.count[leaf] as number;
    bad += columns.bad[leaf] as number;
    expected += columns.expected[leaf] as number;
  }
  return { count, bad, expected };
}

/** Cell index: the codes as digits, the first dimension lowest, radix = its values + 1. */
function sumCuboid(
  coded: CodedLeaves,
  leaves: Uint32Array,
  cuboid: readonly number[],
): LeafColumns {
  const cells = new Uint32Array(leaves.length);
  let size = 1;
  for (const dimension of cuboid) {
    addDigits(cells, leaves, coded.codes[dimension] as Uint8Array, size);
    size *= (coded.valueCounts[dimension] as number) + 1;
  }
  const sums = {
    count: new Float64Array(size),
    bad: new Float64Array(size),
    expected: new Float64Array(size),
  };
  addInto(sums.count, cells, leaves, coded.evidence.count);
  addInto(sums.bad, cells, leaves, coded.evidence.bad);
  addInto(sums.expected, cells, leaves, coded.evidence.expected);
  return sums;
}

function addDigits(
  cells: Uint32Array,
  leaves: Uint32Array,
  codes: Uint8Array,
  weight: number,
): void {
  for (let at = 0; at < leaves.length; at++) {
    cells[at] = (cells[at] as number) + weight * (codes[leaves[at] as number] as number);
  }
}

function addInto(
  sums: Float64Array,
  cells: Uint32Array,
  leaves: Uint32Array,
  values: Float64Array,
): void {
  for (let at = 0; at < leaves.length; at++) {
    const cell = cells[at] as number;
    sums[cell] = (sums[cell] as number) + (values[leaves[at] as number] as number);
  }
}

/** The values of a cell; undefined when one of them cannot be named. */
function selectionOf(
  coded: CodedLeaves,
  cuboid: readonly number[],
  cell: number,
): Selection | undefined {
  let rest = cell;
  const selection: { dimension: number; code: number }[] = [];
  for (const dimension of cuboid) {
    const radix = (coded.valueCounts[dimension] as number) + 1;
    const code = rest % radix;
    if (code === 0) return undefined;
    selection.push({ dimension, code });
    rest = Math.floor(rest / radix);
  }
  return selection;
}

/** Every increasing list of `size` integers below `below`, in lexicographic order. */
function* subsets(below: number, size: number): Generator<readonly number[]> {
  if (size > below) return;
  const chosen = Array.from({ length: size }, (_, index) => index);
  while (true) {
    yield chosen;
    let at = size - 1;
    while (at >= 0 && chosen[at] === below - size + at) at -= 1;
    if (at < 0) return;
    chosen[at] = (chosen[at] as number) + 1;
    for (let next = at + 1; next < size; next++) chosen[next] = (chosen[next - 1] as number) + 1;
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
