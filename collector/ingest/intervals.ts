/**
 * Which sequence numbers of a stream have been applied: closed intervals, ascending, with a hole
 * between any two. Adding is idempotent and in any order.
 */
export type Interval = readonly [from: number, to: number];

export function hasNumber(intervals: readonly Interval[], number: number): boolean {
  return intervals.some(([from, to]) => from <= number && number <= to);
}

/** The intervals with `number` added. */
export function addNumber(intervals: readonly Interval[], number: number): readonly Interval[] {
  if (hasNumber(intervals, number)) return intervals;
  const before = intervals.filter(([, to]) => to < number - 1);
  const after = intervals.filter(([from]) => from > number + 1);
  const from = intervals.find(([, to]) => to === number - 1)?.[0] ?? number;
  const to = intervals.find(([start]) => start === number + 1)?.[1] ?? number;
  return [...before, [from, to], ...after];
}

/**
 * At most `countMax` intervals, closing the oldest holes first: a record that was to fill one is
 * then taken for a duplicate. A number can get lost by this, but never counted twice.
 */
export function closeOldestHoles(
  intervals: readonly Interval[],
  countMax: number,
): { readonly intervals: readonly Interval[]; readonly numbersClosed: number } {
  const excess = intervals.length - countMax;
  const first = intervals[0];
  const last = intervals[excess];
  if (excess <= 0 || first === undefined || last === undefined) {
    return { intervals, numbersClosed: 0 };
  }
  let numbersClosed = 0;
  for (let index = 0; index < excess; index++) {
    const hole = [intervals[index], intervals[index + 1]] as const;
    numbersClosed += (hole[1]?.[0] ?? 0) - (hole[0]?.[1] ?? 0) - 1;
  }
  return { intervals: [[first[0], last[1]], ...intervals.slice(excess + 1)], numbersClosed };
}
