/** No look-ahead, mechanically: what comes later changes no judgement of what came before. */
import { existsSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { createPrng } from "../../base/prng.ts";
import { readNab } from "../../bench/eval/series/nab-data.ts";
import { judgeSeries, type RecordedSeries } from "../../bench/eval/series/run-series.ts";

const data = "../shared/data/nab";

/** The series up to a row, and from there on something else. */
function withSuffix(series: RecordedSeries, at: number, suffix: (row: number) => number) {
  const values = series.values.map((value, row) => (row < at ? value : suffix(row)));
  return { ...series, values };
}

function checkPrefix(series: RecordedSeries): void {
  const largest = series.values.reduce((a, b) => Math.max(a, b), 1);
  for (const share of [0.1, 0.5, 0.9]) {
    const at = Math.floor(share * series.values.length);
    const [one, other, cut] = [
      withSuffix(series, at, () => 1_000 * largest),
      withSuffix(series, at, (row) => -row),
      { ...series, times: series.times.slice(0, at), values: series.values.slice(0, at) },
    ].map((changed) => judgeSeries(changed).news.slice(0, at));
    expect(one).toEqual(judgeSeries(series).news.slice(0, at));
    expect(other).toEqual(one);
    expect(cut).toEqual(one);
  }
}

test("a series with a season, gaps and spikes", () => {
  const prng = createPrng(11);
  const times = Float64Array.from({ length: 3_000 }, (_, row) => row * 300_000);
  const values = times.map((ms, row) => {
    if (row % 97 === 0) return Number.NaN;
    return Math.sin((2 * Math.PI * ms) / 86_400_000) + prng.next() + (row % 501 === 0 ? 9 : 0);
  });
  checkPrefix({ times, values, stepMs: 300_000 });
});

describe.skipIf(!existsSync(data))(`NAB (skipped where ${data} is absent)`, () => {
  const series = existsSync(data) ? readNab(data) : [];

  test.each(series.map((one) => [one.name, one] as const))("%s", (_, one) => {
    checkPrefix(one);
  });
});
