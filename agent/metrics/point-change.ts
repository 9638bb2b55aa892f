/**
 * What a cumulative point adds to the one before it, or undefined where it cannot be its successor:
 * something became less, or is counted in other buckets. Then the sender began anew.
 */
import type {
  Buckets,
  ExplicitHistogram,
  ExponentialHistogram,
  PointData,
} from "../../wire/metric-point.ts";

export function changeOf(later: PointData, earlier: PointData): PointData | undefined {
  if (later.kind === "sum" && earlier.kind === "sum") {
    const value = (later.value as number) - (earlier.value as number);
    return value >= 0 ? { kind: "sum", value } : undefined;
  }
  if (later.kind === "histogram" && earlier.kind === "histogram") {
    return explicitChange(later, earlier);
  }
  if (later.kind === "exponential histogram" && earlier.kind === "exponential histogram") {
    return exponentialChange(later, earlier);
  }
  return undefined;
}

function explicitChange(
  later: ExplicitHistogram,
  earlier: ExplicitHistogram,
): ExplicitHistogram | undefined {
  const { kind, bounds } = later;
  const isSame =
    bounds.length === earlier.bounds.length &&
    bounds.every((bound, index) => bound === earlier.bounds[index]);
  if (!isSame) return undefined;
  const counts = later.counts.map((count, index) => count - (earlier.counts[index] ?? 0));
  // The extremes are of all the time.
  return isGrowth(counts) ? { kind, bounds, counts, min: undefined, max: undefined } : undefined;
}

/** The scale of a stream only falls; the earlier buckets are joined until both have the same. */
function exponentialChange(
  later: ExponentialHistogram,
  earlier: ExponentialHistogram,
): ExponentialHistogram | undefined {
  const { kind, scale } = later;
  const steps = earlier.scale - scale;
  if (steps < 0) return undefined;
  const positive = bucketsChange(later.positive, coarser(earlier.positive, steps));
  const negative = bucketsChange(later.negative, coarser(earlier.negative, steps));
  const zeroCount = later.zeroCount - earlier.zeroCount;
  if (positive === undefined || negative === undefined || zeroCount < 0) return undefined;
  return { kind, scale, zeroCount, positive, negative, min: undefined, max: undefined };
}

function bucketsChange(later: Buckets, earlier: Buckets): Buckets | undefined {
  const { offset } = later;
  const shift = offset - earlier.offset;
  const counts = later.counts.map((count, index) => count - (earlier.counts[index + shift] ?? 0));
  const gone = earlier.counts.some((count, index) => {
    const at = index - shift;
    return count > 0 && (at < 0 || at >= later.counts.length);
  });
  return gone || !isGrowth(counts) ? undefined : { offset, counts };
}

/** Each step joins two buckets to one. */
function coarser({ offset, counts }: Buckets, steps: number): Buckets {
  if (steps === 0 || counts.length === 0) return { offset, counts };
  const width = 2 ** steps;
  const first = Math.floor(offset / width);
  const last = Math.floor((offset + counts.length - 1) / width);
  const joined = new Array<number>(last - first + 1).fill(0);
  for (const [index, count] of counts.entries()) {
    const at = Math.floor((offset + index) / width) - first;
    joined[at] = (joined[at] as number) + count;
  }
  return { offset: first, counts: joined };
}

function isGrowth(counts: readonly number[]): boolean {
  return counts.every((count) => count >= 0);
}
