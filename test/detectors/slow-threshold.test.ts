import { describe, expect, test } from "vitest";
import { createPrng, type Prng } from "../../base/prng.ts";
import {
  createSlowThreshold,
  defaultSlowThresholdOptions,
  learnSlowThreshold,
  type SlowThreshold,
} from "../../detectors/slow-threshold.ts";
import {
  addHistogram,
  bucketUpperNs,
  createHistogram,
  type Histogram,
} from "../../sketch/histogram.ts";

interface Phase {
  readonly windows: number;
  readonly spans: number;
  /** Durations are uniform between these. */
  readonly ms: readonly [number, number];
  readonly anomalous?: boolean;
}

function drawWindow(prng: Prng, { spans, ms }: Phase): Histogram {
  const histogram = createHistogram();
  for (let span = 0; span < spans; span++) {
    addHistogram(histogram, Math.round((ms[0] + prng.next() * (ms[1] - ms[0])) * 1e6));
  }
  return histogram;
}

/** The threshold in milliseconds after these phases, and how often it was revised. */
function check(phases: readonly Phase[]): { thresholdMs: number | undefined; revisions: number } {
  const prng = createPrng(8);
  const threshold = createSlowThreshold();
  let revisions = 0;
  for (const phase of phases) {
    for (let window = 0; window < phase.windows; window++) {
      const anomalous = phase.anomalous ?? false;
      if (learnSlowThreshold(threshold, drawWindow(prng, phase), { anomalous })) revisions += 1;
    }
  }
  return { thresholdMs: thresholdMsOf(threshold), revisions };
}

function thresholdMsOf({ bucket }: SlowThreshold): number | undefined {
  return bucket === undefined ? undefined : bucketUpperNs(bucket) / 1e6;
}

describe("slow threshold", () => {
  test.each<{ name: string; phases: Phase[]; about: number | undefined; revisionsMax: number }>([
    { name: "unknown without samples", phases: [], about: undefined, revisionsMax: 0 },
    {
      name: "unknown below 30 samples",
      phases: [{ windows: 1, spans: 29, ms: [10, 20] }],
      about: undefined,
      revisionsMax: 0,
    },
    {
      name: "twice the 99th percentile",
      phases: [{ windows: 3, spans: 50, ms: [10, 20] }],
      about: 40,
      revisionsMax: 1,
    },
    {
      name: "never below 20 ms",
      phases: [{ windows: 3, spans: 50, ms: [0.1, 0.3] }],
      about: 20,
      revisionsMax: 1,
    },
    {
      name: "steady for an hour: not revised",
      phases: [{ windows: 360, spans: 50, ms: [10, 20] }],
      about: 40,
      revisionsMax: 1,
    },
    {
      name: "an incident is not learnt",
      phases: [
        { windows: 100, spans: 50, ms: [10, 20] },
        { windows: 200, spans: 50, ms: [200, 400], anomalous: true },
        { windows: 100, spans: 50, ms: [10, 20] },
      ],
      about: 40,
      revisionsMax: 1,
    },
    {
      name: "anomalous for more than an hour: the new normal",
      phases: [
        { windows: 100, spans: 50, ms: [10, 20] },
        { windows: 400, spans: 50, ms: [200, 400], anomalous: true },
        { windows: 10, spans: 50, ms: [200, 400] },
      ],
      about: 800,
      revisionsMax: 2,
    },
    {
      name: "faster for two generations: lower",
      phases: [
        { windows: 200, spans: 50, ms: [100, 200] },
        { windows: 400, spans: 50, ms: [10, 20] },
      ],
      about: 40,
      revisionsMax: 2,
    },
  ])("$name", ({ phases, about, revisionsMax }) => {
    const { thresholdMs, revisions } = check(phases);
    if (about === undefined) {
      expect(thresholdMs).toBeUndefined();
    } else {
      expect(thresholdMs).toBeGreaterThan(about * 0.9);
      expect(thresholdMs).toBeLessThan(about * 1.1);
    }
    expect(revisions).toBeLessThanOrEqual(revisionsMax);
  });

  test("of healthy spans about 1 % or fewer lie above", () => {
    expect(defaultSlowThresholdOptions.quantile).toBe(0.99);
    const { thresholdMs } = check([{ windows: 50, spans: 100, ms: [0, 100] }]);
    expect(thresholdMs).toBeGreaterThan(100);
  });
});
