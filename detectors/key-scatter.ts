/** What most keys did, and how far they lie about it, where nearly half of them may have moved. */

export interface Usual {
  readonly centre: number;
  /** One standard deviation, were it normal. */
  readonly scatter: number;
}

/** Half of a normal law lies within so many standard deviations of its middle. */
const halfOfNormal = 0.6745;

/**
 * The middle of the shortest interval that holds half of the values. Half of them, all on one side,
 * hardly move it; a median follows them to the edge.
 * Source: Rousseeuw & Leroy 1988 (the shortest half).
 */
export function shortestHalf(values: Float64Array): Usual {
  const sorted = values.toSorted();
  const half = sorted.length >> 1;
  if (half === 0) return { centre: sorted[0] ?? 0, scatter: 0 };
  let [low, length] = [0, Infinity];
  for (let at = 0; at + half < sorted.length; at++) {
    const own = (sorted[at + half] as number) - (sorted[at] as number);
    if (own < length) [low, length] = [at, own];
  }
  return {
    centre: ((sorted[low] as number) + (sorted[low + half] as number)) / 2,
    scatter: length / 2 / halfOfNormal,
  };
}

/** Counts forecast below this are mostly 0 or 1, and tell little of how keys scatter. */
const forecastMin = 5;
/** No key's traffic is forecast better than to a tenth. */
const scatterMin = 0.1;
const scatterMax = 1;
/** A quarter of the squares of standard normals are below. */
const quarterOfSquares = 0.1015;

/**
 * Relative scatter of counts about their forecast, beyond chance: what makes the quarter of keys
 * that lie nearest as near as a quarter should.
 */
export function countScatter(
  leaves: readonly { readonly actual: number; readonly forecast: number }[],
): number {
  const telling = leaves.filter(({ forecast }) => forecast >= forecastMin);
  const isTooWide = (scatter: number): boolean => {
    const squares = Float64Array.from(
      telling,
      ({ actual, forecast }) => (actual - forecast) ** 2 / (forecast + (forecast * scatter) ** 2),
    ).sort();
    return (squares[squares.length >> 2] ?? 0) <= quarterOfSquares;
  };
  let [low, high] = [scatterMin, scatterMax];
  while (high - low > scatterMin / 10) {
    const middle = (low + high) / 2;
    if (isTooWide(middle)) high = middle;
    else low = middle;
  }
  return low;
}
