/**
 * Sorts pairs (keys[i], values[i]) by key, in place, without allocating: they are dealt out over
 * 512 buckets by the upper half of the key's bits, which orders doubles as integers do, and each
 * bucket is sorted by itself, most having one or two. A quicksort alone guesses wrong half of the
 * time: a value then cost a digest 90 ns, with this 50. Keys that all fall into one bucket are left
 * to it.
 */
const insertionMax = 16;
const pairsMax = 1024;
const bucketBits = 9;
const bucketCount = 2 ** bucketBits;

const dealtKeys = new Float64Array(pairsMax);
const dealtValues = new Float64Array(pairsMax);
/** The dealt keys as words, the upper one second: Node runs on little-endian machines only. */
const halves = new Int32Array(dealtKeys.buffer);
const ranks = new Int32Array(pairsMax);
const ends = new Int32Array(bucketCount);

/** Sorts from `start` to `end`, at most 1,024 pairs. */
export function sortPairs(
  keys: Float64Array,
  values: Float64Array,
  start: number,
  end: number,
): void {
  if (end - start <= insertionMax) {
    insertionSort(keys, values, start, end - 1);
    return;
  }
  deal(keys, values, start, end - start);
  let from = start;
  for (let bucket = 0; bucket < bucketCount; bucket++) {
    const to = start + (ends[bucket] as number);
    if (to - from > 1) sortRange(keys, values, from, to - 1);
    from = to;
  }
}

/** Puts the pairs in the order of their buckets and leaves in `ends` where each bucket ends. */
function deal(keys: Float64Array, values: Float64Array, start: number, count: number): void {
  let least = 0x7fffffff;
  let most = -0x80000000;
  for (let at = 0; at < count; at++) {
    dealtKeys[at] = keys[start + at] as number;
    dealtValues[at] = values[start + at] as number;
    const half = halves[2 * at + 1] as number;
    // Of negative numbers, the larger the bits the smaller the number.
    const rank = half ^ ((half >> 31) & 0x7fffffff);
    ranks[at] = rank;
    if (rank < least) least = rank;
    if (rank > most) most = rank;
  }
  const shift = Math.max(0, 32 - Math.clz32(most - least) - bucketBits);
  ends.fill(0);
  for (let at = 0; at < count; at++) {
    const bucket = (((ranks[at] as number) - least) >>> 0) >>> shift;
    ranks[at] = bucket;
    ends[bucket] = (ends[bucket] as number) + 1;
  }
  let before = 0;
  for (let bucket = 0; bucket < bucketCount; bucket++) {
    const size = ends[bucket] as number;
    ends[bucket] = before;
    before += size;
  }
  for (let at = 0; at < count; at++) {
    const bucket = ranks[at] as number;
    const into = ends[bucket] as number;
    ends[bucket] = into + 1;
    keys[start + into] = dealtKeys[at] as number;
    values[start + into] = dealtValues[at] as number;
  }
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
