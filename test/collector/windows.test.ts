import { readdirSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { nodeDisk } from "../../cli/node-disk.ts";
import { readRecords } from "../../collector/store/segment-file.ts";
import {
  type BatchSpec,
  metric,
  type Running,
  type SpanSpec,
  startCollector,
  startMs,
  windowMs,
} from "./fixture.ts";
import { temporaryDirectory } from "./temporary.ts";

const seed = 77;

/** The stored cells, edges and half-edges of a window. */
async function stored(dataDir: string, window: number): Promise<string> {
  const directory = join(dataDir, "windows/10000-received");
  const start = `${startMs + window * windowMs}.`;
  const name = readdirSync(directory).find((file) => file.startsWith(start));
  const { records } = await readRecords(nodeDisk, join(directory, name ?? "none"));
  return records
    .filter(({ kind }) => kind === "keys" || kind === "edges" || kind === "halfEdges")
    .map(({ body }) => Buffer.from(body).toString("hex"))
    .join("|");
}

async function withCollector<T>(
  run: (running: Running, dataDir: string) => Promise<T>,
  options: Partial<Parameters<typeof startCollector>[0]> = {},
): Promise<T> {
  const dataDir = temporaryDirectory();
  const running = await startCollector({ dataDir, ...options });
  try {
    return await run(running, dataDir);
  } finally {
    await running.collector.shutdown();
  }
}

const spans = fc.array(
  fc.record({
    service: fc.constantFrom("shop", "payments", "__proto__", "constructor"),
    version: fc.constantFrom("", "1", "2"),
    ms: fc.integer({ min: 1, max: 5_000 }),
    failed: fc.boolean(),
    customer: fc.integer({ min: 1, max: 500 }),
    user: fc.constantFrom(["gold"], ["toString"]),
  }),
  { maxLength: 12 },
);

/** Batches of three streams for one window; the third knows another dimension than the first. */
const batches = fc.array(spans, { minLength: 1, maxLength: 8 }).map((contents) =>
  contents.map(
    (items, index): BatchSpec => ({
      stream: 1 + (index % 3),
      seq: 1 + Math.floor(index / 3),
      window: 0,
      spans: items as SpanSpec[],
      userDimensions: index % 3 === 2 ? ["app.tier"] : index % 3 === 1 ? [] : ["cart.size"],
      halfEdges: items.map((_, at) => ({
        side: at % 2 === 0 ? "caller" : "callee",
        idLow: index * 100 + at,
        idHigh: 7,
        key: 0,
        durationNs: 1_000 * at,
        startMs: startMs + at,
        failed: at % 3 === 0,
      })),
    }),
  ),
);

/** Every batch at least once, some twice, in an order made from `chance`. */
function delivered(all: readonly BatchSpec[], chance: readonly number[]): BatchSpec[] {
  const twice = all.flatMap((batch, i) => ((chance[i] ?? 0) % 2 === 1 ? [batch, batch] : [batch]));
  return twice
    .map((batch, i) => ({ batch, place: chance[(i * 7) % chance.length] ?? 0 }))
    .sort((a, b) => a.place - b.place)
    .map(({ batch }) => batch);
}

describe("the same batches give the same bytes", () => {
  const order = fc.array(fc.nat({ max: 1_000 }), { minLength: 9, maxLength: 20 });

  async function check(
    deliveries: readonly BatchSpec[],
    closeAfter: number = deliveries.length,
  ): Promise<string> {
    return withCollector(async ({ send, advance }, dataDir) => {
      for (const batch of deliveries.slice(0, closeAfter)) await send(batch);
      await advance(26_000);
      for (const batch of deliveries.slice(closeAfter)) await send(batch);
      await advance(5_000);
      return stored(dataDir, 0);
    });
  }

  test("in any order and however often, before the window closes", async () => {
    await fc.assert(
      fc.asyncProperty(batches, order, async (all, chance) => {
        expect(await check(delivered(all, chance))).toBe(await check(all));
      }),
      { seed, numRuns: 25 },
    );
  });

  test("and when some come after it has closed", async () => {
    await fc.assert(
      fc.asyncProperty(batches, order, fc.nat({ max: 7 }), async (all, chance, split) => {
        const deliveries = delivered(all, chance);
        const closeAfter = 1 + (split % deliveries.length);
        expect(await check(deliveries, closeAfter)).toBe(await check(all));
      }),
      { seed, numRuns: 25 },
    );
  });
});

describe("closing", () => {
  const one: SpanSpec[] = [{ failed: true, customer: 1 }];

  test("at the smallest live watermark", () =>
    withCollector(async ({ send, advance, decider }) => {
      await advance(32_000);
      await send({ stream: 1, window: 2, spans: one, watermarkMs: startMs + 30_000 });
      await send({ stream: 2, window: 2, spans: one, watermarkMs: startMs + 29_999 });
      await advance(500);
      // The first stream to be heard closed the window; the second has it decided again.
      decider.seen.length = 0;
      await advance(10_000);
      await send({ stream: 1, seq: 2, window: 3, spans: one, watermarkMs: startMs + 40_000 });
      await send({ stream: 2, seq: 2, window: 3, spans: one, watermarkMs: startMs + 39_999 });
      await advance(500);
      expect(decider.seen.map(({ revised }) => revised)).toEqual([true]);
      await send({ stream: 2, seq: 3, watermarkMs: startMs + 40_000 });
      await advance(500);
      expect(decider.seen.at(-1)).toMatchObject({
        startMs: startMs + 30_000,
        spans: 2,
        errors: 2,
        coverage: 1,
      });
    }));

  test("not by the first stream that is heard after a start", () =>
    withCollector(async ({ send, advance, decider }) => {
      await advance(11_000);
      await send({ stream: 1, window: 0, spans: one, watermarkMs: startMs + 10_000 });
      await advance(3_000);
      await send({ stream: 2, window: 0, spans: one, watermarkMs: startMs + 10_000 });
      await advance(12_000);
      expect(decider.seen).toMatchObject([{ startMs, spans: 2, revised: false }]);
    }));

  test("15 s after its end when a watermark stays behind", () =>
    withCollector(async ({ send, advance, decider }) => {
      await advance(12_000);
      for (let second = 12; second < 25; second++) {
        await send({ stream: 1, seq: second, window: 0, spans: one, watermarkMs: 1 });
        await advance(1_000);
        expect(decider.seen.length).toBe(second === 24 ? 1 : 0);
      }
    }));

  test("a watermark of the future closes nothing early", () =>
    withCollector(async ({ send, advance, decider }) => {
      await advance(5_000);
      await send({ window: 0, spans: one, watermarkMs: startMs + 3_600_000 });
      await advance(1_000);
      expect(decider.seen).toEqual([]);
    }));

  test("a silent stream leaves the minimum, and what it usually carries leaves the coverage", () =>
    withCollector(async ({ send, advance, decider }) => {
      const busy = Array.from({ length: 30 }, () => ({}));
      await advance(11_000);
      await send({ stream: 1, window: 0, spans: busy, watermarkMs: startMs + 10_000 });
      await send({ stream: 2, window: 0, spans: busy.slice(0, 10), watermarkMs: startMs + 10_000 });
      await advance(20_000);
      await send({ stream: 1, seq: 2, window: 2, spans: busy, watermarkMs: startMs + 30_000 });
      await advance(1_000);
      expect(decider.seen.at(0)).toMatchObject({ coverage: 1, spans: 40 });
      expect(decider.seen.at(-1)).toMatchObject({ startMs: startMs + 20_000, coverage: 0.75 });
    }));

  test("a window in which live streams saw nothing is decided too", () =>
    withCollector(async ({ send, advance, decider }) => {
      await send({ seq: 1 });
      await advance(11_000);
      await send({ seq: 2, window: 0, spans: one, watermarkMs: startMs + 10_000 });
      await advance(10_000);
      await send({ seq: 3, watermarkMs: startMs + 20_000 });
      await advance(500);
      expect(decider.seen.map(({ spans: count, coverage }) => [count, coverage])).toEqual([
        [1, 1],
        [0, 1],
      ]);
    }));

  test("windows in which nobody was heard are not taken for quiet ones: they are not covered", () =>
    withCollector(async ({ send, advance, decider }) => {
      await send({ window: 0, spans: one });
      await advance(60_000);
      await send({ seq: 2, window: 6, spans: one });
      await advance(26_000);
      const coverages = decider.seen.map((w) => [(w.startMs - startMs) / windowMs, w.coverage]);
      expect(coverages.slice(0, 7)).toEqual([
        [0, 1],
        ...[1, 2, 3, 4, 5].map((window) => [window, 0]),
        [6, 1],
      ]);
    }));

  test("after ten minutes of silence nobody is expected any more, and nothing is closed", () =>
    withCollector(async ({ send, advance, decider }) => {
      await send({ window: 0, spans: one });
      await advance(700_000);
      const decided = decider.seen.length;
      expect(decided).toBeGreaterThan(50);
      expect(decided).toBeLessThan(62);
      await advance(60_000);
      expect(decider.seen.length).toBe(decided);
    }));

  test("late data revises up to 10 minutes, then goes into history, then is only counted", () =>
    withCollector(async ({ send, advance, decider, meter, collector, clock }, dataDir) => {
      await send({ seq: 1, window: 0, spans: one });
      await advance(26_000);
      await send({ seq: 2, window: 0, spans: one });
      await advance(2_000);
      expect(decider.seen.map(({ spans: n, revised }) => [n, revised])).toEqual([
        [1, false],
        [2, true],
      ]);
      const before = await stored(dataDir, 0);
      await advance(700_000);
      const decided = decider.seen.length;
      await send({ seq: 3, window: 0, spans: one });
      await advance(2_000);
      expect(decider.seen.slice(decided).some(({ spans: n }) => n > 0)).toBe(false);
      expect(await stored(dataDir, 0)).not.toBe(before);
      clock.advance(49 * 3_600_000);
      await collector.settled();
      await send({ seq: 4, window: 0, spans: one });
      await advance(2_000);
      const applied = meter.families.get("brunt_collector_batches_applied_total");
      const fates = [...(applied?.series.values() ?? [])].map((s) => [s.labels.fate, s.read()]);
      expect(fates).toEqual([
        ["open", 1],
        ["late", 1],
        ["history", 1],
        ["expired", 1],
      ]);
    }));
});

describe("more keys than fit", () => {
  const keysMax = 400;

  test("the least important dimensions go first; services and error counts stay exact", () =>
    withCollector(
      async ({ send, advance, collector, meter, url }) => {
        for (let seq = 1; seq <= 10; seq++) {
          const many = Array.from({ length: 200 }, (_, at) => ({
            service: `s${at % 5}`,
            operation: `op${at % 3}`,
            version: String(at % 7),
            user: [`value-${seq}-${at}`],
            failed: at % 10 === 0,
          }));
          await send({ seq, window: 0, spans: many, userDimensions: ["cart.id"] });
        }
        expect(metric(meter, "brunt_collector_open_keys")).toBeLessThanOrEqual(3 * keysMax);
        await advance(26_000);
        const response = await fetch(`${url}/api/v1/keys?limit=10000`);
        const keys = (await response.json()) as {
          key: { dimension: string; value: string }[];
          count: number;
          errors: number;
        }[];
        const byService = new Map<string, [number, number]>();
        for (const { key, count, errors } of keys) {
          const name = key[0]?.value ?? "";
          const [c, e] = byService.get(name) ?? [0, 0];
          byService.set(name, [c + count, e + errors]);
        }
        expect([...byService].sort()).toEqual([
          ["s0", [400, 200]],
          ["s1", [400, 0]],
          ["s2", [400, 0]],
          ["s3", [400, 0]],
          ["s4", [400, 0]],
        ]);
        // Only the user's dimension had to go: versions are still told apart.
        const folded = keys.filter(({ key }) => key.at(-1)?.value === "(other)");
        expect(folded.every(({ key }) => key[4]?.value !== "(other)")).toBe(true);
        expect(metric(meter, "brunt_collector_folded_spans")).toBe(
          folded.reduce((sum, { count }) => sum + count, 0),
        );
        expect(collector.port).toBeGreaterThan(0);
      },
      { config: { keysMax: 3 * keysMax } },
    ));

  test("when every dimension is abused, the table still ends", () =>
    withCollector(
      async ({ send, advance, decider, meter }) => {
        for (let seq = 1; seq <= 20; seq++) {
          const many = Array.from({ length: 500 }, (_, at) => ({
            service: `s${seq}-${at}`,
            operation: `op${seq}-${at}`,
            version: `${seq}-${at}`,
            region: `${seq}-${at}`,
          }));
          await send({ seq, window: 0, spans: many });
        }
        // The limit, and the table's own allowance for folded keys.
        expect(metric(meter, "brunt_collector_open_keys")).toBeLessThanOrEqual(keysMax + 1_025);
        await advance(26_000);
        expect(decider.seen).toMatchObject([{ spans: 10_000 }]);
      },
      { config: { keysMax } },
    ));
});
