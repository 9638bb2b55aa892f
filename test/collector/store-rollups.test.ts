/** History by the minute, ten minutes and the hour: exact, made once, kept as long as promised. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Gone } from "../../collector/store/keeping.ts";
import { createLevels } from "../../collector/store/levels.ts";
import type { Store } from "../../collector/store/store.ts";
import { boundsHll, type Hll } from "../../sketch/hll.ts";
import type { SpanSpec } from "./fixture.ts";
import { MemoryDisk } from "./memory-disk.ts";
import {
  answerOf,
  cellsOf,
  cubeOf,
  openMemoryStore,
  openStoreOn,
  segmentOf,
  sumOf,
  type WindowSpec,
} from "./store-fixture.ts";

const seed = 66;
const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;
/** A multiple of every level's length. */
const baseMs = 500_000 * hourMs;
/** Long enough after a minute for it to be made, and for a change to have come to rest. */
const settledMs = 11 * minuteMs;

/** Runs everything that is due at a time, however much it is. */
async function maintain(store: Store, nowMs: number): Promise<void> {
  for (let round = 0; round < 40; round++) await store.maintain(nowMs + round * minuteMs);
}

function windowAt(index: number, spans: readonly SpanSpec[] = [{}], lsn = index + 1): WindowSpec {
  return { startMs: baseMs + index * 10_000, spans, lsn };
}

async function write(store: Store, windows: readonly WindowSpec[]): Promise<void> {
  for (const window of windows) await store.writeSegment(segmentOf(window));
}

function windowsOfLevel(store: Store, lengthMs: number): number {
  return store.levels.find((level) => level.lengthMs === lengthMs)?.windows ?? 0;
}

/** Lengths of the windows that answer for a stretch, in their order. */
function lengthsFor(store: Store, fromMs: number, toMs: number): number[] {
  return store
    .windowsOf({ fromMs, toMs })
    .map(({ meta }) => meta.windowEndMs - meta.summary.windowStartMs);
}

const spanList = fc.array(
  fc.record({
    service: fc.constantFrom("shop", "payments", "__proto__"),
    operation: fc.constantFrom("a", "b", "c"),
    ms: fc.integer({ min: 1, max: 5_000 }),
    failed: fc.boolean(),
    customer: fc.integer({ min: 1, max: 300 }),
    user: fc.constantFrom(["gold"], ["toString"]),
  }),
  { maxLength: 6 },
);

describe("coarser windows", () => {
  test("hold exactly what one window of their length would have held", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(spanList, { minLength: 61, maxLength: 75 }), async (lists) => {
        const { store } = await openMemoryStore();
        const windows = lists.map((spans, at) => ({
          ...windowAt(at, spans),
          userDimensions: ["app.tier"],
        }));
        await write(store, windows);
        await maintain(store, baseMs + hourMs + settledMs);
        expect(windowsOfLevel(store, hourMs)).toBe(1);
        expect(lengthsFor(store, baseMs, baseMs + hourMs)).toEqual([hourMs]);
        const answer = await answerOf(store, { fromMs: baseMs, toMs: baseMs + hourMs });
        expect(cellsOf(answer)).toEqual(cellsOf(sumOf(windows)));
        await store.close();
      }),
      { seed, numRuns: 12 },
    );
  });

  test("of agents with different dimensions have them all", async () => {
    const { store } = await openMemoryStore();
    const tier = { ...windowAt(0, [{ user: ["gold"] }]), userDimensions: ["app.tier"] };
    const size = { ...windowAt(1, [{ user: ["large"] }]), userDimensions: ["cart.size"] };
    await write(store, [tier, size, windowAt(2)]);
    await maintain(store, baseMs + minuteMs + settledMs);
    const answer = await answerOf(store, { fromMs: baseMs, toMs: baseMs + minuteMs });
    expect(answer.keys.dimensions.slice(-2)).toEqual(["app.tier", "cart.size"]);
    const ends = [...cellsOf(answer).keys()].map((key) => key.split("|").slice(-2).join("|"));
    expect(ends.sort()).toEqual(["gold|", "|", "|large"].sort());
    await store.close();
  });

  test("are made once data ten minutes late has come, and not before", async () => {
    const { store } = await openMemoryStore();
    await write(store, [windowAt(0), windowAt(5)]);
    await store.maintain(baseMs + minuteMs);
    await store.maintain(baseMs + 11 * minuteMs);
    expect(windowsOfLevel(store, minuteMs)).toBe(0);
    await store.maintain(baseMs + 11 * minuteMs + 10_000);
    expect(windowsOfLevel(store, minuteMs)).toBe(1);
    await store.close();
  });

  test("are made again when late data changes a part of them, up to the hour", async () => {
    const { store } = await openMemoryStore();
    await write(store, [windowAt(0), windowAt(1)]);
    await maintain(store, baseMs + hourMs + settledMs);
    const late = windowAt(1, [{}, { failed: true }, { customer: 7 }], 9);
    await write(store, [late]);
    const before = await answerOf(store, { fromMs: baseMs, toMs: baseMs + hourMs });
    expect(cellsOf(before)).toEqual(cellsOf(sumOf([windowAt(0), late])));
    await maintain(store, baseMs + hourMs + 2 * settledMs);
    expect(lengthsFor(store, baseMs, baseMs + hourMs)).toEqual([hourMs]);
    const after = await answerOf(store, { fromMs: baseMs, toMs: baseMs + hourMs });
    expect(cellsOf(after)).toEqual(cellsOf(sumOf([windowAt(0), late])));
    await store.close();
  });

  test("minutes that agents sent whole are a part of the ten minutes, not of the minute", async () => {
    const { store } = await openMemoryStore();
    const minute = { startMs: baseMs, lengthMs: minuteMs, spans: [{ service: "away" }], lsn: 4 };
    await write(store, [windowAt(0), minute]);
    await maintain(store, baseMs + 10 * minuteMs + settledMs);
    const answer = await answerOf(store, { fromMs: baseMs, toMs: baseMs + 10 * minuteMs });
    expect(cellsOf(answer)).toEqual(cellsOf(sumOf([windowAt(0), minute])));
    expect(lengthsFor(store, baseMs, baseMs + 10 * minuteMs)).toEqual([10 * minuteMs]);
    const inMinute = await answerOf(store, { fromMs: baseMs, toMs: baseMs + minuteMs });
    expect(cellsOf(inMinute)).toEqual(cellsOf(sumOf([windowAt(0), minute])));
    await store.close();
  });

  test("customers under another key are left out, their spans are not", async () => {
    const { store } = await openMemoryStore();
    const old = { ...windowAt(0, [{ customer: 1 }, { customer: 2 }]), hashKeyId: "old" };
    const young = { ...windowAt(1, [{ customer: 3 }]), hashKeyId: "new" };
    await write(store, [old, young]);
    await maintain(store, baseMs + minuteMs + settledMs);
    const [window] = store.windowsOf({ fromMs: baseMs, toMs: baseMs + minuteMs });
    expect(window?.meta.hashKeyId).toBe("new");
    const answer = await answerOf(store, { fromMs: baseMs, toMs: baseMs + minuteMs });
    const onlyYoung = cubeOf({ startMs: 0, spans: [{ customer: 3 }] });
    const [cell] = answer.cells.values();
    const [expected] = onlyYoung.cells.values();
    expect(cell?.count).toBe(3);
    expect(boundsHll(cell?.customers as Hll)).toEqual(boundsHll(expected?.customers as Hll));
    await store.close();
  });

  test("with too many keys keep every service apart, and every span", async () => {
    const { store } = await openMemoryStore({ mergedKeysMax: 20 });
    const windows = Array.from({ length: 6 }, (_, at) => {
      const spans = Array.from({ length: 30 }, (__, span) => ({
        service: `service-${span % 3}`,
        operation: `operation-${at}-${span}`,
        failed: span % 2 === 0,
      }));
      return windowAt(at, spans);
    });
    await write(store, windows);
    await maintain(store, baseMs + minuteMs + settledMs);
    const [minute] = store.windowsOf({ fromMs: baseMs, toMs: baseMs + minuteMs });
    expect(minute?.meta.summary).toMatchObject({ spans: 180, errors: 90, keys: 3 });
    const answer = await answerOf(store, { fromMs: baseMs, toMs: baseMs + minuteMs });
    const counts = [...answer.cells].map(([id, cell]) => [answer.keys.keys[id]?.[0], cell.count]);
    expect(counts.sort()).toEqual([0, 1, 2].map((service) => [`service-${service}`, 60]));
    await store.close();
  });

  test("coverage is that of the whole stretch: a window that is missing was not covered", async () => {
    const { store } = await openMemoryStore();
    await write(store, [
      { ...windowAt(0), coverage: 1 },
      { ...windowAt(1), coverage: 0.5 },
    ]);
    await maintain(store, baseMs + minuteMs + settledMs);
    const [minute] = store.windowsOf({ fromMs: baseMs, toMs: baseMs + minuteMs });
    expect(minute?.meta.summary.coverage).toBeCloseTo(1.5 / 6);
    await store.close();
  });
});

describe("a crash", () => {
  test("between any two steps neither loses nor doubles anything", async () => {
    const windows = Array.from({ length: 12 }, (_, at) => windowAt(at, [{ ms: at + 1 }, {}]));
    const late = windowAt(3, [{ ms: 900, failed: true }], 40);
    const expected = cellsOf(sumOf([...windows.filter((_, at) => at !== 3), late]));
    let crashes = 0;
    for (let operations = 0; ; operations++) {
      const disk = new MortalMemoryDisk();
      const crashed = await playOn(disk, operations, windows, late);
      const { store } = await openStoreOn(disk.remains());
      // What was not acknowledged comes again: here every window, as often as it likes.
      await write(store, [...windows.filter((_, at) => at !== 3), late]);
      await maintain(store, baseMs + hourMs + 3 * settledMs);
      const answer = await answerOf(store, { fromMs: baseMs, toMs: baseMs + hourMs });
      expect(cellsOf(answer), `after ${operations} operations`).toEqual(expected);
      expect(lengthsFor(store, baseMs, baseMs + hourMs)).toEqual([hourMs]);
      await store.close();
      if (!crashed) break;
      crashes++;
    }
    expect(crashes).toBeGreaterThan(40);
  });
});

/** Writes, rolls up and revises until the disk dies; tells whether it did. */
async function playOn(
  disk: MortalMemoryDisk,
  operations: number,
  windows: readonly WindowSpec[],
  late: WindowSpec,
): Promise<boolean> {
  disk.operationsLeft = operations;
  try {
    const { store } = await openStoreOn(disk);
    await write(store, windows);
    await maintain(store, baseMs + hourMs + settledMs);
    await write(store, [late]);
    await maintain(store, baseMs + hourMs + 2 * settledMs);
    return disk.operationsLeft <= 0;
  } catch {
    return true;
  }
}

/** Dies after so many changes: all later ones are refused. */
class MortalMemoryDisk extends MemoryDisk {
  operationsLeft = 0;

  #spend(): void {
    if (this.operationsLeft <= 0) throw new Error("the machine is gone");
    this.operationsLeft--;
  }

  remains(): MemoryDisk {
    return this.copy();
  }

  override async open(path: string, flags: "w" | "r+") {
    this.#spend();
    const file = await super.open(path, flags);
    const spend = (): void => this.#spend();
    return {
      write: (bytes: Uint8Array, offset: number, size: number, position: number) => {
        spend();
        return file.write(bytes, offset, size, position);
      },
      datasync: () => file.datasync(),
      truncate: (size: number) => file.truncate(size),
      close: () => file.close(),
    };
  }

  override async rename(from: string, to: string): Promise<void> {
    this.#spend();
    await super.rename(from, to);
  }

  override async remove(path: string): Promise<void> {
    this.#spend();
    await super.remove(path);
  }
}

describe("retention", () => {
  test("each level has its own, and nothing goes before the coarser one holds it", async () => {
    const { store } = await openMemoryStore();
    const windows = Array.from({ length: 8 }, (_, at) => windowAt(at * 30));
    await write(store, windows);
    await store.maintain(baseMs + 3 * dayMs);
    expect(windowsOfLevel(store, 10_000)).toBe(8);
    const counts: number[][] = [];
    for (const days of [3, 15, 91, 401]) {
      await maintain(store, baseMs + days * dayMs);
      counts.push(store.levels.map((level) => level.windows));
    }
    expect(counts).toEqual([
      [0, 8, 4, 1],
      [0, 0, 4, 1],
      [0, 0, 0, 1],
      [0, 0, 0, 0],
    ]);
    await store.close();
  });

  test("data for a window that is gone goes into its minute, once, also after a restart", async () => {
    const { store, disk } = await openMemoryStore();
    await write(store, [windowAt(0)]);
    expect(store.placeFor({ startMs: baseMs, lengthMs: 10_000 })).toEqual({
      startMs: baseMs,
      lengthMs: 10_000,
    });
    await maintain(store, baseMs + 3 * dayMs);
    const minute = { startMs: baseMs, lengthMs: minuteMs };
    for (const opened of [store, (await openStoreOn(disk)).store]) {
      expect(opened.placeFor({ startMs: baseMs + 20_000, lengthMs: 10_000 })).toEqual(minute);
      expect(opened.storedLsn({ startMs: baseMs, lengthMs: 10_000 })).toBe(Infinity);
      expect(opened.placeFor({ startMs: baseMs, lengthMs: 7_000 })).toBeUndefined();
    }
    await write(store, [{ ...minute, spans: [{ failed: true }], lsn: 7 }]);
    expect(store.storedLsn(minute)).toBe(7);
    await maintain(store, baseMs + 3 * dayMs + hourMs);
    const answer = await answerOf(store, { fromMs: baseMs, toMs: baseMs + hourMs });
    expect([...answer.cells.values()].map(({ count, errors }) => [count, errors])).toEqual([
      [2, 1],
    ]);
    await store.close();
  });

  test("a merged window that lost parts stays as it is", async () => {
    const { store, disk } = await openMemoryStore();
    await write(store, [windowAt(0), windowAt(1)]);
    await maintain(store, baseMs + minuteMs + settledMs);
    await store.close();
    disk.files.delete(`data/windows/10000-received/${baseMs}.1.window`);
    const { store: reopened, damaged } = await openStoreOn(disk);
    expect(damaged).toBeGreaterThan(0);
    await write(reopened, [windowAt(1, [{}, {}], 9)]);
    await maintain(reopened, baseMs + minuteMs + 2 * settledMs);
    const [minute] = reopened.windowsOf({ fromMs: baseMs, toMs: baseMs + minuteMs });
    expect(minute?.meta.summary.spans).toBe(2);
    await reopened.close();
  });
});

describe("the bound on bytes", () => {
  const spans = Array.from({ length: 40 }, (_, at) => ({ operation: `operation-${at}` }));

  test("the oldest of the finest goes first, the newest quarter of an hour stays", async () => {
    const gone: Gone[] = [];
    const bytesMax = 60_000;
    const { store } = await openMemoryStore({ bytesMax, onGone: (what) => gone.push(what) });
    const windows = Array.from({ length: 360 }, (_, at) => windowAt(at, spans));
    for (const [at, window] of windows.entries()) {
      await write(store, [window]);
      await store.maintain(window.startMs + 15_000);
      if (at < 200) continue;
      const newest = store.segmentsNewestFirst();
      expect(newest.length).toBeGreaterThanOrEqual(85);
      expect(newest[0]?.summary.windowStartMs).toBe(window.startMs);
    }
    expect(gone.every(({ reason }) => reason === "size")).toBe(true);
    expect(gone.filter(({ lengthMs }) => lengthMs === 10_000).length).toBeGreaterThan(20);
    expect(gone.reduce((sum, { bytes }) => sum + bytes, 0)).toBeGreaterThan(bytesMax);
    await store.close();
  });

  test("what has gone is still in the coarser windows", async () => {
    const { store } = await openMemoryStore({ bytesMax: 400_000 });
    const windows = Array.from({ length: 360 }, (_, at) => windowAt(at, spans));
    await write(store, windows);
    await maintain(store, baseMs + hourMs + settledMs);
    expect(store.segmentsNewestFirst().length).toBeLessThan(100);
    expect(store.levels.reduce((sum, { bytes }) => sum + bytes, 0)).toBeLessThan(400_000);
    const answer = await answerOf(store, { fromMs: baseMs, toMs: baseMs + hourMs });
    expect(cellsOf(answer)).toEqual(cellsOf(sumOf(windows)));
    await store.close();
  });
});

describe("levels", () => {
  test.each<[string, number, number[]]>([
    ["the default", 10_000, [10_000, 60_000, 600_000, 3_600_000]],
    ["of a minute", 60_000, [60_000, 600_000, 3_600_000]],
    ["of 25 s, which fill no minute but an hour", 25_000, [25_000, 600_000, 3_600_000]],
    ["of 7 s, which fill none", 7_000, [7_000]],
  ])("windows %s", (_, windowLengthMs, lengths) => {
    const levels = createLevels({ windowLengthMs, retentionMs: [1, 2, 3, 4] });
    expect(levels.map(({ lengthMs }) => lengthMs)).toEqual(lengths);
    expect(levels.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1);
  });
});
