/**
 * Sorts the first `count` pairs (keys[i], values[i]) by key, in place, without allocating:
 * quicksort with the median of three, insertion sort for short stretches.
 */
const insertionMax = 16;

export function sortPairs(keys: Float64Array, values: Float64Array, count: number): void {
  sortRange(keys, values, 0, count - 1);
}

function sortRange(keys: Float64Array, values: Float64Array, first: number, last: number): void {
  let low = first;
  let high = last;
  while (high - low > insertionMax) {
    const middle = partition(keys, values, low, high);
    // The shorter side by recursion, so that the depth is at most log2(count).
    if (middle - low < high - middle) {
      sortRange(keys, values, low, middle);
      low = middle + 1;
    } else {
      sortRange(keys, values, middle + 1, high);
      high = middle;
    }
  }
  insertionSort(keys, values, low, high);
}

/** Hoare's partition: everything up to the returned index is <= everything after it. */
function partition(keys: Float64Array, values: Float64Array, low: number, high: number): number {
  const a = keys[low] as number;
  const b = keys[(low + high) >>> 1] as number;
  const c = keys[high] as number;
  const pivot = Math.max(Math.min(a, b), Math.min(Math.max(a, b), c));
  let left = low - 1;
  let right = high + 1;
  for (;;) {
    do left++;
    while ((keys[left] as number) < pivot);
    do right--;
    while ((keys[right] as number) > pivot);
    if (left >= right) return right;
    swap(keys, left, right);
    swap(values, left, right);
  }
}

function insertionSort(keys: Float64Array, values: Float64Array, low: number, high: number): void {
  for (let at = low + 1; at <= high; at++) {
    const key = keys[at] as number;
    const value = values[at] as number;
    let hole = at;
    while (hole > low && (keys[hole - 1] as number) > key) {
      keys[hole] = keys[hole - 1] as number;
      values[hole] = values[hole - 1] as number;
      hole--;
    }
    keys[hole] = key;
    values[hole] = value;
  }
}

function swap(array: Float64Array, a: number, b: number): void {
  const held = array[a] as number;
  array[a] = array[b] as number;
  array[b] = held;
}
