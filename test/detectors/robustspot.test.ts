/**
 * Isolation on public incidents of a video service (RobustSpot, development half), where the data
 * is at hand: leaves per minute with stalled and all plays, expected from the four minutes before.
 */
import { existsSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { scoreNames } from "../../bench/eval/isolation/name-score.ts";
import { runRobustSpot } from "../../bench/eval/isolation/robustspot.ts";

const folder = "../shared/data/robustspot-rs";

describe.skipIf(!existsSync(folder))("RobustSpot incidents", () => {
  test("the labelled cause is named first in four of five, among three in nine of ten", () => {
    const { f1, top1, top3 } = scoreNames(runRobustSpot(folder));
    console.info(
      `RobustSpot: F1 ${f1.toFixed(3)}, top-1 ${top1.toFixed(3)}, top-3 ${top3.toFixed(3)}`,
    );
    expect(f1).toBeGreaterThan(0.72);
    expect(top1).toBeGreaterThan(0.78);
    expect(top3).toBeGreaterThan(0.9);
  });
});
