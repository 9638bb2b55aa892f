/**
 * Heights: each slot as near as it can be to the weighted mean of its neighbours, in the given
 * order and no closer than `pitch` to the next. Least squares under an order, solved exactly for a
 * layer by pooling adjacent violators; layers take turns.
 */
import type { SlotLink } from "./slots.ts";

export interface Wanted {
  readonly at: number;
  readonly weight: number;
}

interface Neighbour {
  readonly slot: string;
  readonly weight: number;
}

const rounds = 12;

export function placeRows(
  rows: readonly (readonly string[])[],
  links: readonly SlotLink[],
  pitch: number,
): Map<string, number> {
  const neighbours = neighboursOf(links);
  const centres = new Map<string, number>();
  for (const row of rows) {
    for (const [index, slot] of row.entries()) {
      centres.set(slot, (index - (row.length - 1) / 2) * pitch);
    }
  }
  for (let round = 0; round < rounds; round++) {
    for (const row of round % 2 === 0 ? rows : rows.toReversed()) {
      const wanted = row.map((slot) => wantedOf(slot, neighbours.get(slot) ?? [], centres));
      const placed = separate(wanted, pitch);
      for (const [index, slot] of row.entries()) centres.set(slot, placed[index] as number);
    }
  }
  return centres;
}

function neighboursOf(links: readonly SlotLink[]): Map<string, Neighbour[]> {
  const found = new Map<string, Neighbour[]>();
  const add = (slot: string, neighbour: Neighbour): void => {
    const list = found.get(slot);
    if (list === undefined) found.set(slot, [neighbour]);
    else list.push(neighbour);
  };
  for (const { left, right, weight } of links) {
    add(left, { slot: right, weight });
    add(right, { slot: left, weight });
  }
  return found;
}

function wantedOf(
  slot: string,
  neighbours: readonly Neighbour[],
  centres: ReadonlyMap<string, number>,
): Wanted {
  let weight = 0;
  let sum = 0;
  for (const neighbour of neighbours) {
    weight += neighbour.weight;
    sum += neighbour.weight * (centres.get(neighbour.slot) as number);
  }
  return weight === 0
    ? { at: centres.get(slot) as number, weight: 0.01 }
    : { at: sum / weight, weight };
}

/** Places nearest to those wanted, in their order and at least `pitch` apart. */
export function separate(wanted: readonly Wanted[], pitch: number): number[] {
  // Less `pitch` a row, "at least pitch apart" becomes "never falling".
  const blocks: { mean: number; weight: number; rows: number }[] = [];
  for (const [index, { at, weight }] of wanted.entries()) {
    let block = { mean: at - index * pitch, weight, rows: 1 };
    for (
      let last = blocks.at(-1);
      last !== undefined && last.mean > block.mean;
      last = blocks.at(-1)
    ) {
      const sum = last.weight + block.weight;
      const mean = (last.mean * last.weight + block.mean * block.weight) / sum;
      block = { mean, weight: sum, rows: last.rows + block.rows };
      blocks.pop();
    }
    blocks.push(block);
  }
  const means = blocks.flatMap(({ mean, rows }) => Array.from({ length: rows }, () => mean));
  return means.map((mean, index) => mean + index * pitch);
}
