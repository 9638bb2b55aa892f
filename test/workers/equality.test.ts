/** Several workers and one make the same bytes, however requests are dealt out among them. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { bucketIndex } from "../../sketch/histogram.ts";
import { cellsOf, edgesOf, type SpanLiteral, startTestAgent } from "../agent/fixture.ts";
import { startCrew } from "./crew.ts";

interface Step {
  /** When, in milliseconds after the fixture's start; steps are in order. */
  readonly atMs: number;
  readonly request: readonly SpanLiteral[];
  /** Which worker's connection it comes by. */
  readonly worker: number;
}

const endMs = 60_000;

function hexOf(bytes: readonly Uint8Array[]): string[] {
  return bytes.map((batch) => Buffer.from(batch).toString("hex"));
}

/** The batches of one worker, that is, of an agent as it is without any. */
async function ofOne(steps: readonly Step[]): Promise<string[]> {
  const agent = await startTestAgent();
  for (const { atMs, request } of steps) {
    await agent.moveTo(atMs);
    agent.ingest(...request);
  }
  await agent.moveTo(endMs);
  await agent.agent.shutdown();
  return hexOf(agent.link.bytes);
}

async function ofCrew(count: number, steps: readonly Step[]): Promise<string[]> {
  const crew = startCrew(count);
  for (const { atMs, request, worker } of steps) {
    await crew.moveTo(atMs);
    crew.ingest(worker, ...request);
  }
  await crew.moveTo(endMs);
  await crew.shutdown();
  return hexOf(crew.link.bytes);
}

async function check(steps: readonly Step[], counts = [1, 2, 4]): Promise<void> {
  const expected = await ofOne(steps);
  expect(expected.length).toBeGreaterThan(0);
  for (const count of counts) expect(await ofCrew(count, steps)).toEqual(expected);
}

/** Few ids, so that parents, links and repetitions meet; ends before and after seals. */
const literal: fc.Arbitrary<SpanLiteral> = fc.record({
  id: fc.integer({ min: 1, max: 80 }),
  parent: fc.integer({ min: 1, max: 80 }),
  trace: fc.constantFrom(1, 2),
  service: fc.constantFrom("a", "b", "c"),
  name: fc.constantFrom("x", "y"),
  kind: fc.constantFrom("internal", "server", "client", "producer", "consumer"),
  from: fc.integer({ min: -5_000, max: 9_000 }),
  to: fc.integer({ min: 9_000, max: 30_000 }),
  status: fc.constantFrom("unset", "error"),
  links: fc.array(fc.record({ id: fc.integer({ min: 1, max: 80 }) }), { maxLength: 2 }),
  attributes: fc.record({ user: fc.constantFrom("u", "v", "w") }),
});

const worker = fc.integer({ min: 0, max: 3 });

describe("any split of the same requests over 1, 2 and 4 workers gives equal bytes", () => {
  test("when all of them come before a window is sealed", async () => {
    const requests = fc
      .uniqueArray(literal, {
        selector: (span) => `${span.trace}:${span.id}`,
        minLength: 1,
        maxLength: 60,
      })
      .chain((spans) =>
        fc.tuple(
          fc.constant(spans),
          fc.integer({ min: 1, max: 7 }),
          fc.array(worker, { minLength: 60, maxLength: 60 }),
        ),
      );
    await fc.assert(
      fc.asyncProperty(requests, async ([spans, size, workers]) => {
        const steps: Step[] = [];
        for (let at = 0; at < spans.length; at += size) {
          const request = spans.slice(at, at + size);
          steps.push({ atMs: 1_000, request, worker: workers[at] as number });
        }
        await check(steps);
      }),
      { seed: 31, numRuns: 30 },
    );
  });

  test("and when they come over a minute, late and early, with repetitions", async () => {
    const step = fc.record({
      atMs: fc.integer({ min: 0, max: endMs }),
      request: fc.array(literal, { minLength: 1, maxLength: 6 }),
      worker,
    });
    const cases = fc.array(step, { minLength: 1, maxLength: 25 });
    await fc.assert(
      fc.asyncProperty(cases, async (steps) => {
        await check(withEqualRepetitions(steps.sort((a, b) => a.atMs - b.atMs)));
      }),
      { seed: 32, numRuns: 30 },
    );
  });
});

/** A retry sends what was sent before, not something else under the same id. */
function withEqualRepetitions(steps: readonly Step[]): Step[] {
  const first = new Map<string, SpanLiteral>();
  return steps.map((step) => ({
    ...step,
    request: step.request.map((span) => {
      const id = `${span.trace}:${span.id}`;
      const known = first.get(id) ?? span;
      first.set(id, known);
      return known;
    }),
  }));
}

describe("spans that belong together, at different workers", () => {
  const call: SpanLiteral[] = [
    { id: 1, service: "shop", name: "buy", kind: "server", to: 100, status: "error" },
    { id: 2, parent: 1, service: "shop", name: "work", from: 10, to: 60 },
    { id: 3, parent: 1, service: "shop", name: "call", kind: "client", from: 60, to: 90 },
    { id: 4, parent: 3, service: "pay", name: "charge", kind: "server", from: 65, to: 85 },
  ];

  test("parent and child of one process, and both sides of a call", async () => {
    const crew = startCrew(4);
    for (const [at, span] of call.entries()) crew.ingest(at, span);
    await crew.moveTo(15_000);
    const batches = crew.link.windows();
    expect(batches).toHaveLength(1);
    const batch = batches[0];
    if (batch === undefined) throw new Error("there is no window");
    expect(batch.counts).toMatchObject({ spans: 4, errors: 1, unpaired: 0 });
    const cells = cellsOf(batch);
    expect(cells.get("shop buy")?.selfNs.sumNs).toBe(20_000_000);
    expect(cells.get("shop buy")?.originErrors).toBe(1);
    expect(edgesOf(batch).get("shop call > pay charge")?.gapNs.sumNs).toBe(10_000_000);
    expect(batch.halfEdges).toEqual([]);
  });

  test("thresholds reach every worker, and all of a window is counted by the same ones", async () => {
    const item = { service: "shop", operation: "work", kind: "internal", peer: "" };
    const current = { revision: 4, items: [{ ...item, slowBucket: bucketIndex(40_000_000) }] };
    // As far ahead as spans are taken: the window is open long before its time.
    const aheadMs = 29_000;
    const slow = (id: number, at: number): SpanLiteral => ({ id, from: at, to: at + 50 });
    const crew = startCrew(3, {}, 4_000);
    crew.link.current = current;
    const seen: unknown[] = [];
    for (let second = 1; second <= 100; second++) {
      for (const at of [0, 1, 2]) crew.ingest(at, slow(second * 3 + at, second * 1_000 + aheadMs));
      await crew.moveTo(second * 1_000 + 100);
    }
    for (const batch of crew.link.windows()) {
      seen.push([batch.thresholdsRevision, cellsOf(batch).get("shop work")?.slow]);
    }
    expect(seen.at(0)).toEqual([0, 0]);
    expect(seen.at(-1)).toEqual([4, 30]);
    expect(new Set(seen.map(String))).toEqual(new Set(["0,0", "4,30"]));
  });
});
