/**
 * What metrics said lately: of each series, which is a metric of a service (and of a host, for
 * metrics of hosts), its newest windows as median and highest value, and what it usually does.
 * Plain data, two kilobytes each.
 *
 *   timesMs   Float64Array [valuesMax]   starts of windows, a ring
 *   medians, highest  Float32Array [valuesMax]
 *   pValues   Float32Array [valuesMax]   of the median against its own past, seasons included
 *
 * Bounds: `seriesMax` series; one more takes the place of those that said nothing for an hour, and
 * where there are none is left out and counted.
 */
import {
  createSeriesBaseline,
  type SeriesBaseline,
  updateSeries,
} from "../../detectors/series-baseline.ts";
import type { Cube } from "../../sketch/cube.ts";
import { createDigest, type Digest, mergeDigest, quantileDigest } from "../../sketch/digest.ts";
import { isMetricKey, keyOf } from "../../sketch/key.ts";

export interface MetricSeries {
  readonly service: string;
  readonly metric: string;
  /** "" unless it is a host's. */
  readonly host: string;
  readonly timesMs: Float64Array;
  readonly medians: Float32Array;
  readonly highest: Float32Array;
  readonly pValues: Float32Array;
  readonly baseline: SeriesBaseline;
  /** Of the first window. */
  readonly sinceMs: number;
  /** Windows held, and where the next goes. */
  size: number;
  next: number;
}

export interface MetricBook {
  /** By service, then by metric and host. */
  readonly services: Map<string, Map<string, MetricSeries>>;
  series: number;
  /** Values of windows that found no room. */
  refused: number;
  /** When it was last looked who is idle. */
  lookedMs: number;
}

/** Ten minutes of a metric told every window, an hour of one told every minute. */
const valuesMax = 60;
const seriesMax = 10_000;
/** Exporters send every minute unless told otherwise. */
const stepMs = 60_000;
const idleMs = 3_600_000;
/** Looking through a full book takes a moment, and finds nothing new soon after. */
const lookMs = 600_000;
const median = 0.5;

export function createMetricBook(): MetricBook {
  return { services: new Map(), series: 0, refused: 0, lookedMs: 0 };
}

/** Takes in the metrics of a closed window; of one closed before, what it says now. */
export function noteMetrics(book: MetricBook, cube: Cube, windowStartMs: number): void {
  const { cells, keys } = cube;
  const window = new Map<string, Summed>();
  for (const [row, digest] of cells.digests) {
    const key = keyOf(keys, cells.keyOf(row));
    if (!isMetricKey(key)) continue;
    const [service = "", metric = "", , host = ""] = key;
    const id = [service, metric, host].join("\0");
    const known = window.get(id);
    // Versions, regions and the user's dimensions of one metric are put together.
    const values = known?.values ?? createDigest();
    mergeDigest(values, digest);
    if (known === undefined) window.set(id, { service, metric, host, values });
  }
  for (const one of window.values()) {
    const series = seriesOf(book, one, windowStartMs);
    if (series === undefined) book.refused++;
    else put(series, one.values, windowStartMs);
  }
}

interface Summed extends Pick<MetricSeries, "service" | "metric" | "host"> {
  readonly values: Digest;
}

function seriesOf(book: MetricBook, named: Summed, nowMs: number): MetricSeries | undefined {
  const { service, metric, host } = named;
  const id = `${metric}\0${host}`;
  const known = book.services.get(service)?.get(id);
  if (known !== undefined) return known;
  if (book.series >= seriesMax && nowMs - book.lookedMs >= lookMs) forgetIdle(book, nowMs);
  if (book.series >= seriesMax) return undefined;
  const series: MetricSeries = {
    ...{ service, metric, host, size: 0, next: 0 },
    timesMs: new Float64Array(valuesMax),
    medians: new Float32Array(valuesMax),
    highest: new Float32Array(valuesMax),
    pValues: new Float32Array(valuesMax),
    baseline: createSeriesBaseline({ stepMs }),
    sinceMs: nowMs,
  };
  const ofService = book.services.get(service) ?? new Map<string, MetricSeries>();
  book.services.set(service, ofService.set(id, series));
  book.series++;
  return series;
}

function put(series: MetricSeries, values: Digest, windowStartMs: number): void {
  const { timesMs, baseline } = series;
  const last = timesMs[(series.next + valuesMax - 1) % valuesMax] as number;
  let at = series.next;
  if (series.size > 0 && windowStartMs <= last) {
    at = timesMs.indexOf(windowStartMs);
    // A window that comes late, of which nothing was known, has lost its place.
    if (at < 0 || at >= series.size) return;
  } else {
    series.next = (at + 1) % valuesMax;
    series.size = Math.min(valuesMax, series.size + 1);
    // What a window told at first is what its successors are held against, whatever comes late.
    const told = updateSeries(baseline, windowStartMs, quantileDigest(values, median));
    series.pValues[at] = told.pValue;
  }
  timesMs[at] = windowStartMs;
  series.medians[at] = quantileDigest(values, median);
  series.highest[at] = values.max;
}

function forgetIdle(book: MetricBook, nowMs: number): void {
  book.lookedMs = nowMs;
  for (const [service, ofService] of book.services) {
    for (const [id, { timesMs }] of ofService) {
      if (nowMs - Math.max(...timesMs) < idleMs) continue;
      ofService.delete(id);
      book.series--;
    }
    if (ofService.size === 0) book.services.delete(service);
  }
}
