/**
 * The order of keys: value by value, by UTF-16 code units. Only the different values are compared;
 * keys are then sorted by their values' places, one dimension after the other from the last, as
 * comparing 50,000 keys with each other took forty times as long.
 */
import type { KeyTable } from "./key.ts";

export interface RankedKeys {
  /** Key ids, ascending by key. */
  readonly order: Uint32Array;
  /** [keys, dimensions]: the place of each key's value among those of its dimension. */
  readonly ranks: Int32Array;
  /** The different values of each dimension, ascending. */
  readonly values: readonly (readonly string[])[];
}

export function rankKeys(table: KeyTable): RankedKeys {
  const size = table.dimensions.length;
  const count = table.keys.length;
  const numbers = table.index.fileAll();
  const ranks = new Int32Array(count * size);
  const values: string[][] = [];
  const placeOf = new Int32Array(table.index.valueCount);
  for (let at = 0; at < size; at++) {
    const column = valuesOf(table, at, numbers);
    values.push(column.map(({ value }) => value));
    column.forEach(({ number }, place) => {
      placeOf[number] = place;
    });
    for (let from = at; from < ranks.length; from += size) {
      ranks[from] = placeOf[numbers[from] as number] as number;
    }
  }
  return { order: sorted(ranks, count, values), ranks, values };
}

interface NumberedValue {
  readonly value: string;
  readonly number: number;
}

function valuesOf(table: KeyTable, at: number, numbers: Int32Array): NumberedValue[] {
  const seen = new Uint8Array(table.index.valueCount);
  const found: NumberedValue[] = [];
  for (const [id, key] of table.keys.entries()) {
    const number = numbers[id * key.length + at] as number;
    if (seen[number] === 1) continue;
    seen[number] = 1;
    found.push({ value: key[at] as string, number });
  }
  return found.sort((a, b) => (a.value < b.value ? -1 : 1));
}

/** Counting sort by each dimension, the last first; each pass keeps the order of the one before. */
function sorted(ranks: Int32Array, count: number, values: readonly string[][]): Uint32Array {
  const size = values.length;
  let order = Uint32Array.from({ length: count }, (_, id) => id);
  let next = new Uint32Array(count);
  for (let at = size - 1; at >= 0; at--) {
    const ends = new Int32Array((values[at] as string[]).length + 1);
    for (let from = at; from < ranks.length; from += size) {
      const rank = ranks[from] as number;
      ends[rank + 1] = (ends[rank + 1] as number) + 1;
    }
    for (let rank = 1; rank < ends.length; rank++) {
      ends[rank] = (ends[rank] as number) + (ends[rank - 1] as number);
    }
    for (let place = 0; place < count; place++) {
      const id = order[place] as number;
      const rank = ranks[id * size + at] as number;
      const end = ends[rank] as number;
      next[end] = id;
      ends[rank] = end + 1;
    }
    [order, next] = [next, order];
  }
  return order;
}
