/** Disks that refuse, full spools, collectors that stay away for long, clocks that are wrong. */
import { describe, expect, test } from "vitest";
import { decodeSpoolPayload } from "../../agent/spool/spool-record.ts";
import { createByteWriter } from "../../base/bytes.ts";
import { scanRecords } from "../../base/records.ts";
import { createCube, mergeCube } from "../../sketch/cube.ts";
import { encodeCube } from "../../sketch/cube-codec.ts";
import { decodeSketchBatch, type WindowBatch } from "../../wire/sketch-batch.ts";
import { fixtureStartMs, requestOf } from "../agent/fixture.ts";
import { type Rig, rest, startRig } from "./rig.ts";

const full = Object.assign(new Error("ENOSPC"), { code: "ENOSPC" });
const broken = Object.assign(new Error("EIO"), { code: "EIO" });

function lostOf(rig: Rig): number {
  return Object.values(rig.ledger.spans.lost).reduce((sum, spans) => sum + spans, 0);
}

/** Applied or declared lost, to the span, and the agent's ledger says the same. */
function expectAccounted(rig: Rig): void {
  const { applied, lost, unaccounted } = rig.collector.totals;
  expect([applied + lost, unaccounted]).toEqual([rig.spans, 0]);
  expect(lost).toBe(lostOf(rig));
  expect(rig.ledger.spool.records).toBe(0);
}

describe("a disk that refuses", () => {
  test.each([
    ["is full", (rig: Rig) => Object.assign(rig.disk, { writeError: full })],
    ["fails to write", (rig: Rig) => Object.assign(rig.disk, { writeError: broken })],
    ["fails to sync", (rig: Rig) => Object.assign(rig.disk, { syncError: broken })],
    ["takes nothing of a write", (rig: Rig) => Object.assign(rig.disk, { writeBytesMax: 0 })],
  ])(
    "that %s: records go from memory, and to disk again five seconds after it works",
    async (_, spoil) => {
      const rig = await startRig();
      await rig.window(3);
      spoil(rig);
      rig.collector.isAway = true;
      for (let window = 0; window < 5; window++) await rig.window(3);
      expect(rig.ledger.spool.state).toBe("failing");
      expect(rig.core.degraded()).toMatch(/disk refuses/);
      expect(lostOf(rig)).toBe(0);
      rig.collector.isAway = false;
      await rig.pass(40);
      expect(rig.ledger.spool.records).toBe(0);
      rig.collector.isAway = true;
      for (let window = 0; window < 5; window++) await rig.window(3);
      Object.assign(rig.disk, {
        writeError: undefined,
        syncError: undefined,
        writeBytesMax: Number.POSITIVE_INFINITY,
      });
      await rig.pass(6);
      expect(rig.ledger.spool.state).toBe("disk");
      expect(rig.core.degraded()).toBeUndefined();
      await rig.restart("cutPower");
      rig.collector.isAway = false;
      await rig.pass(60);
      expect(rig.collector.totals).toEqual({ applied: rig.spans, lost: 0, unaccounted: 0 });
    },
  );

  test("a file whose sync has failed is not written to again", async () => {
    const rig = await startRig();
    await rig.window(3);
    await rig.pass(5);
    const [first = ""] = rig.disk.spoolFiles();
    rig.disk.syncError = broken;
    await rig.window(3);
    rig.disk.syncError = undefined;
    const { bytes } = rig.disk.files.get(first) ?? {};
    for (let window = 0; window < 3; window++) await rig.window(3);
    expect(rig.disk.files.get(first)?.bytes ?? bytes).toBe(bytes);
    await rig.pass(10);
    expectAccounted(rig);
  });

  test("a disk that takes seven bytes at a time holds what it is given", async () => {
    const rig = await startRig();
    rig.disk.writeBytesMax = 7;
    rig.collector.isAway = true;
    for (let window = 0; window < 5; window++) await rig.window(3);
    await rig.pass(5);
    await rig.restart("cutPower");
    rig.collector.isAway = false;
    await rig.pass(60);
    expect(rig.collector.totals).toEqual({ applied: rig.spans, lost: 0, unaccounted: 0 });
  });

  test("what falls off the memory is declared, for want of a disk", async () => {
    const rig = await startRig({ memoryBytesMax: 4_096 });
    await rig.window(3);
    await rig.pass(5);
    rig.disk.writeError = full;
    rig.collector.isAway = true;
    for (let window = 0; window < 40; window++) await rig.window(3);
    expect(rig.ledger.spans.lost.disk).toBeGreaterThan(30);
    expect(rig.ledger.spool.bytes).toBeLessThan(4_096 + 1_024);
    rig.disk.writeError = undefined;
    await rig.pass(11);
    rig.collector.isAway = false;
    await rig.pass(60);
    expectAccounted(rig);
  });

  test("a start with a disk that cannot be read: the agent runs, and finds its spool later", async () => {
    const rig = await startRig();
    rig.collector.isAway = true;
    for (let window = 0; window < 5; window++) await rig.window(3);
    await rig.pass(5);
    const list = rig.disk.list;
    rig.disk.list = () => Promise.reject(broken);
    await rig.restart();
    await rig.window(3);
    rig.disk.list = list;
    await rig.pass(15);
    expect(rig.ledger.spool.state).toBe("disk");
    rig.collector.isAway = false;
    await rig.pass(60);
    expect(rig.collector.totals).toEqual({ applied: rig.spans, lost: 0, unaccounted: 0 });
    expect(rig.collector.heard.some((batch) => batch.kind === "gap")).toBe(true);
  });

  test("a record that cannot be read any more is declared", async () => {
    const rig = await startRig();
    rig.collector.isAway = true;
    for (let window = 0; window < 5; window++) await rig.window(3);
    await rig.pass(5);
    const [path = ""] = rig.disk.spoolFiles();
    rig.disk.damage(path, (bytes) => bytes.fill(0, 300, 900));
    rig.collector.isAway = false;
    await rig.pass(60);
    expect(rig.ledger.spans.lost.corrupt).toBeGreaterThan(0);
    expectAccounted(rig);
  });
});

describe("a spool that is full", () => {
  /** Windows of three kibibytes or so. */
  async function fill(rig: Rig, windows: number): Promise<void> {
    for (let window = 0; window < windows; window++) {
      for (let service = 0; service < 40; service++) rig.ingest(7, `service ${service}`);
      await rig.pass(10);
    }
  }

  test("the oldest file goes once it is declared lost, and that is durable", async () => {
    const rig = await startRig({ spoolBytesMax: 65_536 });
    rig.collector.isAway = true;
    await fill(rig, 50);
    await rig.pass(10);
    expect(rig.ledger.spans.lost.evicted).toBeGreaterThan(0);
    const size = rig.disk
      .spoolFiles()
      .reduce((sum, path) => sum + (rig.disk.files.get(path)?.bytes.length ?? 0), 0);
    expect(size).toBeLessThan(65_536 + 2 * 8_192);
    const [kept = ""] = rig.disk.spoolFiles();
    expect(Number.parseInt(kept.slice(7), 10)).toBeGreaterThan(1);
    rig.collector.isAway = false;
    await rig.pass(120);
    expectAccounted(rig);
  });

  test("no file goes before the declaration of what is in it was synced", async () => {
    const rig = await startRig({ spoolBytesMax: 65_536 });
    rig.collector.isAway = true;
    const remove = rig.disk.remove.bind(rig.disk);
    let removed = 0;
    rig.disk.remove = async (path) => {
      removed++;
      const gone = seqsIn(rig, path);
      const declared = rig.disk.spoolFiles().flatMap((other) => lostIn(rig, other));
      for (const seq of gone) expect(declared).toContain(seq);
      await remove(path);
    };
    await fill(rig, 50);
    expect(removed).toBeGreaterThan(2);
  });

  /** What would be there after a power cut. */
  function payloadsOf(rig: Rig, path: string) {
    const bytes = rig.disk.files.get(path)?.synced ?? new Uint8Array(0);
    return scanRecords(bytes).payloads.flatMap((payload) => {
      const decoded = decodeSpoolPayload(payload);
      return decoded?.type === "record" ? [decoded] : [];
    });
  }

  function seqsIn(rig: Rig, path: string): number[] {
    return payloadsOf(rig, path).map(({ facts }) => facts.seq);
  }

  function lostIn(rig: Rig, path: string): number[] {
    return payloadsOf(rig, path).flatMap(({ batch }) => {
      const decoded = decodeSketchBatch(batch);
      const isLoss = decoded.ok && decoded.value.kind === "tombstone";
      return isLoss ? decoded.value.lost.map(({ seq }) => seq) : [];
    });
  }

  test("a kill between declaration and removal loses and doubles nothing", async () => {
    const rig = await startRig({ spoolBytesMax: 65_536 });
    rig.collector.isAway = true;
    rig.disk.remove = async () => {
      throw broken;
    };
    await fill(rig, 50);
    await rig.pass(5);
    expect(lostOf(rig)).toBeGreaterThan(0);
    await rig.restart();
    rig.collector.isAway = false;
    await rig.pass(200);
    const { applied, unaccounted } = rig.collector.totals;
    expect([applied + rig.collector.totals.lost, unaccounted]).toEqual([rig.spans, 0]);
  });

  test("what is older than a day is declared as expired", async () => {
    const rig = await startRig({ spoolHoursMax: 1 });
    rig.collector.isAway = true;
    for (let window = 0; window < 5; window++) await rig.window(3);
    await rig.pass(2 * 3_600 + 700);
    await rig.window(4);
    await rig.pass(3_700);
    await rig.window(4);
    await rig.pass(70);
    expect(rig.ledger.spans.lost.expired).toBe(15 + 4);
    rig.collector.isAway = false;
    await rig.pass(120);
    expectAccounted(rig);
  });

  test("no more is given up than until there is room again", async () => {
    const rig = await startRig({ spoolBytesMax: 65_536 });
    rig.collector.isAway = true;
    await fill(rig, 20);
    const before = lostOf(rig);
    rig.disk.freeBytes = 2 ** 20;
    while (lostOf(rig) === before) await rig.pass(1);
    rig.disk.freeBytes = 2 ** 40;
    const lost = lostOf(rig);
    await rig.pass(5);
    expect(lostOf(rig)).toBe(lost);
  });

  test("a filesystem with little room is given back what can be", async () => {
    const rig = await startRig({ spoolBytesMax: 65_536 });
    rig.collector.isAway = true;
    await fill(rig, 20);
    const { segments } = rig.ledger.spool;
    rig.disk.freeBytes = 2 ** 20;
    await rig.pass(60);
    expect(rig.ledger.spool.segments).toBeLessThan(segments);
    expect(rig.ledger.spool.segments).toBeGreaterThan(0);
    rig.collector.isAway = false;
    await rig.pass(60);
    expectAccounted(rig);
  });
});

describe("a collector that stays away", () => {
  test("after ten minutes windows become minutes, and windows again when it is back", async () => {
    const rig = await startRig();
    rig.collector.isAway = true;
    for (let window = 0; window < 60 + 30; window++) await rig.window(3);
    const away = rig.ledger.spool.records;
    expect(away).toBeLessThan(60 + 8);
    rig.collector.isAway = false;
    await rig.pass(70);
    for (let window = 0; window < 3; window++) await rig.window(3);
    await rig.pass(10);
    expectAccounted(rig);
    const lengths = rig.collector.windows().map((batch) => [batch.windowLengthMs, batch.seq]);
    expect(lengths.filter(([length]) => length === 60_000).length).toBeGreaterThanOrEqual(4);
    expect(rig.collector.windows().at(-1)?.windowLengthMs).toBe(10_000);
    for (const { windowLengthMs, cube, halfEdges } of rig.collector.windows()) {
      expect(cube.windowStartMs % windowLengthMs).toBe(0);
      if (windowLengthMs === 60_000) expect(halfEdges).toEqual([]);
    }
    expect(rig.meter.counter("brunt_agent_windows_coarsened_total", "").value).toBe(
      90 - rig.collector.windows().filter(isFine).length + 3,
    );
  });

  function isFine({ windowLengthMs }: WindowBatch): boolean {
    return windowLengthMs === 10_000;
  }

  test("a minute says no more than it holds: what a kill takes is in a gap", async () => {
    const rig = await startRig();
    rig.collector.isAway = true;
    for (let window = 0; window < 64; window++) await rig.window(3);
    const held = rig.ledger.spans.open;
    expect(held).toBeGreaterThan(3);
    await rig.restart();
    rig.collector.isAway = false;
    await rig.pass(60);
    expect(rig.collector.totals).toEqual({ applied: rig.spans - held, lost: 0, unaccounted: 0 });
    const [gap] = rig.collector.heard.filter((batch) => batch.kind === "gap");
    const gapMs = gap?.kind === "gap" ? gap.gapToMs - gap.gapFromMs : 0;
    expect(gapMs).toBeGreaterThanOrEqual((held / 3) * 10_000);
  });
});

describe("windows that are too large for a record", () => {
  test("go as several, which together are the window", async () => {
    const limits = { servicesMax: 10_000, keysMax: 20_000 };
    const check = async (recordBytesMax: number) => {
      const rig = await startRig({ recordBytesMax, ...limits });
      for (let service = 0; service < 1_200; service++) {
        rig.ingest(7, `service ${service}`);
      }
      rig.core.ingest(call);
      await rig.pass(30);
      return rig;
    };
    const call = requestOf([
      { service: "a", id: 9_001, trace: 5, kind: "client", name: "GET", from: 0, to: 9 },
      { service: "b", id: 9_002, trace: 5, parent: 9_001, kind: "server", name: "GET", to: 8 },
      { service: "c", id: 9_003, trace: 6, kind: "client", name: "GET", to: 8 },
    ]);
    const whole = await check(4 * 2 ** 20);
    const parts = await check(16_384);
    expect(whole.collector.windows()).toHaveLength(1);
    expect(parts.collector.windows().length).toBeGreaterThan(2);
    expect(bytesOf(parts.collector.windows())).toEqual(bytesOf(whole.collector.windows()));
    expect(halfEdgesOf(parts)).toEqual(halfEdgesOf(whole));
    expect(parts.collector.totals).toEqual(whole.collector.totals);
    const sizes = parts.collector.sizes.filter((size) => size > 1_000);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(16_384);
    // Only the last part says that all of the time before has been told.
    const marks = parts.collector.windows().map(({ watermarkMs, seq }) => [seq, watermarkMs]);
    marks.sort(([a = 0], [b = 0]) => a - b);
    expect(new Set(marks.slice(0, -1).map(([, mark]) => mark))).toEqual(new Set([fixtureStartMs]));
    expect(marks.at(-1)?.[1]).toBe(fixtureStartMs + 10_000);
  });

  function bytesOf(batches: readonly WindowBatch[]): Uint8Array {
    const [first] = batches;
    if (first === undefined) throw new Error("no window");
    const { windowStartMs, keys } = first.cube;
    const cube = createCube(windowStartMs, keys.dimensions, { keysMax: 1e6, edgesMax: 1e6 });
    for (const batch of batches) mergeCube(cube, batch.cube);
    const writer = createByteWriter();
    encodeCube(writer, cube);
    return writer.finish();
  }

  function halfEdgesOf(rig: Rig): string[] {
    return rig.collector
      .windows()
      .flatMap(({ halfEdges, cube }) =>
        halfEdges.map(({ key, ...half }) => JSON.stringify([cube.keys.keys[key], half])),
      )
      .sort();
  }
});

describe("a clock that is wrong", () => {
  test.each([
    [500, 0],
    [-900, 0],
    [90_000, -90_000],
    [-200_000, 200_000],
    [3_600_000, 0],
  ])("by %d ms: %d ms are added", async (aheadMs, correctionMs) => {
    const rig = await startRig();
    rig.kill();
    rig.clockAheadMs = aheadMs;
    await rig.boot();
    expect(rig.ledger.clock).toEqual({ offsetMs: -aheadMs, correctionMs });
    rig.ingest(5);
    const atMs = rig.clock.nowMs() + aheadMs + correctionMs;
    await rig.pass(20);
    const [window] = rig.collector.windows();
    expect(window?.cube.windowStartMs).toBe(Math.floor(atMs / 10_000) * 10_000);
    expect(rig.collector.totals.applied).toBe(5);
  });

  test("that is set while it runs: no span is lost, and the next windows are right again", async () => {
    const rig = await startRig();
    await rig.window(3);
    for (const aheadMs of [120_000, -60_000, 0]) {
      rig.clockAheadMs = aheadMs;
      await rig.window(3);
      await rig.pass(20);
      rig.ingest(4);
      const trueMs = Math.floor(rig.clock.nowMs() / 10_000) * 10_000;
      await rig.pass(30);
      const starts = rig.collector.windows().map(({ cube }) => cube.windowStartMs);
      expect(starts).toContain(trueMs);
    }
    await rig.pass(200);
    expectAccounted(rig);
  });
});

describe("an exporter's retry", () => {
  const request = requestOf([{ id: 1 }, { id: 2, status: "error" }]);

  test("is answered as the first time and counted once, for a minute", async () => {
    const rig = await startRig();
    for (let second = 0; second < 3; second++) {
      expect(rig.core.ingest(request)).toMatchObject({ value: { accepted: 2, rejected: 0 } });
      await rig.pass(1);
    }
    await rig.pass(60);
    expect(rig.collector.totals.applied).toBe(2);
    const counted = (name: string): number => rig.meter.counter(`brunt_agent_${name}`, "").value;
    expect(counted("requests_retried_total")).toBe(2);
    expect(counted("spans_retried_total")).toBe(4);
    rig.core.ingest(request);
    await rig.pass(20);
    expect(rig.collector.totals.applied).toBe(4);
  });

  test.each([
    ["another span", [{ id: 1 }, { id: 3, status: "error" }]],
    ["another order", [{ id: 2, status: "error" }, { id: 1 }]],
    [
      "another end",
      [
        { id: 1, to: 11 },
        { id: 2, status: "error" },
      ],
    ],
    ["one more", [{ id: 1 }, { id: 2, status: "error" }, { id: 3 }]],
    [
      "a longer name",
      [
        { id: 1, name: "works" },
        { id: 2, status: "error" },
      ],
    ],
  ] as const)("is not taken for one with %s", async (_, spans) => {
    const rig = await startRig();
    rig.core.ingest(request);
    rig.core.ingest(requestOf(spans));
    await rig.pass(30);
    expect(rig.collector.totals.applied).toBe(2 + spans.length);
  });

  test("is counted when nothing is to be remembered", async () => {
    const rig = await startRig({ retrySeconds: 0 });
    rig.core.ingest(request);
    rig.core.ingest(request);
    await rig.pass(30);
    expect(rig.collector.totals.applied).toBe(4);
  });

  test("is forgotten when eight thousand others came since, which is counted", async () => {
    const rig = await startRig();
    rig.core.ingest(request);
    for (let id = 10; id < 10 + 8_192; id++) rig.core.ingest(requestOf([{ id }]));
    rig.core.ingest(request);
    expect(rig.ledger.spans.received).toBe(2 + 8_192 + 2);
    const name = "brunt_agent_retry_memory_overflow_total";
    expect(rig.meter.counter(name, "").value).toBeGreaterThan(0);
    await rest();
  });
});
