/**
 * The length of a union of intervals, which is what children took of their parent's time.
 *
 * Starts and ends are sorted apart: at any moment as many intervals are open as starts lie behind
 * it less ends, so the union is the time during which that number is positive.
 */
const insertionMax = 24;

/** Sorts the first `count` of both arrays in place. Each start is at most its end. */
export function unionLength(starts: Float64Array, ends: Float64Array, count: number): number {
  if (count === 0) return 0;
  if (count === 1) return (ends[0] as number) - (starts[0] as number);
  sortFirst(starts, count);
  sortFirst(ends, count);
  let length = 0;
  let openedAt = starts[0] as number;
  for (let index = 0; index < count - 1; index++) {
    const end = ends[index] as number;
    const next = starts[index + 1] as number;
    if (next > end) {
      length += end - openedAt;
      openedAt = next;
    }
  }
  return length + (ends[count - 1] as number) - openedAt;
}

function sortFirst(values: Float64Array, count: number): void {
  if (count > insertionMax) {
    values.subarray(0, count).sort();
    return;
  }
  for (let index = 1; index < count; index++) {
    const value = values[index] as number;
    let hole = index;
    while (hole > 0 && (values[hole - 1] as number) > value) {
      values[hole] = values[hole - 1] as number;
      hole--;
    }
    values[hole] = value;
  }
}
