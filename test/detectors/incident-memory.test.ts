/** What an alarm would tell, after those before it. */
import { expect, test } from "vitest";
import {
  createIncidentMemory,
  learnSurprise,
  newsOf,
  shareOf,
} from "../../detectors/incident-memory.ts";

/** A memory after so many ordinary rows, with these surprises at their rows. */
function memoryAfter(rows: number, surprises: Readonly<Record<number, number>> = {}) {
  const memory = createIncidentMemory();
  for (let row = 1; row <= rows; row++) learnSurprise(memory, surprises[row] ?? 0.1);
  return memory;
}

test("what is ordinary is no news", () => {
  expect(newsOf(memoryAfter(1_000), 0.3)).toBe(0);
});

test("the second hour of an incident is no news, unless it becomes much worse", () => {
  const memory = memoryAfter(1_000, { 999: 3, 1000: 3 });
  expect(newsOf(memory, 3)).toBeLessThan(newsOf(memoryAfter(1_000), 3) - 2);
  expect(newsOf(memory, 4)).toBeGreaterThan(5);
});

test("the like of it is news again after a while, and the more the longer", () => {
  const news = [10, 100, 1_000].map((ago) => newsOf(memoryAfter(2_000, { [2_000 - ago]: 3 }), 3));
  expect(news).toEqual([...news].sort((a, b) => a - b));
  expect((news[2] as number) - (news[0] as number)).toBeCloseTo(2, 1);
});

test("what happens often is less news each time", () => {
  const daily = (times: number) =>
    Object.fromEntries(Array.from({ length: times }, (_, at) => [5_000 - 300 * (at + 1), 3]));
  const once = newsOf(memoryAfter(5_000, daily(1)), 3);
  expect(newsOf(memoryAfter(5_000, daily(9)), 3)).toBeCloseTo(once - Math.log10(10 / 2), 5);
});

test("the share of a surprise is that of the past, and falls with it without steps", () => {
  const memory = createIncidentMemory();
  for (let row = 0; row < 10_000; row++) learnSurprise(memory, -Math.log10((row + 0.5) / 10_000));
  for (const surprise of [0.25, 0.5, 1, 1.6, 2, 3])
    expect(shareOf(memory, surprise) / 10 ** -surprise).toBeCloseTo(1, 0);
  let before = 1;
  for (let surprise = 0; surprise < 8; surprise += 0.01) {
    const share = shareOf(memory, surprise);
    expect(share).toBeLessThanOrEqual(before);
    expect(share).toBeGreaterThan(before * 0.8);
    before = share;
  }
});

test("its numbers stay in their range over a very long life", () => {
  const memory = createIncidentMemory();
  for (let row = 0; row < 60_000; row++) learnSurprise(memory, row % 200 === 0 ? 9 : 0);
  expect(memory.incidents.every((count) => count === 255)).toBe(true);
  expect(newsOf(memory, 9)).toBeGreaterThan(0);
});
