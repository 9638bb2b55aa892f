/** The usual value of a time of the day. */
import { expect, test } from "vitest";
import { createSeasonProfile, learnSeason, seasonAt } from "../../detectors/season-profile.ts";

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

test("a time never seen has no usual value, and the slot being seen is not known yet", () => {
  const profile = createSeasonProfile(dayMs, 24);
  expect(seasonAt(profile, 0)).toBeUndefined();
  learnSeason(profile, 0, 5);
  expect(seasonAt(profile, 0)).toBeUndefined();
  learnSeason(profile, hourMs, 6);
  expect(seasonAt(profile, 0)).toBe(5);
  expect(seasonAt(profile, hourMs)).toBeUndefined();
});

test("between the middles of slots it is a straight line, around midnight too", () => {
  const profile = createSeasonProfile(dayMs, 24);
  for (let hour = 0; hour <= 24; hour++) learnSeason(profile, hour * hourMs, hour % 24);
  expect(seasonAt(profile, 10.5 * hourMs)).toBeCloseTo(10);
  expect(seasonAt(profile, 11 * hourMs)).toBeCloseTo(10.5);
  expect(seasonAt(profile, 24 * hourMs)).toBeCloseTo(11.5);
});

test.each([1, 60])("a period teaches a slot once, with %d samples of it", (samples) => {
  const profile = createSeasonProfile(dayMs, 24);
  for (const [day, value] of [10, 20].entries())
    for (let hour = 0; hour < 24; hour++)
      for (let sample = 0; sample < samples; sample++)
        learnSeason(profile, day * dayMs + (hour + sample / samples) * hourMs, value);
  learnSeason(profile, 2 * dayMs, 0);
  expect(seasonAt(profile, 12 * hourMs)).toBeCloseTo(15);
});

test("times before 1970 have a place in the day", () => {
  const profile = createSeasonProfile(dayMs, 24);
  learnSeason(profile, -hourMs, 7);
  learnSeason(profile, 0, 1);
  expect(seasonAt(profile, 23 * hourMs + 1)).toBe(7);
});
