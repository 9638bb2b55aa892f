import { expect, test } from "vitest";
import { falseDiscoveryRate, incidentLevel } from "../../collector/stages/budget.ts";

test.each([
  { falsePagesPerWeek: 1, windowLengthMs: 10_000, beginnings: 1, level: 1 / 60_480 },
  { falsePagesPerWeek: 2, windowLengthMs: 60_000, beginnings: 6, level: 2 / 10_080 / 6 },
  { falsePagesPerWeek: 1_000, windowLengthMs: 600_000, beginnings: 1, level: falseDiscoveryRate },
])("$falsePagesPerWeek false pages a week: level $level", ({ level, ...budget }) => {
  expect(incidentLevel(budget)).toBeCloseTo(level, 12);
});
