import { readdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createJournal, openJournal } from "../../base/journal.ts";
import { frameRecord, scanRecords } from "../../base/records.ts";
import { nodeDisk } from "../../cli/node-disk.ts";
import { createFileStore, type Store } from "../../collector/store/store.ts";
import { MemoryDisk } from "../spool/memory-disk.ts";
import { limpingDisk } from "./limping-disk.ts";
import { temporaryDirectory } from "./temporary.ts";

const seed = 411;
const text = (payload: Uint8Array) => Buffer.from(payload).toString("utf8");
const bytes = (value: string) => Buffer.from(value);

describe("records", () => {
  const payloads = fc.array(fc.uint8Array({ maxLength: 60 }), { minLength: 1, maxLength: 8 });

  function check(records: readonly Uint8Array[], damage: (file: Buffer) => Buffer) {
    return scanRecords(damage(Buffer.concat(records.map((p) => frameRecord(p)))));
  }

  test("what was written is read", () => {
    fc.assert(
      fc.property(payloads, (records) => {
        const scan = check(records, (file) => file);
        expect(scan.payloads.map((p) => [...p])).toEqual(records.map((p) => [...p]));
        expect([scan.corrupt, scan.tailBytes]).toEqual([0, 0]);
      }),
      { seed },
    );
  });

  test("one flipped bit costs one record, wherever it is", () => {
    fc.assert(
      fc.property(payloads, fc.nat(), (records, chance) => {
        const scan = check(records, (file) => {
          const bit = chance % (file.length * 8);
          file[bit >> 3] = (file[bit >> 3] as number) ^ (1 << (bit & 7));
          return file;
        });
        const written = records.map((p) => Buffer.from(p).toString("hex"));
        const read = scan.payloads.map((p) => Buffer.from(p).toString("hex"));
        expect(read.length).toBe(records.length - 1);
        const lost = written.findIndex((value, index) => value !== read[index]);
        expect(written.filter((_, index) => index !== lost)).toEqual(read);
        expect(scan.corrupt + (scan.tailBytes > 0 ? 1 : 0)).toBeGreaterThan(0);
      }),
      { seed, numRuns: 500 },
    );
  });

  test("a torn tail costs what was not written whole", () => {
    fc.assert(
      fc.property(payloads, fc.nat(), (records, chance) => {
        const whole = Buffer.concat(records.map((p) => frameRecord(p))).length;
        const kept = chance % whole;
        const scan = check(records, (file) => file.subarray(0, kept));
        let size = 0;
        const fitting = records.filter((p) => {
          size += frameRecord(p).length;
          return size <= kept;
        });
        expect(scan.payloads.map((p) => [...p])).toEqual(fitting.map((p) => [...p]));
      }),
      { seed },
    );
  });
});

describe("journal", () => {
  test("a torn tail is cut off, and what is appended afterwards is read", async () => {
    const path = join(temporaryDirectory(), "journal");
    const first = await createJournal(nodeDisk, path, [bytes("a"), bytes("b")]);
    await first.append([bytes("lost in the crash")]);
    await first.close();
    truncateSync(path, first.size - 3);
    const { journal, scan } = await openJournal(nodeDisk, path);
    expect(scan.payloads.map(text)).toEqual(["a", "b"]);
    await journal.append([bytes("c")]);
    await journal.close();
    expect(scanRecords(readFileSync(path)).payloads.map(text)).toEqual(["a", "b", "c"]);
  });

  test("what a killed process wrote last and was read survives a power cut", async () => {
    const disk = new MemoryDisk();
    const path = "/journals/1";
    const journal = await createJournal(disk, path, [bytes("a")]);
    const file = await disk.open(path, "r+");
    const unsynced = frameRecord(bytes("b"));
    await file.write(unsynced, 0, unsynced.length, journal.size);
    disk.kill();
    await openJournal(disk, path);
    disk.cutPower();
    const left = (await disk.read(path)) ?? bytes("");
    expect(scanRecords(left).payloads.map(text)).toEqual(["a", "b"]);
  });

  test("a short write is continued, not taken for a whole one", async () => {
    const path = join(temporaryDirectory(), "journal");
    const journal = await createJournal(limpingDisk({ bytesPerWrite: 7 }), path, []);
    await journal.append([bytes("longer than one write takes")]);
    await journal.close();
    expect(scanRecords(readFileSync(path)).payloads.map(text)).toEqual([
      "longer than one write takes",
    ]);
  });

  test("after a failed sync nothing more goes into the file", async () => {
    const disk = { failing: false };
    const journal = await createJournal(
      limpingDisk(disk),
      join(temporaryDirectory(), "journal"),
      [],
    );
    disk.failing = true;
    await expect(journal.append([bytes("x")])).rejects.toMatchObject({ code: "STORE_WRITE" });
    disk.failing = false;
    await expect(journal.append([bytes("y")])).rejects.toMatchObject({ code: "STORE_WRITE" });
    await journal.close();
  });
});

describe("batch log", () => {
  test("a batch is applied after it is durable, in order, and found again", async () => {
    const { store, directory } = await openStore();
    const applied: number[] = [];
    await Promise.all(
      ["a", "b", "c"].map((value) =>
        store.append(entry(value, 10_000), (lsn) => applied.push(lsn)),
      ),
    );
    expect(applied).toEqual([1, 2, 3]);
    expect((await openStore({ directory })).batches).toEqual(["a", "b", "c"]);
    await store.close();
  });

  test("a window in a segment releases its batches, others stay", async () => {
    const { store, directory } = await openStore();
    await store.append(entry("old", 10_000), () => {});
    await store.append(entry("open", 20_000), () => {});
    await store.rotateLog();
    await store.append(entry("new", 30_000), () => {});
    await store.writeSegment(segment(10_000, 1));
    await store.rotateLog();
    await store.close();
    const second = await openStore({ directory });
    expect(second.batches).toEqual(["old", "open", "new"]);
    await second.store.writeSegment(segment(20_000, 2));
    await second.store.rotateLog();
    await second.store.close();
    const third = await openStore({ directory });
    expect(third.batches).toEqual(["new"]);
    await third.store.close();
  });

  test("a refused write is not acknowledged, not found again, and later ones are", async () => {
    const disk = { failing: false };
    const { store, directory } = await openStore({ disk });
    await store.append(entry("before", 10_000), () => {});
    disk.failing = true;
    const applied: string[] = [];
    await expect(
      store.append(entry("refused", 10_000), () => applied.push("refused")),
    ).rejects.toMatchObject({ code: "STORE_WRITE", retryable: true });
    expect(store.failed).toBe(true);
    disk.failing = false;
    await store.append(entry("after", 10_000), () => applied.push("after"));
    expect(store.failed).toBe(false);
    expect(applied).toEqual(["after"]);
    expect((await openStore({ directory })).batches).toEqual(["before", "after"]);
    await store.close();
  });

  test("the dedupe state survives a damaged head, because it is there twice", async () => {
    const { store, directory } = await openStore();
    await store.append(entry("a", 10_000), () => {});
    await store.rotateLog();
    await store.writeSegment(segment(10_000, 1));
    const log = join(directory, "log");
    const name = readdirSync(log).at(-1) as string;
    const file = readFileSync(join(log, name));
    file[20] = (file[20] as number) ^ 4;
    writeFileSync(join(log, name), file);
    const reopened = await openStore({ directory });
    expect(reopened.heads.at(-1)).toBe("state");
    expect(reopened.corrupt).toBe(1);
    await store.close();
  });
});

describe("segments", () => {
  test("one damaged file costs that window only", async () => {
    const { store, directory } = await openStore();
    for (const startMs of [10_000, 20_000, 30_000]) await store.writeSegment(segment(startMs, 1));
    const path = join(directory, "windows/10000-received/20000.1.window");
    const file = readFileSync(path);
    writeFileSync(path, file.fill(0));
    const reopened = await openStore({ directory });
    expect((await reopened.store.readSegment(20_000)).ok).toBe(false);
    expect(reopened.store.segmentsNewestFirst().map((m) => m.summary.windowStartMs)).toEqual([
      30_000, 10_000,
    ]);
    expect(reopened.corrupt).toBeGreaterThan(0);
    expect((await reopened.store.readSegment(30_000)).ok).toBe(true);
    await store.close();
  });

  test("windows past retention are unlinked", async () => {
    const { store, directory } = await openStore();
    for (const startMs of [10_000, 20_000, 30_000]) await store.writeSegment(segment(startMs, 1));
    const laterMs = 2 * 86_400_000 + 120_000;
    await store.maintain(laterMs);
    await store.maintain(laterMs + 60_000);
    const left = readdirSync(join(directory, "windows/10000-received"));
    expect(left).toEqual(["catalogue"]);
    await store.close();
  });
});

describe("events", () => {
  const window = segment(0, 1).meta.summary;
  const event = { type: "window.closed", atMs: 5, window } as const;

  test("numbers go on after a restart, under the same epoch", async () => {
    const { store, directory } = await openStore();
    await store.appendEvents(1, [event, event]);
    const { epoch } = store.events;
    await store.close();
    const { store: reopened } = await openStore({ directory });
    expect(reopened.events.epoch).toBe(epoch);
    const { events } = await reopened.appendEvents(2, [event]);
    expect(events.map(({ seq }) => seq)).toEqual([3]);
    expect(reopened.events.ring.map(({ seq }) => seq)).toEqual([1, 2, 3]);
    await reopened.close();
  });

  test("when the newest record is lost, the epoch changes", async () => {
    const { store, directory } = await openStore();
    await store.appendEvents(1, [event]);
    await store.appendEvents(2, [event]);
    const { epoch } = store.events;
    await store.close();
    const path = join(directory, "events", readdirSync(join(directory, "events"))[0] as string);
    truncateSync(path, readFileSync(path).length - 1);
    const { store: reopened } = await openStore({ directory });
    expect(reopened.events.epoch).not.toBe(epoch);
    await reopened.close();
  });

  test("the ring keeps the newest and the files stay few", async () => {
    const { store, directory } = await openStore();
    for (let n = 1; n <= 130; n++) {
      await store.appendEvents(
        n,
        Array.from({ length: 100 }, () => event),
      );
    }
    expect(store.events.ring.length).toBe(4_096);
    expect(store.events.ring[0]?.seq).toBe(13_000 - 4_096 + 1);
    expect(readdirSync(join(directory, "events")).length).toBe(2);
    await store.close();
    const { store: reopened } = await openStore({ directory });
    expect(reopened.events.nextSeq).toBe(13_001);
    expect(reopened.events.ring.length).toBe(4_096);
    await reopened.close();
  });
});

describe("the decider's state", () => {
  test("it comes back as it was; a damaged one counts as none", async () => {
    const { store, directory } = await openStore();
    const snapshot = { learned: new Map([["a", new Float64Array([1, 2])]]) };
    await store.saveDecider({ closing: 7, snapshot });
    expect(await store.loadDecider()).toEqual({ closing: 7, snapshot });
    truncateSync(join(directory, "state/decider-7"), 20);
    expect(await store.loadDecider()).toBeUndefined();
    await store.close();
  });
});

function entry(value: string, windowStartMs: number) {
  const window = { startMs: windowStartMs, lengthMs: 10_000 };
  return { bytes: bytes(value), receivedMs: 1, window };
}

function segment(windowStartMs: number, lsn: number) {
  return {
    meta: {
      summary: {
        windowStartMs,
        spans: 1,
        errors: 0,
        keys: 1,
        anomalies: 0,
        coverage: 1,
        silentAgents: 0,
        revised: false,
      },
      windowEndMs: windowStartMs + 10_000,
      lsn,
      closing: 1,
      decidedAtMs: windowStartMs + 15_000,
      hashKeyId: "k",
    },
    events: [],
    blocks: [],
  };
}

async function openStore(
  options: { readonly directory?: string; readonly disk?: { failing: boolean } } = {},
): Promise<{
  store: Store;
  directory: string;
  batches: string[];
  heads: string[];
  corrupt: number;
}> {
  const directory = options.directory ?? temporaryDirectory();
  const disk = options.disk === undefined ? nodeDisk : limpingDisk(options.disk);
  const store = createFileStore({ directory, disk });
  const found = { store, directory, batches: [] as string[], heads: [] as string[], corrupt: 0 };
  await store.recover(
    {
      head: (state) => found.heads.push(text(state)),
      batch: ({ lsn, bytes: payload, window }) => {
        found.batches.push(text(payload));
        return window === undefined || lsn <= store.storedLsn(window) ? undefined : window;
      },
      corrupt: (records) => {
        found.corrupt += records;
      },
    },
    () => bytes("state"),
  );
  return found;
}
