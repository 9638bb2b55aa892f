/** What outlives a process, a power cut, and files that are not as they were. */
import { describe, expect, test } from "vitest";
import type { AgentConfig } from "../../agent/config.ts";
import { recordHeaderSize, scanRecords } from "../../base/records.ts";
import { fixtureStartMs } from "../agent/fixture.ts";
import type { MemoryDisk } from "./memory-disk.ts";
import { type Rig, rest, startRig } from "./rig.ts";

/** Small files, so that there are several. */
const small: Partial<AgentConfig> = { spoolBytesMax: 65_536 };

/** Spans of a window of a backlog. */
const each = 7;

/** An agent with so many sealed windows that nobody has taken; for less than ten minutes. */
async function startBacklog(windows: number, config: Partial<AgentConfig> = small): Promise<Rig> {
  const rig = await startRig(config);
  rig.collector.isAway = true;
  for (let window = 0; window < windows; window++) await rig.window(each);
  await rig.pass(5);
  return rig;
}

async function comeBack(rig: Rig): Promise<void> {
  rig.collector.isAway = false;
  await rig.pass(120);
}

describe.each(["kill", "cutPower"] as const)("%s", (how) => {
  test("what was sealed is applied once, whether the collector is there or not", async () => {
    const rig = await startBacklog(20);
    for (const isAway of [true, false, false]) {
      rig.collector.isAway = isAway;
      rig.ingest(2);
      await rig.restart(how);
      await rig.window(3);
      await rig.pass(5);
    }
    await comeBack(rig);
    const inOpenWindows = 3 * 2;
    expect(rig.collector.totals).toEqual({
      applied: rig.spans - inOpenWindows,
      lost: 0,
      unaccounted: 0,
    });
    expect(rig.ledger.spool.records).toBe(0);
  });

  test("a gap says since when nobody was listening, and to when", async () => {
    const rig = await startRig();
    await rig.window(3);
    await rig.pass(9);
    rig.ingest(4);
    rig.kill(how);
    rig.clock.advance(60_000);
    await rig.boot();
    await rig.pass(10);
    const [gap] = rig.collector.heard.filter((batch) => batch.kind === "gap");
    // Sealed up to 10 s; the spans at 19 s are what the gap stands for.
    expect(gap).toMatchObject({
      gapFromMs: fixtureStartMs + 10_000,
      gapToMs: fixtureStartMs + 79_000,
    });
  });

  test("an agent whose disk had refused was listening all the same", async () => {
    const rig = await startRig();
    rig.disk.writeError = new Error("EIO");
    for (let window = 0; window < 3; window++) await rig.window(3);
    await rig.pass(6);
    rig.disk.writeError = undefined;
    await rig.pass(7);
    rig.ingest(2);
    await rig.restart(how);
    await rig.pass(10);
    expect(rig.collector.heard.filter(({ kind }) => kind === "gap")).toHaveLength(1);
  });

  test("an agent that had nothing to tell was listening all the same", async () => {
    const rig = await startRig();
    await rig.window(3);
    await rig.pass(600);
    await rig.restart(how);
    await rig.pass(10);
    const [gap] = rig.collector.heard.filter((batch) => batch.kind === "gap");
    expect(gap?.kind === "gap" ? gap.gapToMs - gap.gapFromMs : 0).toBeLessThan(80_000);
  });

  test("no number is used twice, also when everything was acknowledged", async () => {
    const rig = await startRig();
    for (let life = 0; life < 4; life++) {
      await rig.window(3);
      await rig.pass(10);
      rig.collector.isAway = life % 2 === 0;
      await rig.restart(how);
    }
    await comeBack(rig);
    expect(rig.collector.streams.size).toBe(1);
    expect(rig.collector.totals).toEqual({ applied: rig.spans, lost: 0, unaccounted: 0 });
  });
});

test("a shutdown seals what is open into the spool, and the next process brings it home", async () => {
  const rig = await startBacklog(3);
  rig.ingest(7);
  const ended = rig.core.shutdown();
  await rest();
  rig.clock.advance(8_000);
  await ended;
  expect(rig.ledger.spans).toMatchObject({ open: 0, spooled: rig.spans });
  await rig.restart();
  await comeBack(rig);
  expect(rig.collector.totals).toEqual({ applied: rig.spans, lost: 0, unaccounted: 0 });
});

test("two agents do not share a spool", async () => {
  const rig = await startRig();
  const other = await startRig();
  other.disk = rig.disk;
  await expect(other.boot()).rejects.toMatchObject({ code: "STORE_LOCKED" });
});

describe("a spool that is not what it was", () => {
  /** Where the records of a file begin, its header's among them. */
  function offsetsOf(disk: MemoryDisk, path: string): readonly number[] {
    return scanRecords(disk.files.get(path)?.bytes ?? new Uint8Array(0)).offsets;
  }

  function flip(bytes: Uint8Array, at: number): Uint8Array {
    bytes[at] = (bytes[at] as number) ^ 4;
    return bytes;
  }

  type Damage = (disk: MemoryDisk, files: string[]) => void;

  const damages: readonly [name: string, lost: number, damage: Damage][] = [
    ["untouched", 0, () => {}],
    [
      "a bit of a record is flipped",
      each,
      (disk, [, second = ""]) => {
        const at = offsetsOf(disk, second)[2] ?? 0;
        disk.damage(second, (bytes) => flip(bytes, at + recordHeaderSize + 100));
      },
    ],
    [
      "a bit of a frame is flipped",
      each,
      (disk, [, second = ""]) => {
        const at = offsetsOf(disk, second)[3] ?? 0;
        disk.damage(second, (bytes) => flip(bytes, at + 5));
      },
    ],
    [
      "a bit of a header is flipped",
      0,
      (disk, [, second = ""]) => {
        disk.damage(second, (bytes) => flip(bytes, recordHeaderSize + 3));
      },
    ],
    [
      "half a kibibyte is zero",
      2 * each,
      (disk, [, second = ""]) => {
        const at = offsetsOf(disk, second)[2] ?? 0;
        const size = (offsetsOf(disk, second)[4] ?? 0) - at;
        disk.damage(second, (bytes) => bytes.fill(0, at + 20, at + size - 1));
      },
    ],
    ["two files have changed their names", 0, swap],
    [
      "a file is there twice",
      0,
      (disk, [first = "", ...rest]) => {
        const bytes = disk.files.get(first)?.bytes ?? new Uint8Array(0);
        const path = `/spool/${rest.length + 50}.spool`;
        disk.files.set(path, { bytes, synced: bytes });
      },
    ],
    [
      "something else lies about",
      0,
      (disk) => {
        const bytes = new TextEncoder().encode("BRN is not a record ".repeat(50));
        disk.files.set("/spool/notes.txt", { bytes, synced: bytes });
        disk.files.set("/spool/0.spool", { bytes, synced: bytes });
      },
    ],
  ];

  function swap(disk: MemoryDisk, [first = "", second = ""]: string[]): void {
    const [a, b] = [disk.files.get(first), disk.files.get(second)];
    if (a === undefined || b === undefined) throw new Error("too few files");
    disk.files.set(first, b);
    disk.files.set(second, a);
  }

  test.each(damages)("%s: %d spans are lost, and declared", async (_, lost, damage) => {
    const rig = await startBacklog(55);
    const files = rig.disk.spoolFiles();
    expect(files.length).toBeGreaterThanOrEqual(3);
    damage(rig.disk, files);
    await rig.restart();
    await comeBack(rig);
    expect(rig.collector.totals).toEqual({ applied: rig.spans - lost, lost, unaccounted: 0 });
    expect(rig.ledger.spans.lost.corrupt).toBe(lost);
    expect(rig.ledger.spool.records).toBe(0);
  });

  test.each([0, 1])("file %d is gone: what was in it is declared to the span", async (index) => {
    const rig = await startBacklog(55);
    const path = rig.disk.spoolFiles()[index] ?? "";
    const records = offsetsOf(rig.disk, path).length - 1;
    rig.disk.files.delete(path);
    await rig.restart();
    await comeBack(rig);
    const lost = records * each;
    expect(rig.collector.totals).toEqual({ applied: rig.spans - lost, lost, unaccounted: 0 });
  });

  test("a record that came to disk late is gone: what it counted is declared, no more", async () => {
    const rig = await startRig();
    await rig.window(3);
    rig.disk.writeError = new Error("EIO");
    rig.collector.refuse = (batch) =>
      batch.kind === "window" && batch.counts.spans > 3 ? "OVERLOADED" : undefined;
    for (const spans of [5, 4, 2]) await rig.window(spans);
    await rig.pass(40);
    expect(rig.collector.totals.applied).toBe(3 + 2);
    rig.disk.writeError = undefined;
    await rig.pass(6);
    const path = rig.disk.spoolFiles().at(-1) ?? "";
    const [, , second] = offsetsOf(rig.disk, path);
    rig.disk.damage(path, (bytes) => bytes.fill(0, second));
    await rig.restart();
    rig.collector.refuse = () => undefined;
    await rig.pass(120);
    expect(rig.collector.totals).toEqual({ applied: 3 + 5 + 2, lost: 4, unaccounted: 0 });
  });

  test("a torn tail is cut, and the file goes on behind it", async () => {
    const rig = await startBacklog(10);
    const path = rig.disk.spoolFiles().at(-1) ?? "";
    const { length } = rig.disk.files.get(path)?.bytes ?? [];
    const torn = new Uint8Array([0x42, 0x52, 0x4e, 0x01, 9, 9, 9]);
    rig.disk.damage(path, (bytes) => Uint8Array.from([...bytes, ...torn]));
    await rig.restart();
    await rig.window(3);
    await comeBack(rig);
    expect(rig.collector.totals).toEqual({ applied: rig.spans, lost: 0, unaccounted: 0 });
    const { corrupt } = scanRecords(rig.disk.files.get(path)?.bytes ?? new Uint8Array(0));
    expect([corrupt, length > 0]).toEqual([0, true]);
  });

  test("the newest record is damaged: a gap stands for it, and no number is used twice", async () => {
    const rig = await startBacklog(10);
    const path = rig.disk.spoolFiles().at(-1) ?? "";
    rig.disk.damage(path, (bytes) => flip(bytes, bytes.length - 3));
    await rig.restart();
    await comeBack(rig);
    const { applied, unaccounted } = rig.collector.totals;
    expect([applied, unaccounted]).toEqual([rig.spans - each, 0]);
  });

  test("every file is damaged beyond use: a new stream, and the agent runs", async () => {
    const rig = await startBacklog(10);
    const { streamId } = rig.core;
    for (const path of rig.disk.spoolFiles()) rig.disk.damage(path, (bytes) => bytes.fill(7));
    await rig.restart();
    expect(rig.core.streamId).not.toBe(streamId);
    await rig.window(5);
    await comeBack(rig);
    expect(rig.collector.totals).toEqual({ applied: 5, lost: 0, unaccounted: 0 });
  });
});

describe("a spool that was copied", () => {
  test("to an earlier state: what came since is not sent again, and nothing new is lost", async () => {
    const rig = await startRig();
    for (let window = 0; window < 3; window++) await rig.window(3);
    await rig.pass(7);
    const before = rig.disk.copy();
    for (let window = 0; window < 4; window++) await rig.window(3);
    await rig.pass(7);
    rig.kill();
    rig.disk = before;
    await rig.boot();
    for (let window = 0; window < 4; window++) await rig.window(5);
    await rig.pass(30);
    expect(rig.collector.totals).toEqual({ applied: rig.spans, lost: 0, unaccounted: 0 });
  });

  test("to an earlier state, while the collector is away", async () => {
    const rig = await startRig();
    for (let window = 0; window < 3; window++) await rig.window(3);
    await rig.pass(7);
    const before = rig.disk.copy();
    for (let window = 0; window < 4; window++) await rig.window(3);
    await rig.pass(7);
    rig.collector.isAway = true;
    rig.kill();
    rig.disk = before;
    await rig.boot();
    for (let window = 0; window < 4; window++) await rig.window(5);
    await rig.restart();
    for (let window = 0; window < 4; window++) await rig.window(5);
    await rig.pass(5);
    await comeBack(rig);
    expect(rig.collector.totals).toEqual({ applied: rig.spans, lost: 0, unaccounted: 0 });
  });

  test("to another machine, and both go on", async () => {
    const rig = await startRig();
    for (let window = 0; window < 3; window++) await rig.window(3);
    await rig.pass(7);
    const twin = await startRig();
    await twin.core.shutdown();
    twin.disk = rig.disk.copy();
    Object.assign(twin, { clock: rig.clock, collector: rig.collector });
    await twin.boot();
    for (let window = 0; window < 5; window++) {
      twin.ingest(7);
      await rig.window(5);
    }
    await rig.pass(60);
    expect(rig.collector.totals.applied).toBe(rig.spans + twin.spans);
    expect(rig.core.streamId).not.toBe(twin.core.streamId);
    expect([rig.ledger.spool.records, twin.ledger.spool.records]).toEqual([0, 0]);
  });
});
