/**
 * The ledger: applied and declared lost are what the agent sealed, in whatever order its records
 * come, however often, and over whatever restarts.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { LedgerReport, StreamLedger } from "../../wire/api-types.ts";
import type { LostRecord } from "../../wire/sketch-batch.ts";
import {
  type BatchSpec,
  createMortalStore,
  metric,
  type Running,
  startCollector,
  startMs,
  windowMs,
} from "./fixture.ts";
import { temporaryDirectory } from "./temporary.ts";

const seed = 4_011;
const nowMs = startMs + 40_000;

async function ledgerOf({ url }: Running): Promise<LedgerReport> {
  return (await (await fetch(`${url}/api/v1/ledger`)).json()) as LedgerReport;
}

/** The ledger of the one stream there is, without the time it was heard. */
async function oneLedger(running: Running): Promise<Omit<StreamLedger, "heardMs">> {
  const { streams } = await ledgerOf(running);
  expect(streams).toHaveLength(1);
  const { heardMs: _, ...ledger } = streams[0] as StreamLedger;
  return ledger;
}

async function spansInWindows({ url }: Running): Promise<number> {
  const response = await fetch(`${url}/api/v1/windows?limit=1000`);
  const windows = (await response.json()) as { spans: number }[];
  return windows.reduce((sum, { spans }) => sum + spans, 0);
}

async function check<T>(
  run: (running: Running) => Promise<T>,
  options: Partial<Parameters<typeof startCollector>[0]> = {},
): Promise<T> {
  const running = await startCollector({ dataDir: temporaryDirectory(), nowMs, ...options });
  try {
    return await run(running);
  } finally {
    await running.collector.shutdown();
  }
}

interface Planned {
  readonly kind: "window" | "gap" | "lost";
  readonly spans: number;
}

const plans = fc.array(
  fc.record({
    kind: fc.constantFrom("window" as const, "window" as const, "gap" as const, "lost" as const),
    spans: fc.integer({ min: 0, max: 4 }),
  }),
  { minLength: 2, maxLength: 14 },
);
const chances = fc.array(fc.nat({ max: 1_000 }), { minLength: 20, maxLength: 40 });

/** A stream's records as its agent numbers them; what is lost stands in tombstones at the end. */
function recordsOf(plan: readonly Planned[]): BatchSpec[] {
  const records: BatchSpec[] = [];
  const lost: LostRecord[] = [];
  let streamSpans = 0;
  for (const [index, { kind, spans }] of plan.entries()) {
    const seq = index + 1;
    const window = index % 3;
    const gapFromMs = startMs - 1_000 * seq;
    if (kind !== "gap") streamSpans += spans;
    if (kind === "gap") records.push({ seq, streamSpans, gapFromMs, gapToMs: gapFromMs + 7 });
    else if (kind === "window") {
      records.push({ seq, streamSpans, window, spans: Array.from({ length: spans }, () => ({})) });
    } else {
      lost.push({ seq, spans, errors: 0, windowStartMs: startMs + window * windowMs });
    }
  }
  const half = Math.ceil(lost.length / 2);
  const halves = [lost.slice(0, half), lost.slice(half)].filter(({ length }) => length > 0);
  for (const [index, part] of halves.entries()) {
    const cause = index === 0 ? "disk" : "evicted";
    records.push({ seq: plan.length + 1 + index, streamSpans, lost: part, cause });
  }
  return records;
}

/** Every record at least once, some twice, in an order made from `chance`. */
function delivered(records: readonly BatchSpec[], chance: readonly number[]): BatchSpec[] {
  const pick = (at: number): number => chance[at % chance.length] as number;
  return records
    .flatMap((record, at) => (pick(at) % 2 === 1 ? [record, record] : [record]))
    .map((record, at) => ({ record, place: pick(at * 7 + 3) }))
    .sort((a, b) => a.place - b.place)
    .map(({ record }) => record);
}

function sumOf(plan: readonly Planned[], kind: Planned["kind"]): number {
  return plan.reduce((sum, planned) => sum + (planned.kind === kind ? planned.spans : 0), 0);
}

describe("laws", () => {
  test("any order and repetition gives one ledger, which adds up and is what windows hold", () =>
    fc.assert(
      fc.asyncProperty(plans, chances, async (plan, chance) => {
        const records = recordsOf(plan);
        const [inOrder, shuffled] = await Promise.all(
          [records, delivered(records, chance)].map((sent) =>
            check(async (running) => {
              for (const record of sent) await running.send(record);
              const ledger = await oneLedger(running);
              await running.advance(30_000);
              expect(await spansInWindows(running)).toBe(sumOf(plan, "window"));
              return ledger;
            }),
          ),
        );
        expect(shuffled).toEqual(inOrder);
        expect(inOrder).toMatchObject({
          missing: 0,
          accounted: true,
          appliedSpans: sumOf(plan, "window"),
          lostSpans: sumOf(plan, "lost"),
          streamSpans: sumOf(plan, "window") + sumOf(plan, "lost"),
          gapMs: 7 * plan.filter(({ kind }) => kind === "gap").length,
        });
      }),
      { seed, numRuns: 25 },
    ));

  test("a record and the tombstone that declares it lost count once together, in any order", () =>
    fc.assert(
      fc.asyncProperty(plans, chances, fc.boolean(), async (plan, chance, atOnce) => {
        // The agent gave up on all of it, and yet all of it comes.
        const windows = plan.map(({ spans }) => ({ kind: "window" as const, spans }));
        const lost = plan.map(({ spans }) => ({ kind: "lost" as const, spans }));
        const tombstones = recordsOf(lost);
        await check(async (running) => {
          const sent = delivered([...recordsOf(windows), ...tombstones], chance);
          if (atOnce) await Promise.all(sent.map((record) => running.send(record)));
          else for (const record of sent) await running.send(record);
          const ledger = await oneLedger(running);
          expect(ledger).toMatchObject({ missing: 0, accounted: true });
          expect(ledger.appliedSpans + ledger.lostSpans).toBe(sumOf(lost, "lost"));
          await running.advance(30_000);
          expect(await spansInWindows(running)).toBe(ledger.appliedSpans);
        });
      }),
      { seed, numRuns: 30 },
    ));

  test("a replay of the log gives the ledger that was live, whenever the process dies", () =>
    fc.assert(
      fc.asyncProperty(plans, chances, fc.nat({ max: 30 }), async (plan, chance, dies) => {
        const dataDir = temporaryDirectory();
        const sent = delivered(recordsOf(plan), chance);
        let { store, kill } = createMortalStore(dataDir);
        let running = await startCollector({ dataDir, nowMs, store });
        for (const [at, record] of sent.entries()) {
          await running.send(record);
          if (at % 4 === 2) await running.advance(61_000);
          if (at !== dies % sent.length) continue;
          const before = await ledgerOf(running);
          kill();
          const laterMs = running.clock.nowMs();
          ({ store, kill } = createMortalStore(dataDir));
          running = await startCollector({ dataDir, nowMs: laterMs, store });
          const after = await ledgerOf(running);
          const heard = { heardMs: expect.any(Number) };
          expect(after.streams).toEqual(before.streams.map((one) => ({ ...one, ...heard })));
        }
        await running.advance(30_000);
        const { totals } = await ledgerOf(running);
        expect(totals).toMatchObject({
          missing: 0,
          accounted: true,
          lostSpans: sumOf(plan, "lost"),
        });
        expect(await spansInWindows(running)).toBe(totals.appliedSpans);
        await running.collector.shutdown();
      }),
      { seed, numRuns: 20 },
    ));
});

describe("heartbeats", () => {
  test("are answered with what is held, and change neither the log nor any count", () =>
    check(async (running) => {
      await running.send({ seq: 2, streamSpans: 3, window: 0, spans: [{}, {}] });
      const logBytes = metric(running.meter, "brunt_collector_log_bytes");
      const answers = [];
      for (let round = 0; round < 3; round++) {
        answers.push(await running.send({ seq: 2, streamSpans: 3, oldestSeq: 1 }));
      }
      expect(answers).toEqual(Array(3).fill(expect.objectContaining({ have: [[2, 2]] })));
      expect(metric(running.meter, "brunt_collector_log_bytes")).toBe(logBytes);
      expect(metric(running.meter, "brunt_collector_batches_applied_total")).toBe(1);
      expect(await oneLedger(running)).toMatchObject({ missing: 1, accounted: true });
    }));

  test("say hello for a stream nobody knows", () =>
    check(async (running) => {
      expect(await running.send({ stream: 7, seq: 0 })).toMatchObject({ have: [] });
      expect(await oneLedger(running)).toMatchObject({ agent: "agent-7", lastSeq: 0, missing: 0 });
    }));

  test("tell that numbers below the oldest will not come any more", () =>
    check(async (running) => {
      await running.send({ seq: 9, streamSpans: 90, window: 0, spans: [{}] });
      expect(await oneLedger(running)).toMatchObject({ missing: 8, accounted: true });
      await running.send({ seq: 9, streamSpans: 90, oldestSeq: 8 });
      expect(await oneLedger(running)).toMatchObject({ missing: 1, accounted: true });
      await running.send({ seq: 9, streamSpans: 90, oldestSeq: 10 });
      // Complete, and yet it does not add up: somebody lost 89 spans and did not say so.
      expect(await oneLedger(running)).toMatchObject({ missing: 0, accounted: false });
      expect(metric(running.meter, "brunt_collector_ledger_unaccounted_streams")).toBe(1);
    }));
});

test("a late heartbeat of a killed process does not say what its stream amounts to", () =>
  check(async (running) => {
    await running.send({ seq: 1, streamSpans: 1, window: 0, spans: [{}], watermarkMs: startMs });
    await running.send({
      seq: 2,
      streamSpans: 1,
      gapFromMs: startMs - 9,
      watermarkMs: startMs + 20,
    });
    // This one had a second window of three spans, in memory alone.
    await running.send({ seq: 2, streamSpans: 4, oldestSeq: 2, watermarkMs: startMs + 10 });
    expect(await oneLedger(running)).toMatchObject({ streamSpans: 1, accounted: true });
  }));

test("a late record of a killed process, beyond what the next one knows, makes sums void", () =>
  check(async (running) => {
    await running.send({ seq: 1, streamSpans: 1, window: 0, spans: [{}], watermarkMs: startMs });
    await running.send({ seq: 1, streamSpans: 1, oldestSeq: 2, watermarkMs: startMs + 20 });
    await running.send({
      seq: 3,
      streamSpans: 4,
      window: 0,
      spans: [{}],
      watermarkMs: startMs + 9,
    });
    await running.send({
      seq: 2,
      streamSpans: 1,
      gapFromMs: startMs - 9,
      watermarkMs: startMs + 20,
    });
    expect(await oneLedger(running)).toMatchObject({ forks: 1, missing: 0, accounted: true });
  }));

describe("holes", () => {
  test("more than 64 intervals are refused, not closed: filling the oldest goes on", () =>
    check(async (running) => {
      for (let at = 0; at < 64; at++) {
        await running.send({ seq: 2 + 2 * at, streamSpans: 500, window: 0, spans: [{}] });
      }
      const one = { seq: 200, streamSpans: 500, window: 0, spans: [{}] };
      await expect(running.send(one)).rejects.toMatchObject({ code: "STREAM_GAPS" });
      await running.send({ seq: 1, streamSpans: 500, window: 0, spans: [{}] });
      await expect(running.send(one)).rejects.toMatchObject({ code: "STREAM_GAPS" });
      await running.send({ seq: 3, streamSpans: 500, window: 0, spans: [{}] });
      expect(await running.send(one)).toMatchObject({
        have: expect.arrayContaining([
          [1, 4],
          [200, 200],
        ]),
      });
      expect(await oneLedger(running)).toMatchObject({ appliedSpans: 67, missing: 133 });
    }));

  test("a hundred of them at once leave no more than 64 intervals", () =>
    check(async (running) => {
      const sent = Array.from({ length: 100 }, (_, at) =>
        running.send({ seq: 2 + 2 * at, streamSpans: 500, window: 0, spans: [{}] }),
      );
      const answers = await Promise.allSettled(sent);
      const refused = answers.filter(({ status }) => status === "rejected");
      expect(refused).toHaveLength(36);
      const { have } = (await running.send({ seq: 200, oldestSeq: 1 })) as { have: unknown[] };
      expect(have).toHaveLength(64);
    }));

  test("a tombstone that would make them is refused as well", () =>
    check(async (running) => {
      const lost = Array.from({ length: 65 }, (_, at) => ({
        ...{ seq: 1 + 2 * at, spans: 1, errors: 0, windowStartMs: 0 },
      }));
      const tombstone = { seq: 999, streamSpans: 500, lost };
      await expect(running.send(tombstone)).rejects.toMatchObject({ code: "STREAM_GAPS" });
      await running.send({ ...tombstone, lost: lost.slice(0, 63) });
      expect(await oneLedger(running)).toMatchObject({ lostSpans: 63, lostRecords: 63 });
    }));
});

describe("forks", () => {
  const own = { seq: 5, streamSpans: 9, window: 0, spans: [{}] };
  const clones = { ...own, spans: [{ ms: 77 }] };

  test("another record under a number is told apart, over a restart too", async () => {
    const dataDir = temporaryDirectory();
    await check((running) => running.send(own), { dataDir });
    await check(
      async (running) => {
        await expect(running.send(clones)).rejects.toMatchObject({ code: "STREAM_FORKED" });
        expect(await running.send(own)).toMatchObject({ have: [[5, 5]] });
        // Under an id of its own the clone goes on.
        await running.send({ ...clones, stream: 2, seq: 1 });
        await running.advance(30_000);
        expect(await spansInWindows(running)).toBe(2);
      },
      { dataDir },
    );
  });

  test("of the newest 64 records, whose digests are kept", () =>
    check(async (running) => {
      const record = (seq: number, ms: number): BatchSpec => ({
        ...{ seq, streamSpans: 900, window: 0, spans: [{ ms }] },
      });
      for (let seq = 1; seq <= 70; seq++) await running.send(record(seq, 1));
      await expect(running.send(record(7, 2))).rejects.toMatchObject({ code: "STREAM_FORKED" });
      // Older ones are taken for repetitions; either way they change nothing.
      expect(await running.send(record(6, 2))).toMatchObject({ have: [[1, 70]] });
      expect(await oneLedger(running)).toMatchObject({ appliedSpans: 70 });
    }));
});

describe("windows of another time", () => {
  const one = { streamSpans: 3, spans: [{}, {}, {}] };

  test("far ahead they are kept out, and counted, over a restart too", async () => {
    const dataDir = temporaryDirectory();
    await check(
      async (running) => {
        await running.send({ ...one, seq: 1, window: 720, watermarkMs: nowMs + 7_200_000 });
        await running.advance(1_000);
        expect(await oneLedger(running)).toMatchObject({ appliedSpans: 3, asideSpans: 3 });
        expect(metric(running.meter, "brunt_collector_open_windows")).toBe(0);
      },
      { dataDir },
    );
    await check(
      async (running) => {
        expect(await oneLedger(running)).toMatchObject({ asideSpans: 3, accounted: true });
        await running.advance(30_000);
        expect(await spansInWindows(running)).toBe(0);
      },
      { dataDir, nowMs: nowMs + 7_200_000 },
    );
  });

  test("two days late they are kept out, and counted", () =>
    check(async (running) => {
      running.clock.advance(50 * 3_600_000);
      await running.send({ ...one, seq: 1, window: 0 });
      await running.advance(2_000);
      expect(await oneLedger(running)).toMatchObject({ asideSpans: 3, accounted: true });
      expect(await spansInWindows(running)).toBe(0);
    }));

  test("a stream that was forgotten and comes again counts nothing twice", () =>
    check(async (running) => {
      await running.send({ ...one, seq: 1, window: 3 });
      await running.advance(30_000);
      running.clock.advance(8 * 24 * 3_600_000);
      await running.send({ stream: 2, seq: 1, gapFromMs: startMs - 1 });
      expect((await ledgerOf(running)).streams).toHaveLength(1);
      await running.send({ ...one, seq: 1, window: 3 });
      await running.advance(2_000);
      expect(metric(running.meter, "brunt_collector_streams_forgotten")).toBe(1);
      expect(metric(running.meter, "brunt_collector_ledger_aside_spans")).toBe(3);
    }));
});
