import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { SpanMemory } from "../../agent/pairing/span-memory.ts";
import { segmentColumn, startColumn } from "../../agent/pairing/span-rows.ts";
import { unionLength } from "../../agent/pairing/union-length.ts";
import { cellsOf, edgesOf, type SpanLiteral, startTestAgent } from "./fixture.ts";

const ms = 1_000_000;

/** Ingests everything in the first window and gives what its seal says. */
async function check(spans: readonly SpanLiteral[]) {
  const test = await startTestAgent();
  test.ingest(...spans);
  await test.moveTo(15_000);
  const batch = test.windows()[0];
  if (batch === undefined) throw new Error("no window was sealed");
  const cells = cellsOf(batch);
  return {
    batch,
    selfMs: (name: string) => (cells.get(name)?.selfNs.sumNs ?? Number.NaN) / ms,
    cell: (name: string) => cells.get(name),
    edges: edgesOf(batch),
  };
}

const remote = 0x300;

describe("self time", () => {
  const parent: SpanLiteral = { id: 1, name: "parent", from: 0, to: 100 };
  const child = (id: number, from: number, to: number): SpanLiteral => ({
    id,
    parent: 1,
    name: "child",
    from,
    to,
  });
  test.each<[string, SpanLiteral[], number]>([
    ["no child", [], 100],
    ["one child", [child(2, 10, 40)], 70],
    ["children apart", [child(2, 10, 20), child(3, 50, 60)], 80],
    ["overlapping children", [child(2, 10, 40), child(3, 30, 60)], 50],
    ["a child within another", [child(2, 10, 60), child(3, 20, 30)], 50],
    ["equal children", [child(2, 10, 20), child(3, 10, 20)], 90],
    ["a child that outlives its parent", [child(2, 90, 300)], 90],
    ["a child that began before", [child(2, -50, 10)], 90],
    ["a child outside", [child(2, 200, 300)], 100],
    ["a child of another trace", [{ ...child(2, 0, 50), trace: 2 }], 100],
    ["a child of another process", [{ ...child(2, 0, 50), service: "other" }], 100],
    ["a child flagged as remote", [{ ...child(2, 0, 50), flags: remote }], 100],
    ["a child flagged as local", [{ ...child(2, 0, 50), flags: 0x100 }], 50],
    ["a grandchild is its parent's", [child(2, 0, 50), { ...child(3, 0, 50), parent: 2 }], 50],
  ])("%s", async (_, children, selfMs) => {
    const { selfMs: selfMsOf } = await check([parent, ...children]);
    expect(selfMsOf("shop parent")).toBeCloseTo(selfMs, 6);
    const reversed = await check([...children, parent]);
    expect(reversed.selfMs("shop parent")).toBeCloseTo(selfMs, 6);
  });

  test("a server span of an equal resource is not a local child of a client span", async () => {
    const { selfMs, edges } = await check([
      { id: 1, name: "call", kind: "client", from: 0, to: 100 },
      { id: 2, parent: 1, name: "serve", kind: "server", from: 10, to: 90 },
    ]);
    expect(selfMs("shop call")).toBe(100);
    expect(edges.get("shop call > shop serve")?.count).toBe(1);
  });

  test("the union of intervals is what counting says", () => {
    const interval = fc
      .tuple(fc.integer({ min: 0, max: 200 }), fc.integer({ min: 1, max: 60 }))
      .map(([start, length]) => [start, start + length] as const);
    fc.assert(
      fc.property(fc.array(interval, { maxLength: 60 }), (intervals) => {
        const covered = new Set<number>();
        for (const [start, end] of intervals) {
          for (let at = start; at < end; at++) covered.add(at);
        }
        const starts = Float64Array.from(intervals, ([start]) => start);
        const ends = Float64Array.from(intervals, ([, end]) => end);
        expect(unionLength(starts, ends, intervals.length)).toBe(covered.size);
      }),
      { seed: 11 },
    );
  });
});

describe("origin and propagated", () => {
  test.each<[string, SpanLiteral[], Record<string, [number, number]>]>([
    ["alone", [{ id: 1, name: "a", status: "error" }], { "shop a": [1, 1] }],
    [
      "from a local child",
      [
        { id: 1, name: "a", status: "error" },
        { id: 2, parent: 1, name: "b", status: "error" },
      ],
      { "shop a": [1, 0], "shop b": [1, 1] },
    ],
    [
      "from one of two",
      [
        { id: 1, name: "a", status: "error" },
        { id: 2, parent: 1, name: "b" },
        { id: 3, parent: 1, name: "c", status: "error" },
      ],
      { "shop a": [1, 0], "shop b": [0, 0], "shop c": [1, 1] },
    ],
    [
      "a healthy child does not take it",
      [
        { id: 1, name: "a", status: "error" },
        { id: 2, parent: 1, name: "b" },
      ],
      { "shop a": [1, 1], "shop b": [0, 0] },
    ],
    [
      "a remote child does not take it",
      [
        { id: 1, name: "a", kind: "client", status: "error" },
        { id: 2, parent: 1, name: "b", kind: "server", service: "pay", status: "error" },
      ],
      { "shop a": [1, 1], "pay b": [1, 1] },
    ],
  ])("%s", async (_, spans, expected) => {
    const { cell } = await check(spans);
    for (const [name, counts] of Object.entries(expected)) {
      expect([cell(name)?.errors, cell(name)?.originErrors]).toEqual(counts);
    }
  });
});

describe("edges and half-edges", () => {
  const call: SpanLiteral = {
    id: 1,
    name: "call",
    kind: "client",
    from: 0,
    to: 100,
    status: "error",
  };
  const serve: SpanLiteral = {
    id: 2,
    parent: 1,
    name: "serve",
    kind: "server",
    service: "pay",
    from: 20,
    to: 90,
  };

  test("client and server of one agent", async () => {
    const { edges, batch } = await check([call, serve]);
    const edge = edges.get("shop call > pay serve");
    expect([edge?.count, edge?.errors, edge?.gapNs.sumNs]).toEqual([1, 1, 30 * ms]);
    expect([batch.halfEdges.length, batch.counts.unpaired]).toEqual([0, 0]);
  });

  test("a client whose server another agent saw", async () => {
    const { batch } = await check([call]);
    expect(batch.halfEdges).toMatchObject([
      { side: "caller", idHigh: 0, idLow: 1, durationNs: 100 * ms, failed: true },
    ]);
    expect(batch.counts.unpaired).toBe(0);
  });

  test("a server whose client another agent saw", async () => {
    const { batch } = await check([serve]);
    expect(batch.halfEdges).toMatchObject([
      { side: "callee", idHigh: 0, idLow: 1, durationNs: 70 * ms, failed: false },
    ]);
    expect(batch.counts.unpaired).toBe(1);
  });

  test("an entry is not unpaired", async () => {
    const { batch } = await check([{ id: 1, kind: "server" }]);
    expect([batch.halfEdges.length, batch.counts.unpaired]).toEqual([0, 0]);
  });

  test("a database call waits for nobody", async () => {
    const { batch } = await check([{ ...call, attributes: { "db.system.name": "postgresql" } }]);
    expect(batch.halfEdges).toEqual([]);
  });

  test("a faster client than server gives a gap of 0", async () => {
    const { edges } = await check([{ ...call, to: 50 }, serve]);
    expect(edges.get("shop call > pay serve")?.gapNs.sumNs).toBe(0);
  });

  const send: SpanLiteral = { id: 1, trace: 1, name: "send", kind: "producer", from: 0, to: 10 };
  const take: SpanLiteral = {
    id: 2,
    trace: 2,
    name: "take",
    kind: "consumer",
    service: "mail",
    from: 50,
    to: 60,
  };

  test("a consumer linked to producers of other traces", async () => {
    const { edges, batch } = await check([
      send,
      { ...send, id: 3, trace: 3 },
      {
        ...take,
        links: [
          { trace: 1, id: 1 },
          { trace: 3, id: 3 },
        ],
      },
    ]);
    const edge = edges.get("shop send > mail take");
    expect([edge?.count, edge?.gapNs.sumNs]).toEqual([2, 80 * ms]);
    expect([batch.halfEdges.length, batch.counts.unpaired]).toEqual([0, 0]);
  });

  test("a consumer with its producer as parent and as link counts once", async () => {
    const { edges } = await check([
      send,
      { ...take, trace: 1, parent: 1, links: [{ trace: 1, id: 1 }] },
    ]);
    expect(edges.get("shop send > mail take")?.count).toBe(1);
  });

  test("a consumer whose producer another agent saw", async () => {
    const { batch } = await check([{ ...take, links: [{ trace: 1, id: 1 }] }]);
    expect(batch.halfEdges).toMatchObject([{ side: "callee", idLow: 1 }]);
    expect(batch.counts.unpaired).toBe(1);
  });

  test("a span sent twice gives one edge and one self time, and counts twice", async () => {
    const { edges, cell } = await check([call, serve, serve]);
    expect(edges.get("shop call > pay serve")?.count).toBe(1);
    expect([cell("pay serve")?.count, cell("pay serve")?.selfNs.count]).toEqual([2, 1]);
  });

  test("a pair across two windows", async () => {
    const agent = await startTestAgent();
    agent.ingest({ ...serve, from: 9_000, to: 9_990 });
    await agent.moveTo(15_000);
    agent.ingest({ ...call, from: 8_990, to: 10_010 });
    await agent.moveTo(25_000);
    const [first, second] = agent.windows();
    expect(first?.counts.unpaired).toBe(1);
    expect(second && edgesOf(second).get("shop call > pay serve")?.count).toBe(1);
    expect(second?.halfEdges).toEqual([]);
  });

  test("a child of the window before takes its part of the self time", async () => {
    const agent = await startTestAgent();
    agent.ingest({ id: 2, parent: 1, name: "child", from: 5_000, to: 9_000, status: "error" });
    await agent.moveTo(16_000);
    agent.ingest({ id: 1, name: "parent", from: 4_000, to: 19_999, status: "error" });
    await agent.moveTo(26_000);
    const batch = agent.windows()[1];
    const cell = batch && cellsOf(batch).get("shop parent");
    expect([cell?.selfNs.sumNs, cell?.originErrors]).toEqual([11_999 * ms, 0]);
  });

  test("a span is forgotten in the end", async () => {
    const agent = await startTestAgent();
    agent.ingest(serve);
    await agent.moveTo(40_000);
    expect(agent.meter.families.get("brunt_agent_spans_remembered")?.series.get("")?.read()).toBe(
      0,
    );
  });
});

describe("sample of half-edges", () => {
  const clients = (count: number, agentSeed: number): SpanLiteral[] =>
    Array.from({ length: count }, (_, index) => ({
      id: agentSeed * 1_000_000 + index + 1,
      trace: index + 1,
      kind: "client",
    }));

  test("halves until it fits, and two agents keep the same traces", async () => {
    const caller = await startTestAgent({ halfEdgesMax: 100 });
    caller.ingest(...clients(1_000, 1));
    await caller.moveTo(15_000);
    const callee = await startTestAgent({ halfEdgesMax: 100 });
    const servers = clients(1_000, 2).map((span, index) => ({
      ...span,
      kind: "server" as const,
      parent: 1_000_000 + index + 1,
    }));
    callee.ingest(...servers.reverse());
    await callee.moveTo(15_000);
    const [a, b] = [caller.windows()[0], callee.windows()[0]];
    expect(a?.halfEdges.length).toBeGreaterThan(50);
    expect(a?.halfEdges.length).toBeLessThanOrEqual(100);
    expect(a?.halfEdgeShift).toBe(b?.halfEdgeShift);
    expect(a?.halfEdges.map((half) => half.idLow)).toEqual(b?.halfEdges.map((half) => half.idLow));
  });
});

describe("span memory", () => {
  test("finds what it keeps and forgets what it is told to, whatever the sizes", () => {
    const span = fc.record({
      id: fc.integer({ min: 1, max: 5_000 }),
      segment: fc.constantFrom(1, 2, 3),
    });
    fc.assert(
      fc.property(fc.array(span, { maxLength: 4_000 }), (spans) => {
        const memory = new SpanMemory({ spansMax: 3_000, seed: 5 });
        const kept = new Map<number, number>();
        for (const { id, segment } of spans) {
          const outcome = memory.remember({
            idHigh: id % 7,
            idLow: id,
            parentHigh: 0,
            parentLow: id >> 3,
            trace: 9,
            process: 1,
            startNs: id,
            durationNs: 1,
            key: 0,
            segment,
            flags: 0,
          });
          if (kept.size === 3_000) expect(outcome).toBe("full");
          else expect(outcome).toBe(kept.has(id) ? "repeated" : "kept");
          if (outcome === "kept") kept.set(id, segment);
        }
        memory.release(new Set([2]));
        for (const [id, segment] of kept) {
          const row = memory.find(id % 7, id, 9);
          expect(row >= 0).toBe(segment !== 2);
          if (row >= 0) expect(memory.rows.time(row, startColumn)).toBe(id);
        }
        let count = 0;
        for (const segment of [1, 2, 3]) {
          const { first, end } = memory.rangeOf(segment);
          for (let row = first; row < end; row++) {
            if (memory.rows.word(row, segmentColumn) === segment) count++;
          }
        }
        expect(count).toBe(memory.size);
      }),
      { seed: 12, numRuns: 20 },
    );
  });
});
