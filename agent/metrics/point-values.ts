/**
 * The values a point stands for, with weights, for the digest of its metric.
 *
 *   gauge, and a sum that may fall      the value itself
 *   sum                                 its growth per second
 *   histogram                           the middle of each bucket, weighing what is in it
 *   exponential histogram               the same, geometric: within (sqrt(base) - 1) of the value
 *   summary                             each quantile, weighing the share of values nearest to it
 *
 * The first and the last explicit bucket have one end only. They count as that end, or from 0 where
 * it lies above, as most of what is measured is not negative; and as the extreme where it is told.
 */
import type {
  Buckets,
  ExplicitHistogram,
  ExponentialHistogram,
  PointData,
  QuantileValue,
} from "../../wire/metric-point.ts";

export type AddValue = (value: number, weight: number) => void;

/** `seconds` is how long a sum took to grow so much; undefined for one that is a level. */
export function addPointValues(data: PointData, seconds: number | undefined, add: AddValue): void {
  switch (data.kind) {
    case "gauge":
    case "sum":
      add((data.value as number) / (seconds ?? 1), 1);
      break;
    case "histogram":
      addExplicit(data, add);
      break;
    case "exponential histogram":
      addExponential(data, add);
      break;
    case "summary":
      addQuantiles(data.quantiles, add);
  }
}

function addExplicit({ bounds, counts, min, max }: ExplicitHistogram, add: AddValue): void {
  for (const [index, count] of counts.entries()) {
    if (count === 0) continue;
    const lowEnd = bounds[index - 1] ?? min ?? Math.min(0, bounds[0] ?? 0);
    const highEnd = bounds[index] ?? max ?? lowEnd;
    const low = Math.max(lowEnd, min ?? lowEnd);
    const high = Math.max(low, Math.min(highEnd, max ?? highEnd));
    add(low + (high - low) / 2, count);
  }
}

function addExponential(data: ExponentialHistogram, add: AddValue): void {
  const { scale, zeroCount, positive, negative } = data;
  const low = data.min ?? Number.NEGATIVE_INFINITY;
  const high = data.max ?? Number.POSITIVE_INFINITY;
  const within = (value: number): number => Math.min(Math.max(value, low), high);
  if (zeroCount > 0) add(0, zeroCount);
  const addSide = ({ offset, counts }: Buckets, sign: number): void => {
    for (const [index, count] of counts.entries()) {
      if (count > 0) add(within(sign * 2 ** ((offset + index + 0.5) * 2 ** -scale)), count);
    }
  };
  addSide(positive, 1);
  addSide(negative, -1);
}

function addQuantiles(quantiles: readonly QuantileValue[], add: AddValue): void {
  const sorted = quantiles
    .filter(({ value }) => Number.isFinite(value))
    .toSorted((a, b) => a.quantile - b.quantile);
  let from = 0;
  for (const [index, { quantile, value }] of sorted.entries()) {
    const next = sorted[index + 1]?.quantile;
    const to = next === undefined ? 1 : (quantile + next) / 2;
    if (to > from) add(value, to - from);
    from = to;
  }
}
