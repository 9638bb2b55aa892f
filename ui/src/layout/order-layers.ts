/**
 * The order within each layer: sweeps to and fro, each slot at the mean position of its neighbours
 * in the layer before; the order with the fewest crossings seen is kept.
 */
import { groupBy } from "./group-by.ts";
import type { Layers, SlotLink } from "./slots.ts";

type Rows = readonly (readonly string[])[];

const sweeps = 12;

export function orderLayers({ rows }: Layers, links: readonly SlotLink[]): Rows {
  const leftOf = groupBy(links, ({ right }) => right);
  const rightOf = groupBy(links, ({ left }) => left);
  let order: Rows = rows;
  let best: Rows = rows;
  let bestCount = countCrossings(rows, rightOf);
  for (let sweep = 0; sweep < sweeps && bestCount > 0; sweep++) {
    const isRightward = sweep % 2 === 0;
    order = isRightward
      ? sweepOnce(order, (slot) => leftOf.get(slot)?.map(({ left }) => left) ?? [])
      : sweepOnce(order.toReversed(), (slot) =>
          (rightOf.get(slot) ?? []).map(({ right }) => right),
        ).toReversed();
    const count = countCrossings(order, rightOf);
    if (count < bestCount) [best, bestCount] = [order, count];
  }
  return best;
}

function sweepOnce(rows: Rows, neighboursOf: (slot: string) => readonly string[]): Rows {
  const result: (readonly string[])[] = [];
  let before = new Map<string, number>();
  for (const row of rows) {
    const wanted = row.map((slot, index) => {
      const places = neighboursOf(slot).map((neighbour) => before.get(neighbour) ?? index);
      const sum = places.reduce((total, place) => total + place, 0);
      return { slot, at: places.length === 0 ? index : sum / places.length };
    });
    const sorted = wanted.toSorted((a, b) => a.at - b.at).map(({ slot }) => slot);
    before = new Map(sorted.map((slot, index) => [slot, index]));
    result.push(sorted);
  }
  return result;
}

/** Pairs of links between neighbouring layers that cross. */
function countCrossings(rows: Rows, rightOf: ReadonlyMap<string, readonly SlotLink[]>): number {
  let count = 0;
  for (const [index, row] of rows.entries()) {
    const place = new Map(rows[index + 1]?.map((slot, at) => [slot, at]));
    const ends = row.flatMap((slot) =>
      (rightOf.get(slot) ?? [])
        .map(({ right }) => place.get(right) as number)
        .sort((a, b) => a - b),
    );
    for (const [first, end] of ends.entries()) {
      for (const other of ends.slice(first + 1)) if (other < end) count++;
    }
  }
  return count;
}
