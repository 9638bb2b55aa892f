/**
 * Benjamini-Hochberg: of many tests at once, which to believe so that the expected share of false
 * ones among the believed stays at most `q`.
 *
 * Holds for independent tests and for positively dependent ones, which spans of one fault are.
 * Source: Benjamini & Hochberg 1995; dependence: Benjamini & Yekutieli 2001.
 */
export interface Discoveries {
  readonly rejected: readonly boolean[];
  /** The least `q` at which each test would be believed; in the order given. */
  readonly qValues: readonly number[];
}

export function benjaminiHochberg(
  pValues: Float64Array | readonly number[],
  q: number,
  testsCount = pValues.length,
): Discoveries {
  const order = Array.from(pValues, (_, index) => index);
  order.sort((a, b) => at(pValues, a) - at(pValues, b));
  const qValues = new Array<number>(pValues.length).fill(1);
  let least = 1;
  for (let rank = order.length; rank > 0; rank--) {
    const index = order[rank - 1] as number;
    least = Math.min(least, at(pValues, index) * (testsCount / rank));
    qValues[index] = least;
  }
  return { qValues, rejected: qValues.map((value) => value <= q) };
}

function at(values: Float64Array | readonly number[], index: number): number {
  return values[index] as number;
}
