/** Stretches of time and beginnings of keys: the right windows answer, from the right blocks. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type KeyQuery, listKeys } from "../../collector/queries.ts";
import type { Store } from "../../collector/store/store.ts";
import type { SpanSpec } from "./fixture.ts";
import {
  answerOf,
  cellsOf,
  openMemoryStore,
  openStoreOn,
  segmentOf,
  sumOf,
  type WindowSpec,
} from "./store-fixture.ts";

const seed = 31;
const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const baseMs = 500_000 * hourMs;
const keysMax = 10_000;

async function write(store: Store, windows: readonly WindowSpec[]): Promise<void> {
  for (const window of windows) await store.writeSegment(segmentOf(window));
}

async function maintain(store: Store, nowMs: number): Promise<void> {
  for (let round = 0; round < 90; round++) await store.maintain(nowMs + round * minuteMs);
}

/** Windows of two hours, some missing, each with a span of its own. */
function twoHours(): WindowSpec[] {
  return Array.from({ length: 720 }, (_, at) => at)
    .filter((at) => at % 7 !== 3)
    .map((at) => ({
      startMs: baseMs + at * 10_000,
      lsn: at + 1,
      spans: [{ operation: `operation-${at % 5}`, ms: at + 1, failed: at % 11 === 0 }],
    }));
}

describe("stretches of time", () => {
  test("count every window that starts inside once, whatever answers for it", async () => {
    const { store } = await openMemoryStore();
    const windows = twoHours();
    await write(store, windows);
    await maintain(store, baseMs + 2 * hourMs + 5 * minuteMs);
    await fc.assert(
      fc.asyncProperty(fc.nat(720), fc.nat(720), async (from, size) => {
        const [fromMs, toMs] = [baseMs + from * 10_000, baseMs + (from + size) * 10_000];
        const inside = windows.filter(({ startMs }) => startMs >= fromMs && startMs < toMs);
        const answer = await answerOf(store, { fromMs, toMs });
        expect(cellsOf(answer)).toEqual(cellsOf(sumOf(inside)));
      }),
      { seed, numRuns: 60 },
    );
    await store.close();
  });

  test("are answered by few windows", async () => {
    const { store } = await openMemoryStore();
    await write(store, twoHours());
    await maintain(store, baseMs + 2 * hourMs + 11 * minuteMs);
    const lengthsOf = (fromMs: number, toMs: number) =>
      store
        .windowsOf({ fromMs, toMs })
        .map(({ meta }) => meta.windowEndMs - meta.summary.windowStartMs);
    expect(lengthsOf(baseMs, baseMs + 2 * hourMs)).toEqual([hourMs, hourMs]);
    expect(lengthsOf(baseMs + 59 * minuteMs, baseMs + 2 * hourMs)).toEqual([minuteMs, hourMs]);
    expect(lengthsOf(baseMs + hourMs, baseMs + 2 * hourMs - 20_000).length).toBeLessThan(20);
    await store.close();
  });

  test("stay answered when the finer windows are gone", async () => {
    const { store } = await openMemoryStore();
    const windows = twoHours();
    await write(store, windows);
    await maintain(store, baseMs + 3 * 24 * hourMs);
    expect(store.segmentsNewestFirst()).toEqual([]);
    const fromMs = baseMs + 10 * minuteMs;
    const toMs = baseMs + 33 * minuteMs;
    const inside = windows.filter(({ startMs }) => startMs >= fromMs && startMs < toMs);
    expect(cellsOf(await answerOf(store, { fromMs, toMs }))).toEqual(cellsOf(sumOf(inside)));
    await store.close();
  });
});

describe("beginnings of keys", () => {
  const spans: SpanSpec[] = Array.from({ length: 6_000 }, (_, at) => ({
    service: `service-${String(at % 60).padStart(2, "0")}`,
    operation: `operation-${Math.floor(at / 60)}`,
  }));

  test("read the blocks that have them, and no others", async () => {
    const { store, disk } = await openMemoryStore();
    await write(store, [{ startMs: baseMs, spans }]);
    const range = { fromMs: baseMs, toMs: baseMs + 10_000 };
    disk.bytesRead = 0;
    const whole = await answerOf(store, range);
    const wholeBytes = disk.bytesRead;
    disk.bytesRead = 0;
    const one = await answerOf(store, range, ["service-07"]);
    expect(disk.bytesRead).toBeLessThan(wholeBytes / 5);
    const expected = [...cellsOf(whole)].filter(([key]) => key.startsWith("service-07|"));
    const found = [...cellsOf(one)].filter(([key]) => key.startsWith("service-07|"));
    expect(found.length).toBe(100);
    expect(found).toEqual(expected);
    disk.bytesRead = 0;
    expect((await answerOf(store, range, ["unknown"])).cells.size).toBe(0);
    expect(disk.bytesRead).toBeLessThan(wholeBytes / 10);
    await store.close();
  });

  test("do so also after a restart that had to look into every file", async () => {
    const { store, disk } = await openMemoryStore();
    await write(store, [{ startMs: baseMs, spans }]);
    await store.close();
    disk.files.delete("data/windows/10000-received/catalogue");
    const { store: reopened } = await openStoreOn(disk);
    disk.bytesRead = 0;
    const range = { fromMs: baseMs, toMs: baseMs + 10_000 };
    const one = await answerOf(reopened, range, ["service-07", "operation-1"]);
    expect([...cellsOf(one).keys()].some((key) => key.startsWith("service-07|operation-1|"))).toBe(
      true,
    );
    const file = [...disk.files].find(([path]) => path.endsWith(".window"))?.[1];
    expect(disk.bytesRead).toBeLessThan((file?.length ?? 0) / 5);
    await reopened.close();
  });
});

describe("keys", () => {
  const spans: SpanSpec[] = [
    ...Array.from({ length: 3 }, () => ({ service: "shop", operation: "pay", failed: true })),
    ...Array.from({ length: 2 }, () => ({ service: "shop", operation: "list" })),
    { service: "bank", operation: "pay" },
  ];
  const windows = Array.from({ length: 30 }, (_, at) => ({
    startMs: baseMs + at * 10_000,
    spans,
    lsn: at + 1,
  }));
  const all: KeyQuery = { service: "", operation: "", limit: 100, windows: 6 };

  async function check(query: Partial<KeyQuery>): Promise<unknown> {
    const { store } = await openMemoryStore();
    await write(store, windows);
    await maintain(store, baseMs + 5 * minuteMs + 10 * minuteMs);
    const answer = await listKeys(store, { ...all, ...query }, keysMax);
    await store.close();
    if (!answer.ok) return answer.error.code;
    return answer.value.map(({ key, count, errors }) => [
      key.find(({ dimension }) => dimension === "service.name")?.value,
      key.find(({ dimension }) => dimension === "operation")?.value,
      count,
      errors,
    ]);
  }

  test.each<[string, Partial<KeyQuery>, unknown]>([
    [
      "of the newest windows",
      {},
      [
        ["shop", "pay", 18, 18],
        ["shop", "list", 12, 0],
        ["bank", "pay", 6, 0],
      ],
    ],
    ["of a service", { service: "bank", windows: 1 }, [["bank", "pay", 1, 0]]],
    [
      "of a service's operation",
      { service: "shop", operation: "list", windows: 2 },
      [["shop", "list", 4, 0]],
    ],
    [
      "of an operation of any service",
      { operation: "pay", windows: 1 },
      [
        ["shop", "pay", 3, 3],
        ["bank", "pay", 1, 0],
      ],
    ],
    [
      "of minutes",
      { from: baseMs + minuteMs, to: baseMs + 3 * minuteMs, service: "bank" },
      [["bank", "pay", 12, 0]],
    ],
    ["from a time on", { from: baseMs + 290_000, service: "bank" }, [["bank", "pay", 1, 0]]],
    ["up to a time", { to: baseMs + 20_000, service: "bank" }, [["bank", "pay", 2, 0]]],
    ["of a stretch without windows", { from: 0, to: 1 }, []],
    ["at most so many", { limit: 1, windows: 1 }, [["shop", "pay", 3, 3]]],
  ])("%s", async (_, query, expected) => {
    expect(await check(query)).toEqual(expected);
  });

  test("of more windows than a query may read are refused, with the way out", async () => {
    const { store } = await openMemoryStore();
    for (let at = 0; at < 2_100; at++) {
      await write(store, [{ startMs: baseMs + at * 10_000, lsn: at + 1 }]);
    }
    const answer = await listKeys(store, { ...all, from: baseMs }, keysMax);
    expect(answer).toMatchObject({
      error: { code: "QUERY_INVALID", message: expect.stringMatching(/2100 .* 2000; narrow/) },
    });
    await store.close();
  });
});
