/**
 * Sets of whole numbers as closed intervals, ascending, with a hole between any two: which numbers
 * of a stream have been applied, and which times it did not report. Adding is idempotent and in
 * any order.
 */
export type Interval = readonly [from: number, to: number];

export function hasNumber(intervals: readonly Interval[], number: number): boolean {
  return intervals.some(([from, to]) => from <= number && number <= to);
}

/** The intervals with everything from `from` to `to` added. */
export function addRange(intervals: readonly Interval[], from: number, to: number): Interval[] {
  const before = intervals.filter(([, end]) => end < from - 1);
  const after = intervals.filter(([start]) => start > to + 1);
  const first = intervals[before.length];
  const last = intervals[intervals.length - after.length - 1];
  // What lies between is touched by the range; when nothing is, both name a neighbour.
  const touched = intervals.length > before.length + after.length;
  const start = touched ? Math.min(from, first?.[0] ?? from) : from;
  const end = touched ? Math.max(to, last?.[1] ?? to) : to;
  return [...before, [start, end], ...after];
}

/** The intervals with these numbers added, which ascend. Linear in both. */
export function addNumbers(intervals: readonly Interval[], numbers: readonly number[]): Interval[] {
  const merged: [number, number][] = [];
  let next = 0;
  const add = ([from, to]: Interval): void => {
    const last = merged.at(-1);
    if (last === undefined || from > last[1] + 1) merged.push([from, to]);
    else last[1] = Math.max(last[1], to);
  };
  for (const number of numbers) {
    for (; (intervals[next]?.[0] ?? Number.POSITIVE_INFINITY) <= number; next++) {
      add(intervals[next] as Interval);
    }
    add([number, number]);
  }
  for (const interval of intervals.slice(next)) add(interval);
  return merged;
}

/** How many numbers from `from` to `to` are not inside. */
export function countMissing(intervals: readonly Interval[], from: number, to: number): number {
  let missing = Math.max(0, to - from + 1);
  for (const [start, end] of intervals) {
    missing -= Math.max(0, Math.min(end, to) - Math.max(start, from) + 1);
  }
  return missing;
}
