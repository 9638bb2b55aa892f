/** What happens when workers end, hang, or are faster than their parent. */
import { describe, expect, test } from "vitest";
import type { WindowBatch } from "../../wire/sketch-batch.ts";
import { cellsOf, edgesOf, requestOf, type SpanLiteral } from "../agent/fixture.ts";
import { type Crew, startCrew } from "./crew.ts";

const spansLost = "brunt_agent_worker_spans_lost_total";

/** The windows a crew has sent, which its link decodes and so checks. */
function windowsOf({ link }: Crew): WindowBatch[] {
  return link.windows();
}

/** What all batches together declare as rejected. */
function rejectedOf({ link }: Crew): number {
  return link.windows().reduce((sum, { counts }) => sum + counts.rejected, 0);
}

function counterOf({ meter }: Crew, name: string): number {
  return meter.counter(name, "").value;
}

const entry: SpanLiteral = { id: 1, service: "shop", name: "buy", kind: "server", to: 100 };
const inner: SpanLiteral = { id: 2, parent: 1, service: "shop", name: "work", from: 20, to: 60 };
const client: SpanLiteral = { ...inner, id: 3, name: "call", kind: "client" };
const callee: SpanLiteral = { id: 4, parent: 3, service: "pay", kind: "server", from: 30, to: 50 };

describe("a worker that ends", () => {
  test("takes its cells along, which is counted and declared; others still find its spans", async () => {
    const crew = startCrew(2);
    crew.ingest(0, entry, callee);
    crew.ingest(1, inner, client);
    await crew.moveTo(1_000);
    expect(crew.kill(1)).toBe(2);
    await crew.moveTo(15_000);
    const [batch] = windowsOf(crew) as [WindowBatch];
    expect(batch.counts).toMatchObject({ spans: 2, unpaired: 0 });
    expect(rejectedOf(crew)).toBe(2);
    const cells = cellsOf(batch);
    expect(cells.get("shop buy")?.selfNs.sumNs).toBe(60_000_000);
    expect(cells.get("shop work")?.count ?? 0).toBe(0);
    expect(cells.get("shop work")?.selfNs.count ?? 0).toBe(0);
    expect(edgesOf(batch).get("shop call > pay work")?.count).toBe(1);
    expect(counterOf(crew, spansLost)).toBe(2);
  });

  test("loses nothing that was sealed before", async () => {
    const crew = startCrew(2);
    crew.ingest(1, entry, inner);
    await crew.moveTo(16_000);
    expect(crew.kill(1)).toBe(0);
    await crew.moveTo(40_000);
    expect(windowsOf(crew).map(({ counts }) => counts.spans)).toEqual([2]);
    expect(counterOf(crew, spansLost)).toBe(0);
  });

  test("does not keep the others' windows open when it ends in the middle of sealing", async () => {
    const crew = startCrew(2);
    crew.ingest(0, entry);
    crew.ingest(1, inner);
    await crew.moveTo(14_000);
    crew.holdBack(1);
    await crew.moveTo(16_000);
    expect(windowsOf(crew)).toEqual([]);
    expect(crew.merger.late).toEqual([1]);
    expect(crew.kill(1)).toBe(1);
    await crew.moveTo(17_000);
    expect(windowsOf(crew).map(({ counts }) => [counts.spans, counts.rejected])).toEqual([[1, 1]]);
  });
});

describe("a worker that lags", () => {
  test("has what it sent counted in its window; what others send meanwhile waits", async () => {
    const crew = startCrew(2);
    crew.ingest(0, entry);
    crew.ingest(1, inner);
    await crew.moveTo(14_000);
    crew.holdBack(1);
    await crew.moveTo(15_200);
    // Worker 0 has sealed the window, so this is late and belongs to a delta.
    crew.ingest(0, { ...entry, id: 9 });
    await crew.moveTo(15_500);
    expect(windowsOf(crew)).toEqual([]);
    crew.letThrough(1);
    await crew.moveTo(17_000);
    const seen = windowsOf(crew).map((batch) => {
      const cell = cellsOf(batch).get("shop buy");
      return [batch.counts.spans, batch.counts.late, cell?.count, cell?.selfNs.count];
    });
    expect(seen).toEqual([
      [2, 0, 1, 1],
      [1, 1, 1, 1],
    ]);
  });

  test("is refused no rows, but refuses requests itself while too many wait", async () => {
    const crew = startCrew(2);
    crew.holdBack(0);
    let accepted = 0;
    let ids = 0;
    const request = (): Uint8Array =>
      requestOf(Array.from({ length: 5_000 }, () => ({ id: ++ids })));
    let offered = crew.offer(0, request());
    for (; offered.ok; offered = crew.offer(0, request())) accepted += offered.value.accepted;
    expect(offered.error.code).toBe("OVERLOADED");
    expect(accepted).toBeGreaterThanOrEqual(200_000);
    expect(accepted).toBeLessThanOrEqual(210_000);
    // The other worker is not held up.
    expect(crew.offer(1, request()).ok).toBe(true);
    crew.letThrough(0);
    expect(crew.offer(0, request()).ok).toBe(true);
    await crew.moveTo(15_000);
    expect(windowsOf(crew).map(({ counts }) => counts.spans)).toEqual([accepted + 10_000]);
  });
});

test("many late windows at all workers are taken within the bound of one agent", async () => {
  const crew = startCrew(4);
  let accepted = 0;
  for (let worker = 0; worker < 4; worker++) {
    const spans = Array.from({ length: 300 }, (_, at) => {
      const ms = -(worker * 300 + at + 2) * 20_000;
      return { id: worker * 300 + at + 1, from: ms, to: ms };
    });
    const offered = crew.offer(worker, requestOf(spans));
    accepted += offered.ok ? offered.value.accepted : 0;
  }
  expect(accepted).toBe(64);
  await crew.moveTo(2_000);
  expect(windowsOf(crew).reduce((sum, { counts }) => sum + counts.spans, 0)).toBe(64);
  expect(rejectedOf(crew)).toBe(1_200 - 64);
});

test("late windows that are sealed early, for their keys take too much room, lose nothing", async () => {
  const crew = startCrew(2, { keysMax: 64, servicesMax: 1 });
  const spans = Array.from({ length: 600 }, (_, at): SpanLiteral => {
    const ms = -(1 + (at % 10)) * 20_000;
    return { id: at + 1, name: `work ${letters(Math.floor(at / 10))}`, from: ms, to: ms + 5 };
  });
  crew.ingest(0, ...spans);
  crew.ingest(1, ...spans.map((span) => ({ ...span, id: span.id + 1_000 })));
  await crew.moveTo(2_000);
  const cells = windowsOf(crew).flatMap((batch) => [...cellsOf(batch).values()]);
  const sum = (counts: readonly number[]): number => counts.reduce((a, b) => a + b, 0);
  expect(sum(cells.map(({ count }) => count))).toBe(1_200);
  expect(sum(cells.map(({ selfNs }) => selfNs.count))).toBe(1_200);
});

/** A name for a number; digits in names of operations are taken for identifiers. */
function letters(number: number): string {
  return String.fromCharCode(97 + Math.floor(number / 26), 97 + (number % 26));
}
