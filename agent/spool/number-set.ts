/** Sets of sequence numbers as closed ranges: ascending, neither touching nor overlapping. */
export type NumberSet = readonly (readonly [from: number, to: number])[];

export function hasNumber(set: NumberSet, number: number): boolean {
  return set.some(([from, to]) => from <= number && number <= to);
}

/** The set with `number` in it. */
export function withNumber(set: NumberSet, number: number): NumberSet {
  if (hasNumber(set, number)) return set;
  const before = set.filter(([, to]) => to < number - 1);
  const after = set.filter(([from]) => from > number + 1);
  const from = set.find(([, to]) => to === number - 1)?.[0] ?? number;
  const to = set.find(([start]) => start === number + 1)?.[1] ?? number;
  return [...before, [from, to], ...after];
}

/** Whether every number of `part` is in `set`. */
export function includesAll(set: NumberSet, part: NumberSet): boolean {
  return part.every(([from, to]) => set.some(([start, end]) => start <= from && to <= end));
}

/** The first number from 1 on that is not in the set. */
export function firstMissing(set: NumberSet): number {
  const first = set[0];
  return first === undefined || first[0] > 1 ? 1 : first[1] + 1;
}

/** The last number in the set, or 0. */
export function lastNumber(set: NumberSet): number {
  return set.at(-1)?.[1] ?? 0;
}
