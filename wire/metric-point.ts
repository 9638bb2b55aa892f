/** A data point of OTLP metrics as the agent reads it: plain numbers, and ranges of bytes. */

export type Temporality = "unspecified" | "delta" | "cumulative";

export interface MetricHead {
  readonly name: string;
  readonly temporality: Temporality;
  /** Of a sum: it only grows. */
  readonly isMonotonic: boolean;
}

/** An attribute: the ranges of its KeyValue, of its name, and of its AnyValue. */
export interface LocatedAttribute {
  readonly wholeStart: number;
  readonly wholeEnd: number;
  readonly nameStart: number;
  readonly nameEnd: number;
  readonly start: number;
  readonly end: number;
}

export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** Where a point comes from; one object for all points of a scope. */
export interface MetricSource {
  readonly resource: ByteRange;
  readonly resourceAttributes: readonly LocatedAttribute[];
  readonly scope: ByteRange;
}

/** Counts of buckets side by side, the first of index `offset`. */
export interface Buckets {
  readonly offset: number;
  readonly counts: readonly number[];
}

export type PointData =
  | { readonly kind: "gauge" | "sum"; readonly value: number | undefined }
  | ExplicitHistogram
  | ExponentialHistogram
  | { readonly kind: "summary"; readonly quantiles: readonly QuantileValue[] };

/** Bucket i holds values in (bounds[i - 1], bounds[i]]. */
export interface ExplicitHistogram {
  readonly kind: "histogram";
  readonly bounds: readonly number[];
  readonly counts: readonly number[];
  readonly min: number | undefined;
  readonly max: number | undefined;
}

/** Bucket i holds magnitudes in (base^i, base^(i + 1)], base = 2^(2^-scale). */
export interface ExponentialHistogram {
  readonly kind: "exponential histogram";
  readonly scale: number;
  readonly zeroCount: number;
  readonly positive: Buckets;
  readonly negative: Buckets;
  readonly min: number | undefined;
  readonly max: number | undefined;
}

export interface QuantileValue {
  readonly quantile: number;
  readonly value: number;
}

export interface MetricPoint {
  readonly source: MetricSource;
  readonly metric: MetricHead;
  readonly attributes: readonly LocatedAttribute[];
  /** Since when a sum or histogram counts; 0 where it is not said. Epoch milliseconds. */
  readonly startMs: number;
  readonly timeMs: number;
  /** The sender says that there is no value at this time. */
  readonly isMissing: boolean;
  readonly data: PointData;
}
