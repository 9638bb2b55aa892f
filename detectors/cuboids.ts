/**
 * Every cuboid of a leaf table: leaves grouped by their values in each set of dimensions, and sums
 * over the groups. Both isolations search it, and take out what they have found.
 *
 *   codes    Int32Array [leaf]     value in one dimension, numbered by name; -1 = never named
 *   group    Int32Array [leaf]     leaves alike in all dimensions of a cuboid; -1 = never named
 *   left     Int32Array [group]    leaves not yet taken out
 *   witness  Int32Array [group]    one leaf of the group, which tells its values
 *   sums     Float64Array [group]  of each column, over the leaves left
 *
 * The first cuboid has no dimension and one group, which is everything. A dimension of one value is
 * left out, and so are values that say nothing (code-dimension.ts).
 *
 * Of equals that with fewer attributes is better, then that of earlier dimensions, then that of
 * earlier values: the order of leaves does not matter. Work and memory are leaves times cuboids.
 */
import { type CodedDimension, codeDimension } from "./code-dimension.ts";

export interface Cuboid {
  /** Of the coded dimensions, ascending. */
  readonly dimensions: readonly number[];
  readonly group: Int32Array;
  readonly left: Int32Array;
  readonly witness: Int32Array;
  readonly sums: readonly Float64Array[];
}

export interface CuboidTable {
  readonly dimensions: readonly CodedDimension[];
  readonly columns: readonly Float64Array[];
  /** Fewest dimensions first, then the earlier ones. */
  readonly cuboids: readonly Cuboid[];
  readonly byDimensions: ReadonlyMap<string, Cuboid>;
  /** [leaf] 0 = taken out. */
  readonly isLeft: Uint8Array;
}

/** One combination of attribute values. */
export interface Cell {
  readonly cuboid: Cuboid;
  readonly group: number;
}

export interface RankedCell extends Cell {
  readonly gain: number;
}

export interface TableInput {
  readonly keys: readonly (readonly string[])[];
  readonly dimensions: readonly string[];
  /** [leaf] What is summed. */
  readonly columns: readonly Float64Array[];
  /** [leaf] Only values whose leaves weigh more than 0 together are named, the heaviest first. */
  readonly weights?: Float64Array;
  /** Attributes of a combination at most. */
  readonly depth: number;
  /** Leaves times cuboids at most, or the depth falls. */
  readonly workMax: number;
}

const tie = 1e-9;

export function createCuboidTable(input: TableInput): CuboidTable {
  const { keys, columns } = input;
  const dimensions = input.dimensions
    .map((name, index) => codeDimension(input, { name, index }))
    .filter(({ values }) => values.length > 0);
  const depth = affordableDepth(dimensions.length, input);
  const everything = sumGroups([], { group: new Int32Array(keys.length), groups: 1 }, columns);
  const cuboids = [everything];
  for (let at = 0; at < cuboids.length; at++) {
    const parent = cuboids[at] as Cuboid;
    if (parent.dimensions.length === depth) break;
    for (let next = (parent.dimensions.at(-1) ?? -1) + 1; next < dimensions.length; next++) {
      const split = splitGroups(parent, dimensions[next] as CodedDimension);
      cuboids.push(sumGroups([...parent.dimensions, next], split, columns));
    }
  }
  const byDimensions = new Map(cuboids.map((cuboid) => [cuboid.dimensions.join(), cuboid]));
  const isLeft = new Uint8Array(keys.length).fill(1);
  return { dimensions, columns, cuboids, byDimensions, isLeft };
}

/** Everything, the combination without attributes. */
export function wholeOf({ cuboids }: CuboidTable): Cell {
  return { cuboid: cuboids[0] as Cuboid, group: 0 };
}

/** Nats it costs to name one attribute: one among all that can be named. */
export function attributeCostOf({ dimensions }: CuboidTable): number {
  return Math.log(
    Math.max(
      2,
      dimensions.reduce((sum, { values }) => sum + values.length, 0),
    ),
  );
}

/** The `keep` best cells that gain more than `floor`; one of those that hold the same leaves. */
export function rankCells(
  table: CuboidTable,
  gainOf: (cell: Cell) => number,
  { keep, floor }: { readonly keep: number; readonly floor: number },
): RankedCell[] {
  const best: RankedCell[] = [];
  for (const cuboid of table.cuboids.slice(1)) {
    for (let group = 0; group < cuboid.left.length; group++) {
      if (cuboid.left[group] === 0) continue;
      const gain = gainOf({ cuboid, group });
      if (!(gain > floor + tie)) continue;
      const last = best[keep - 1];
      if (last !== undefined && gain < last.gain - tie) continue;
      const cell = { cuboid, group, gain };
      if (isAlias(table, cell, best)) continue;
      const at = best.findIndex((other) => isBetter(table, cell, other));
      best.splice(at < 0 ? best.length : at, 0, cell);
      if (best.length > keep) best.pop();
    }
  }
  return best;
}

/** Its leaves that are left. */
export function membersOf({ isLeft }: CuboidTable, { cuboid, group }: Cell): number[] {
  const members: number[] = [];
  for (let leaf = 0; leaf < isLeft.length; leaf++) {
    if (isLeft[leaf] === 1 && cuboid.group[leaf] === group) members.push(leaf);
  }
  return members;
}

/** Takes the leaves out of every sum. */
export function takeOut(
  { cuboids, columns, isLeft }: CuboidTable,
  leaves: readonly number[],
): void {
  for (const leaf of leaves) isLeft[leaf] = 0;
  for (const { group, left, sums } of cuboids) {
    for (const leaf of leaves) {
      const at = group[leaf] as number;
      if (at < 0) continue;
      left[at] = (left[at] as number) - 1;
      for (let column = 0; column < columns.length; column++) {
        const sum = sums[column] as Float64Array;
        sum[at] = (sum[at] as number) - ((columns[column] as Float64Array)[leaf] as number);
      }
    }
  }
}

/** The cell that holds this one and all that differs from it in one dimension alone. */
export function withoutDimension(table: CuboidTable, cell: Cell, dimension: number): Cell {
  const dimensions = cell.cuboid.dimensions.filter((one) => one !== dimension);
  const cuboid = table.byDimensions.get(dimensions.join()) as Cuboid;
  return { cuboid, group: cuboid.group[witnessOf(cell)] as number };
}

/** Every leaf of `narrow` is one of `wide`. */
export function isPartOf(narrow: Cell, wide: Cell): boolean {
  return (
    wide.cuboid.dimensions.every((one) => narrow.cuboid.dimensions.includes(one)) &&
    wide.cuboid.group[witnessOf(narrow)] === wide.group
  );
}

export function attributesOf(
  { dimensions }: CuboidTable,
  cell: Cell,
): { readonly dimension: string; readonly value: string }[] {
  const witness = witnessOf(cell);
  return cell.cuboid.dimensions.map((index) => {
    const { name, values, codes } = dimensions[index] as CodedDimension;
    return { dimension: name, value: values[codes[witness] as number] as string };
  });
}

function witnessOf({ cuboid, group }: Cell): number {
  return cuboid.witness[group] as number;
}

/** Fewer attributes would do, or another with as many stands for the same leaves. */
function isAlias(table: CuboidTable, cell: RankedCell, known: readonly RankedCell[]): boolean {
  const { cuboid, group, gain } = cell;
  const left = cuboid.left[group];
  const isWider = (dimension: number): boolean => {
    const wide = withoutDimension(table, cell, dimension);
    return wide.cuboid.dimensions.length > 0 && wide.cuboid.left[wide.group] === left;
  };
  if (cuboid.dimensions.some(isWider)) return true;
  return known.some(
    (other) =>
      Math.abs(other.gain - gain) <= tie &&
      other.cuboid.left[other.group] === left &&
      membersOf(table, cell).every((leaf) => other.cuboid.group[leaf] === other.group),
  );
}

/** `other` was found earlier, so it has no more attributes and no later dimensions. */
function isBetter(table: CuboidTable, cell: RankedCell, other: RankedCell): boolean {
  if (Math.abs(cell.gain - other.gain) > tie) return cell.gain > other.gain;
  if (cell.cuboid !== other.cuboid) return false;
  for (const index of cell.cuboid.dimensions) {
    const { codes } = table.dimensions[index] as CodedDimension;
    const order = (codes[witnessOf(cell)] as number) - (codes[witnessOf(other)] as number);
    if (order !== 0) return order < 0;
  }
  return false;
}

function affordableDepth(dimensions: number, { depth, workMax, keys }: TableInput): number {
  let cuboids = 1;
  let ofThisSize = 1;
  for (let size = 1; size <= Math.min(depth, dimensions); size++) {
    ofThisSize = (ofThisSize * (dimensions - size + 1)) / size;
    cuboids += ofThisSize;
    if (size > 1 && cuboids * keys.length > workMax) return size - 1;
  }
  return Math.min(depth, dimensions);
}

interface Grouping {
  readonly group: Int32Array;
  readonly groups: number;
}

/** Numbers the pairs of a group and a value as they come. */
function splitGroups({ group, left }: Cuboid, { codes, values }: CodedDimension): Grouping {
  const pairs = left.length * values.length;
  const numbers =
    pairs <= 4 * group.length ? new Int32Array(pairs).fill(-1) : new Map<number, number>();
  let groups = 0;
  const numberOf = (pair: number): number => {
    const known = numbers instanceof Map ? (numbers.get(pair) ?? -1) : (numbers[pair] as number);
    if (known >= 0) return known;
    if (numbers instanceof Map) numbers.set(pair, groups);
    else numbers[pair] = groups;
    return groups++;
  };
  const split = group.map((of, leaf) => {
    const code = codes[leaf] as number;
    return of < 0 || code < 0 ? -1 : numberOf(of * values.length + code);
  });
  return { group: split, groups };
}

function sumGroups(
  dimensions: readonly number[],
  { group, groups }: Grouping,
  columns: readonly Float64Array[],
): Cuboid {
  const left = new Int32Array(groups);
  const witness = new Int32Array(groups);
  for (let leaf = 0; leaf < group.length; leaf++) {
    const at = group[leaf] as number;
    if (at < 0) continue;
    left[at] = (left[at] as number) + 1;
    witness[at] = leaf;
  }
  const sums = columns.map((column) => {
    const sum = new Float64Array(groups);
    for (let leaf = 0; leaf < group.length; leaf++) {
      const at = group[leaf] as number;
      if (at >= 0) sum[at] = (sum[at] as number) + (column[leaf] as number);
    }
    return sum;
  });
  return { dimensions, group, left, witness, sums };
}
