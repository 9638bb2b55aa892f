/** What an agent does about the answers it gets, and about those it does not get. */
import { describe, expect, test } from "vitest";
import { decodeSpoolPayload } from "../../agent/spool/spool-record.ts";
import { scanRecords } from "../../base/records.ts";
import { decodeBatchHead, decodeSketchBatch } from "../../wire/sketch-batch.ts";
import type { MemoryDisk } from "./memory-disk.ts";
import { type Rig, startRig } from "./rig.ts";

/** Everything came home: nothing is held, nothing lost, nothing counted twice. */
function expectAllApplied(rig: Rig, spans = rig.spans): void {
  expect(rig.ledger.spool.records).toBe(0);
  expect(rig.collector.totals).toEqual({ applied: spans, lost: 0, unaccounted: 0 });
}

function expectConserved({ ledger }: Rig): void {
  const { received, rejected, lostInWorkers, open, sealed, recovered } = ledger.spans;
  const { acknowledged, spooled, lost } = ledger.spans;
  const lostSum = Object.values(lost).reduce((sum, spans) => sum + spans, 0);
  expect(received).toBe(rejected + lostInWorkers + open + sealed);
  expect(recovered + sealed).toBe(acknowledged + spooled + lostSum);
}

/** Numbers of the records that would survive a power cut now. */
function durableSeqs(disk: MemoryDisk): number[] {
  return disk.spoolFiles().flatMap((path) => {
    const { payloads } = scanRecords(disk.files.get(path)?.synced ?? new Uint8Array(0));
    return payloads.flatMap((bytes) => {
      const payload = decodeSpoolPayload(bytes);
      return payload?.type === "record" ? [payload.facts.seq] : [];
    });
  });
}

describe("an agent before a collector that answers", () => {
  test("brings every window there once, and says with a heartbeat that it holds none", async () => {
    const rig = await startRig();
    for (let window = 0; window < 5; window++) await rig.window(window + 1);
    await rig.pass(20);
    expectAllApplied(rig);
    expectConserved(rig);
    const last = rig.collector.heard.at(-1);
    expect(last).toMatchObject({ kind: "heartbeat", seq: 5, oldestSeq: 6, streamSpans: 15 });
    expect(rig.collector.windows().map(({ streamSpans }) => streamSpans)).toEqual([
      1, 3, 6, 10, 15,
    ]);
  });

  test("sends no window that a power cut could take back", async () => {
    const rig = await startRig();
    let looked = 0;
    rig.collector.refuse = (batch) => {
      if (batch.kind !== "window") return undefined;
      looked++;
      expect(durableSeqs(rig.disk)).toContain(batch.seq);
      return undefined;
    };
    for (let window = 0; window < 5; window++) await rig.window(3);
    await rig.pass(10);
    expect(looked).toBe(5);
  });

  test("keeps the sums of its ledger at every second", async () => {
    const rig = await startRig();
    for (let second = 0; second < 120; second++) {
      rig.ingest(1 + (second % 3));
      rig.collector.isAway = second % 50 > 20;
      await rig.pass(1);
      expectConserved(rig);
    }
  });
});

describe("while the collector is away", () => {
  test("probes alone, no reading of the spool, and then the newest and the oldest", async () => {
    const rig = await startRig();
    rig.collector.isAway = true;
    for (let window = 0; window < 30; window++) await rig.window(2);
    const { reads } = rig.disk;
    expect(rig.ledger.spool.records).toBe(29);
    expect(reads).toBeLessThan(5);
    const kinds = rig.collector.turnedAway.map((bytes) => {
      const head = decodeBatchHead(bytes);
      return head.ok ? head.value.kind : "unreadable";
    });
    expect(kinds.filter((kind) => kind !== "heartbeat").length).toBeLessThan(2);
    expect(kinds.length).toBeGreaterThan(100);
    rig.collector.isAway = false;
    await rig.pass(90);
    expectAllApplied(rig);
    const order = rig.collector.windows().map(({ seq }) => seq);
    expect(order.slice(0, 4)).toEqual([29, 1, 28, 2]);
    expect(new Set(order).size).toBe(order.length);
  });

  test("a lost answer is asked for again, and counts nothing twice", async () => {
    const rig = await startRig();
    for (let window = 0; window < 6; window++) {
      rig.collector.answersLost = window % 2 === 0 ? 1 : 3;
      await rig.window(4);
    }
    await rig.pass(120);
    expectAllApplied(rig);
    expect(rig.collector.windows().length).toBeGreaterThan(6);
  });

  test("it comes back no sooner than it was told to", async () => {
    const rig = await startRig();
    rig.collector.refuse = () => "OVERLOADED";
    rig.collector.retryAfterMs = 20_000;
    await rig.window(1);
    await rig.pass(6);
    const atMs = rig.clock.nowMs();
    const heard = rig.collector.heard.length;
    while (rig.collector.heard.length === heard) await rig.pass(1);
    expect(rig.clock.nowMs() - atMs).toBeGreaterThanOrEqual(14_000);
    expect(rig.clock.nowMs() - atMs).toBeLessThanOrEqual(32_000);
    rig.collector.refuse = () => undefined;
    await rig.pass(60);
    expectAllApplied(rig);
  });

  test.each([
    "UNAUTHENTICATED",
    "HASH_KEY_MISMATCH",
    "BATCH_VERSION",
    "NOT_READY",
    "STORE_WRITE",
    "SOMETHING_OF_A_LATER_VERSION",
  ])("%s costs nothing", async (code) => {
    const rig = await startRig();
    rig.collector.refuse = () => code;
    for (let window = 0; window < 12; window++) await rig.window(3);
    expect(rig.collector.totals.applied).toBe(0);
    expect(rig.logged.some((line) => line.includes("does not take records"))).toBe(true);
    rig.collector.refuse = () => undefined;
    await rig.pass(120);
    expectAllApplied(rig);
  });

  test("a window that alone is not taken does not keep back the others", async () => {
    const rig = await startRig();
    rig.collector.refuse = (batch) => {
      return batch.kind === "window" && batch.seq === 2 ? "SOMETHING_NEW" : undefined;
    };
    for (let window = 0; window < 12; window++) await rig.window(3);
    await rig.pass(60);
    expect(rig.collector.totals.applied).toBe(11 * 3);
    expect(rig.ledger.spool.records).toBe(1);
  });
});

describe("what the collector refuses for good", () => {
  test.each(["BATCH_INVALID", "BATCH_TOO_LARGE", "SKETCH_INVALID"])(
    "%s: declared lost, kept for a look, and the rest goes on",
    async (code) => {
      const rig = await startRig();
      rig.collector.refuse = (batch) => {
        return batch.kind === "window" && batch.seq === 2 ? code : undefined;
      };
      for (let window = 0; window < 4; window++) await rig.window(5);
      await rig.pass(30);
      expect(rig.collector.totals).toEqual({ applied: 15, lost: 5, unaccounted: 0 });
      expect(rig.collector.heard).toContainEqual(
        expect.objectContaining({
          kind: "tombstone",
          cause: "refused",
          lost: [expect.objectContaining({ seq: 2, spans: 5 })],
        }),
      );
      expect(rig.ledger.spans.lost.refused).toBe(5);
      expectConserved(rig);
      const kept = rig.disk.files.get("/spool/quarantine/1.batch")?.bytes;
      expect(decodeSketchBatch(kept ?? new Uint8Array(0))).toMatchObject({ value: { seq: 2 } });
    },
  );

  test("a collector that refuses everything makes no storm of declarations", async () => {
    const rig = await startRig();
    rig.collector.refuse = (batch) => (batch.kind === "heartbeat" ? undefined : "BATCH_INVALID");
    for (let window = 0; window < 6; window++) await rig.window(5);
    await rig.pass(60);
    expect(rig.collector.heard.length).toBeLessThan(120);
    rig.collector.refuse = () => undefined;
    await rig.pass(60);
    expect(rig.collector.totals).toEqual({ applied: 0, lost: 30, unaccounted: 0 });
  });

  test("of what is kept for a look, the newest mebibyte", async () => {
    const rig = await startRig({ keysMax: 10_000, operationsMax: 10_000 });
    rig.collector.refuse = (batch) => (batch.kind === "window" ? "BATCH_INVALID" : undefined);
    for (let window = 0; window < 6; window++) {
      for (let service = 0; service < 400; service++) rig.ingest(7, `service ${service}`);
      await rig.pass(10);
    }
    await rig.pass(10);
    const kept = [...rig.disk.files].filter(([path]) => path.includes("quarantine"));
    const size = kept.reduce((sum, [, { bytes }]) => sum + bytes.length, 0);
    expect(size).toBeLessThanOrEqual(2 ** 20);
    expect(kept.map(([path]) => path)).toContain("/spool/quarantine/6.batch");
  });
});

describe("a stream that is not ours alone", () => {
  test("a number that is taken: the record and what was never sent take a new stream", async () => {
    const rig = await startRig();
    await rig.window(1);
    const { streamId } = rig.core;
    rig.collector.refuse = (batch) => {
      const isTaken = batch.streamId === streamId && batch.kind === "window" && batch.seq === 3;
      return isTaken ? "STREAM_FORKED" : undefined;
    };
    for (let window = 0; window < 5; window++) await rig.window(4);
    await rig.pass(60);
    expect(rig.core.streamId).not.toBe(streamId);
    expect(rig.collector.totals.applied).toBe(rig.spans);
    expect(rig.ledger.spool.records).toBe(0);
    expectConserved(rig);
  });

  test("more holes than the collector keeps: the oldest record goes first", async () => {
    const rig = await startRig();
    rig.collector.isAway = true;
    for (let window = 0; window < 10; window++) await rig.window(2);
    rig.collector.isAway = false;
    let next = 1;
    rig.collector.refuse = (batch) => {
      if (batch.kind !== "window") return undefined;
      if (batch.seq > next) return "STREAM_GAPS";
      next = Math.max(next, batch.seq + 1);
      return undefined;
    };
    await rig.pass(400);
    expectAllApplied(rig);
  });

  test("a collector that has lost its data is brought what is left, under a new stream", async () => {
    const rig = await startRig();
    for (let window = 0; window < 3; window++) await rig.window(4);
    await rig.pass(10);
    const { streamId } = rig.core;
    rig.collector.streams.clear();
    for (let window = 0; window < 3; window++) await rig.window(5);
    await rig.pass(30);
    expect(rig.core.streamId).not.toBe(streamId);
    expect(rig.collector.streams.get(rig.core.streamId)).toMatchObject({ applied: 15 });
    expect(rig.ledger.spool.records).toBe(0);
  });
});

describe("without a spool directory", () => {
  test("records wait in memory, and what falls off is declared when the collector is back", async () => {
    const rig = await startRig({ spoolDir: "", memoryBytesMax: 4_096 });
    rig.collector.isAway = true;
    for (let window = 0; window < 30; window++) await rig.window(3);
    expect(rig.ledger.spans.lost.evicted).toBeGreaterThan(0);
    expectConserved(rig);
    rig.collector.isAway = false;
    await rig.pass(60);
    const { applied, lost, unaccounted } = rig.collector.totals;
    expect([applied + lost, unaccounted]).toEqual([rig.spans, 0]);
    expect(lost).toBe(rig.ledger.spans.lost.evicted);
    expect(applied).toBeGreaterThan(0);
  });

  test("what is left at the end is counted as lost with the process", async () => {
    const rig = await startRig({ spoolDir: "" });
    rig.collector.isAway = true;
    await rig.window(3);
    rig.ingest(2);
    await rig.core.shutdown();
    expect(rig.ledger.spans.lost.shutdown).toBe(5);
    expectConserved(rig);
  });
});
