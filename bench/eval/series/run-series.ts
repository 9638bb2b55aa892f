/** Drives the product's detector over recorded series: format in, surprise out. */
import {
  createSeriesBaseline,
  type SeriesBaseline,
  updateSeries,
} from "../../../detectors/series-baseline.ts";

export interface RecordedSeries {
  /** Epoch milliseconds of each row. */
  readonly times: Float64Array;
  /** NaN where nothing was measured. */
  readonly values: Float64Array;
  readonly stepMs: number;
}

export interface JudgedSeries {
  /** By row, what its detector calls news; NaN where nothing was measured. */
  readonly news: Float64Array;
  readonly baseline: SeriesBaseline;
  /** Of processor time. */
  readonly seconds: number;
}

export function judgeSeries({ times, values, stepMs }: RecordedSeries): JudgedSeries {
  const baseline = createSeriesBaseline({ stepMs });
  const news = new Float64Array(values.length);
  const start = process.cpuUsage();
  for (let row = 0; row < values.length; row++) {
    const value = values[row] as number;
    const missing = Number.isNaN(value);
    const judged = updateSeries(baseline, times[row] as number, missing ? undefined : value);
    news[row] = missing ? Number.NaN : judged.news;
  }
  const { user, system } = process.cpuUsage(start);
  return { news, baseline, seconds: (user + system) / 1e6 };
}

/** Bytes of the numbers a baseline holds, 8 for each that is not in a typed array. */
export function stateBytes(state: unknown): number {
  if (ArrayBuffer.isView(state)) return state.byteLength;
  if (typeof state === "number") return 8;
  if (typeof state !== "object" || state === null) return 0;
  return Object.values(state).reduce((sum: number, part) => sum + stateBytes(part), 0);
}
