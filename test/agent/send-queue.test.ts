import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { pauseMs } from "../../agent/export/back-off.ts";
import { SendQueue } from "../../agent/export/send-queue.ts";
import { createEntry, type EntryState, type SpoolEntry } from "../../agent/spool/spool-entry.ts";

function entryOf(seq: number): SpoolEntry {
  const counts = { spans: seq, errors: 0, windowStartMs: 0 };
  const times = { streamSpans: 0, watermarkMs: 0, sealedMs: 0 };
  return createEntry(
    {
      streamId: "00".repeat(16),
      seq,
      kind: "window",
      isBlind: false,
      origin: undefined,
      before: [],
      ...counts,
      ...times,
    },
    { size: 10 },
  );
}

type Step = { readonly add: true } | { readonly at: number; readonly to: EntryState | "put off" };

describe("send queue", () => {
  const states = ["waiting", "sending", "settled", "replaced", "put off"] as const;
  const steps: fc.Arbitrary<Step[]> = fc.array(
    fc.oneof(
      fc.constant({ add: true } as const),
      fc.record({ at: fc.nat(60), to: fc.constantFrom(...states) }),
    ),
    { maxLength: 120 },
  );

  test("gives what a look through all records gives, whatever happened to them", () => {
    fc.assert(
      fc.property(steps, (all) => {
        const queue = new SendQueue();
        const entries: SpoolEntry[] = [];
        for (const step of all) {
          if ("add" in step) {
            const entry = entryOf(entries.length + 1);
            entries.push(entry);
            queue.add(entry);
          } else take(queue, entries, step);
          const waiting = entries.filter(({ state, notBeforeMs }) => {
            return state === "waiting" && notBeforeMs === 0;
          });
          expect(queue.next("oldest", 0)).toBe(waiting[0]);
          expect(queue.next("newest", 0)).toBe(waiting.at(-1));
          const held = entries.filter(({ state }) => !["settled", "replaced"].includes(state));
          expect([...queue.held()]).toEqual(held);
          expect(queue.totals).toEqual({
            records: held.length,
            spans: held.reduce((sum, { facts }) => sum + facts.spans, 0),
            bytes: held.length * 10,
          });
          expect(queue.sending).toBe(held.filter(({ state }) => state === "sending").length);
        }
      }),
      { seed: 21, numRuns: 300 },
    );
  });

  function take(
    queue: SendQueue,
    entries: readonly SpoolEntry[],
    { at, to }: Extract<Step, { at: number }>,
  ): void {
    const entry = entries[at % Math.max(1, entries.length)];
    if (entry === undefined || ["settled", "replaced"].includes(entry.state)) return;
    if (to === "put off") entry.notBeforeMs = entry.notBeforeMs === 0 ? 1 : 0;
    else queue.move(entry, to);
  }

  test("forgets what is over, a hundred thousand records long", () => {
    const queue = new SendQueue();
    for (let seq = 1; seq <= 100_000; seq++) {
      const entry = entryOf(seq);
      queue.add(entry);
      queue.move(entry, "waiting");
      queue.move(entry, "settled");
    }
    expect(queue.totals).toEqual({ records: 0, spans: 0, bytes: 0 });
    expect([...queue.held()]).toEqual([]);
  });
});

describe("back-off", () => {
  test.each([
    [1, 0.999, undefined, 500],
    [2, 0.999, undefined, 999],
    [7, 0.5, undefined, 15_000],
    [40, 0.999, undefined, 29_970],
    [1, 0, undefined, 0],
    [1, 0, 8_000, 8_000],
    [1, 0.5, 8_000, 10_000],
    [20, 0.999, 1_000, 29_970],
  ])("after %d answers, chance %d, told %s: %d ms", (failures, chance, retryAfterMs, expected) => {
    expect(pauseMs({ failures, chance, retryAfterMs, wasAnswered: true })).toBe(expected);
  });

  test.each([
    [1, 500],
    [2, 1_000],
    [3, 2_000],
    [40, 2_000],
  ])("without an answer, after %d: %d ms at most", (failures, expected) => {
    const pause = { failures, chance: 1, wasAnswered: false, retryAfterMs: undefined };
    expect(pauseMs(pause)).toBe(expected);
  });
});
