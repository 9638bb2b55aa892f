import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { defaultAgentConfig } from "../../agent/config.ts";
import type { Segment } from "../../agent/windows/segment.ts";
import { noThresholds } from "../../agent/windows/threshold-table.ts";
import { Windows } from "../../agent/windows/windows.ts";
import { adjustedUnit } from "../../sketch/cell.ts";
import { bucketIndex } from "../../sketch/histogram.ts";
import { cellsOf, fixtureStartMs, requestOf, type SpanLiteral, startTestAgent } from "./fixture.ts";

const hourMs = 3_600_000;

describe("windows", () => {
  test("a span belongs to the window it ends in; a window is sealed 5 s after its end", async () => {
    const agent = await startTestAgent();
    agent.ingest({ id: 1, from: 0, to: 9_999.999 }, { id: 2, from: 9_000, to: 10_000 });
    await agent.moveTo(14_999);
    expect(agent.windows()).toEqual([]);
    await agent.moveTo(15_000);
    expect(agent.windows().map((batch) => batch.cube.windowStartMs)).toEqual([fixtureStartMs]);
    expect(agent.windows()[0]?.watermarkMs).toBe(fixtureStartMs + 10_000);
    await agent.moveTo(25_000);
    expect(agent.windows().map((batch) => batch.counts.spans)).toEqual([1, 1]);
  });

  test("what comes late goes out as a delta of its window, once a second", async () => {
    const agent = await startTestAgent();
    agent.ingest({ id: 1, to: 5_000 });
    await agent.moveTo(15_500);
    agent.ingest({ id: 2, to: 5_000 });
    agent.ingest({ id: 3, to: 5_000 });
    await agent.moveTo(16_000);
    agent.ingest({ id: 4, to: 5_000 });
    await agent.moveTo(17_000);
    const counts = agent
      .windows()
      .map(({ cube, counts }) => [cube.windowStartMs - fixtureStartMs, counts.spans, counts.late]);
    expect(counts).toEqual([
      [0, 1, 0],
      [0, 2, 2],
      [0, 1, 1],
    ]);
  });

  test("heartbeats carry the watermark while nothing happens, at most 5 s apart", async () => {
    const agent = await startTestAgent();
    for (let second = 1; second <= 30; second++) await agent.moveTo(second * 1_000);
    const beats = agent.link.batches;
    expect(beats.every((batch) => batch.kind === "heartbeat")).toBe(true);
    expect(beats.map((batch) => batch.watermarkMs - fixtureStartMs)).toEqual([
      -10_000, 0, 0, 10_000, 10_000, 20_000, 20_000,
    ]);
  });

  test("sequence numbers have no gaps", async () => {
    const agent = await startTestAgent();
    for (let second = 1; second <= 40; second++) {
      if (second % 3 === 0) agent.ingest({ id: second, to: second * 1_000 });
      await agent.moveTo(second * 1_000);
    }
    await agent.agent.shutdown();
    const numbers = agent.windows().map((batch) => batch.seq);
    expect(numbers).toEqual(numbers.map((_, index) => index + 1));
    expect(new Set(agent.link.batches.map((batch) => batch.streamId)).size).toBe(1);
  });

  test("spans of another age are rejected and counted, the others taken", async () => {
    const agent = await startTestAgent();
    const result = agent.agent.ingest(
      requestOf([
        { id: 1, from: -49 * hourMs, to: -48 * hourMs - 1 },
        { id: 2, from: -47 * hourMs, to: -47 * hourMs },
        { id: 3, to: 30_000 },
        { id: 4, to: 30_001 },
        { id: 5, to: 10 },
      ]),
    );
    expect(result).toMatchObject({ ok: true, value: { accepted: 3, rejected: 2 } });
    expect(result.ok && result.value.message).toBe(
      "1 spans ended more than 48 hours ago; 1 spans end more than 30 seconds ahead of this clock",
    );
    await agent.moveTo(50_000);
    const rejected = agent.windows().reduce((sum, batch) => sum + batch.counts.rejected, 0);
    const spans = agent.windows().reduce((sum, batch) => sum + batch.counts.spans, 0);
    expect([rejected, spans]).toEqual([2, 3]);
  });

  test("spans of thousands of old windows open few of them and push nothing out", async () => {
    const agent = await startTestAgent();
    const spans = Array.from({ length: 3_000 }, (_, index) => ({
      id: index + 1,
      from: -index * 20_000,
      to: -index * 20_000,
    }));
    const result = agent.agent.ingest(requestOf(spans));
    expect(result).toMatchObject({ ok: true, value: { accepted: 65, rejected: 2_935 } });
    agent.ingest({ id: 9_000, to: 10 });
    await agent.moveTo(20_000);
    expect(agent.windows().reduce((sum, batch) => sum + batch.counts.spans, 0)).toBe(66);
    agent.ingest({ id: 9_001, to: -40_000 });
    await agent.moveTo(21_000);
    expect(agent.windows().at(-1)?.counts).toMatchObject({ spans: 1, late: 1 });
  });

  test("a clock that is set back far does not wait for windows it had opened ahead", () => {
    const sealed: number[] = [];
    const limits = defaultAgentConfig();
    const seal = (segment: Segment): void => void sealed.push(segment.windowStartMs);
    const windows = new Windows(
      { dimensions: ["service"], limits, seal },
      fixtureStartMs,
      noThresholds,
    );
    const startsMs = [0, 30_000, 40_000, hourMs].map((aheadMs) => fixtureStartMs + aheadMs);
    for (const startMs of startsMs) windows.segmentAt(startMs);
    windows.setBack(fixtureStartMs);
    expect(sealed).toEqual(startsMs.slice(2));
    expect(windows.openCount).toBe(2);
  });

  test("shutdown seals what is open", async () => {
    const agent = await startTestAgent();
    agent.ingest({ id: 1, to: 12_000 }, { id: 2, to: 3_000 });
    await agent.agent.shutdown();
    expect(agent.windows().map((batch) => batch.counts.spans)).toEqual([1, 1]);
  });
});

describe("what a cell counts", () => {
  test("customers by the ladder, all, failed and slow; sampled spans by their weight", async () => {
    const agent = await startTestAgent({ dimensions: ["tier"] });
    agent.ingest(
      { id: 1, attributes: { "customer.id": "a", "user.id": "x", tier: "gold" } },
      { id: 2, attributes: { "user.id": "b" }, status: "error", resource: { tier: "gold" } },
      { id: 3, attributes: { "enduser.id": 7, tier: "gold" }, traceState: "ot=th:8" },
      { id: 4, attributes: { userId: "7", tier: "gold" } },
      { id: 5, attributes: { tier: "gold" } },
      { id: 6, attributes: { tier: "gold", user: "" }, resource: { "tenant.id": "a" } },
    );
    await agent.moveTo(15_000);
    const batch = agent.windows()[0];
    const keys = batch?.cube?.keys.keys;
    expect(keys).toEqual([["shop", "work", "internal", "", "", "", "", "gold"]]);
    const cell = batch && cellsOf(batch).get("shop work");
    expect(cell).toMatchObject({ count: 6, errors: 1, adjusted: 7 * adjustedUnit });
    expect([cell?.customers.entryCount, cell?.customersFailed.entryCount]).toEqual([3, 1]);
    expect(batch?.hashKeyId).toMatch(/^[0-9a-f]{16}$/);
  });

  test("slow is above the threshold pushed for service, operation, kind and peer", async () => {
    const agent = await startTestAgent();
    const item = { service: "shop", operation: "work", kind: "internal", peer: "" };
    const slowBucket = bucketIndex(50_000_000);
    agent.link.current = { revision: 3, items: [{ ...item, slowBucket }] };
    await agent.moveTo(10_000);
    const slow: SpanLiteral = { id: 1, from: 10_000, to: 10_100, attributes: { user: "u" } };
    agent.ingest(
      slow,
      { id: 2, from: 10_000, to: 10_040 },
      { ...slow, id: 3, service: "other" },
      { ...slow, id: 4, parent: 1, from: 10_001, to: 10_099 },
    );
    await agent.moveTo(25_000);
    const batch = agent.windows()[0];
    const cell = batch && cellsOf(batch).get("shop work");
    expect(batch?.thresholdsRevision).toBe(3);
    expect([cell?.count, cell?.slow, cell?.originSlow]).toEqual([3, 2, 1]);
    expect(cell?.customersSlow.entryCount).toBe(1);
    expect(batch && cellsOf(batch).get("other work")?.slow).toBe(0);
  });
});

describe("order", () => {
  const literal: fc.Arbitrary<SpanLiteral> = fc.record({
    id: fc.integer({ min: 1, max: 60 }),
    parent: fc.integer({ min: 1, max: 60 }),
    trace: fc.constantFrom(1, 2),
    service: fc.constantFrom("a", "b"),
    name: fc.constantFrom("x", "y"),
    kind: fc.constantFrom("internal", "server", "client", "producer", "consumer"),
    from: fc.integer({ min: 0, max: 9_000 }),
    to: fc.integer({ min: 9_000, max: 19_000 }),
    status: fc.constantFrom("unset", "error"),
    links: fc.array(fc.record({ id: fc.integer({ min: 1, max: 60 }) }), { maxLength: 2 }),
    attributes: fc.record({ user: fc.constantFrom("u", "v", "w") }),
  });

  async function sealed(requests: readonly (readonly SpanLiteral[])[]): Promise<string[]> {
    const agent = await startTestAgent();
    for (const request of requests) agent.ingest(...request);
    await agent.moveTo(30_000);
    return agent.link.bytes.map((bytes) => Buffer.from(bytes).toString("hex"));
  }

  test("spans in any order and any split of requests give the same bytes", async () => {
    const cases = fc
      .uniqueArray(literal, { selector: (span) => `${span.trace}:${span.id}`, maxLength: 40 })
      .chain((spans) =>
        fc.tuple(
          fc.constant(spans),
          fc.shuffledSubarray(spans, { minLength: spans.length, maxLength: spans.length }),
          fc.integer({ min: 1, max: 7 }),
        ),
      );
    await fc.assert(
      fc.asyncProperty(cases, async ([spans, shuffled, size]) => {
        const split: SpanLiteral[][] = [];
        for (let at = 0; at < shuffled.length; at += size)
          split.push(shuffled.slice(at, at + size));
        expect(await sealed(split)).toEqual(await sealed([spans]));
      }),
      { seed: 13, numRuns: 60 },
    );
  });
});
