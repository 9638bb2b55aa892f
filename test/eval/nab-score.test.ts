/** Our reading of the benchmark's score, against scores its authors published for raw detections. */
import { existsSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { readJson } from "../../bench/eval/read-data.ts";
import { readNab } from "../../bench/eval/series/nab-data.ts";
import { bestThreshold, nabProfiles, nabScore } from "../../bench/eval/series/nab-score.ts";

const data = "../shared/data/nab";
const profile = nabProfiles.standard;

describe.skipIf(!existsSync(data))(`NAB (skipped where ${data} is absent)`, () => {
  const series = existsSync(data) ? readNab(data) : [];

  test.each([
    ["ARTime", 74.85],
    ["numenta", 70.1],
    ["contextOSE", 69.9],
    ["htmjava", 66.06],
    ["earthgeckoSkyline", 58.2],
    ["knncad", 57.99],
    ["relativeEntropy", 54.64],
    ["randomCutForest", 51.72],
    ["twitterADVec", 47.06],
    ["windowedGaussian", 39.65],
    ["null", 0],
  ])("%s scores %d", (detector, expected) => {
    const scores = readJson<Record<string, number[]>>(`${data}/detector-scores/${detector}.json`);
    const all = series.map(({ name, values, windows }) => {
      return { length: values.length, windows, scores: scores[name] as number[] };
    });
    const threshold = bestThreshold(all, profile);
    expect(nabScore(all, threshold, profile)).toBeCloseTo(expected, 1);
  });
});
