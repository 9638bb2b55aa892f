/**
 * The plain rival: of all combinations of up to three values that with the largest G statistic of
 * bad events over the expected, or none when chance among as many would do. No smallest set, no
 * over-dispersion, one cause.
 */
import type { IsolationLeaf } from "../../../detectors/isolation-leaf.ts";

const attributesMax = 3;
/** Chi-squared of one degree: p below 1e-3 is about exp(-G / 2). */
const falseMax = 1e-3;

/** As `dimension=value` sorted and joined by `&`, at most `max`, best first. */
export function nameByGTest(
  leaves: readonly IsolationLeaf[],
  dimensions: readonly string[],
  max: number,
): string[] {
  const sums = new Map<string, { count: number; bad: number; expected: number }>();
  for (const { key, count, bad, expected } of leaves) {
    const pairs = key.map((value, at) => `${dimensions[at]}=${value}`).sort();
    for (const text of subsetsOf(pairs)) {
      const sum = sums.get(text) ?? { count: 0, bad: 0, expected: 0 };
      sums.set(text, sum);
      sum.count += count;
      sum.bad += bad;
      sum.expected += expected;
    }
  }
  const gOf = ({ count, bad, expected }: { count: number; bad: number; expected: number }) => {
    if (bad <= expected) return 0;
    const good = count - bad;
    const expectedGood = Math.max(1e-9, count - expected);
    const ofGood = good > 0 ? good * Math.log(good / expectedGood) : 0;
    return 2 * (bad * Math.log(bad / Math.max(1e-9, expected)) + ofGood);
  };
  const gMin = 2 * Math.log(sums.size / falseMax);
  return [...sums]
    .map(([text, sum]) => ({ text, g: gOf(sum) }))
    .filter(({ g }) => g > gMin)
    .sort((a, b) => b.g - a.g || a.text.length - b.text.length)
    .slice(0, max)
    .map(({ text }) => text);
}

function subsetsOf(pairs: readonly string[]): string[] {
  const sets: string[][] = [[]];
  for (const pair of pairs) {
    const small = sets.filter((set) => set.length < attributesMax);
    sets.push(...small.map((set) => [...set, pair]));
  }
  return sets.slice(1).map((set) => set.join("&"));
}
