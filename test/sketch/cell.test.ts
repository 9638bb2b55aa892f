import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createByteReader } from "../../base/bytes.ts";
import {
  adjustedUnit,
  type Cell,
  copyCell,
  createCell,
  createEdgeCell,
  decodeCell,
  decodeEdgeCell,
  type EdgeCell,
  encodeCell,
  encodeEdgeCell,
  mergeCell,
  mergeEdgeCell,
} from "../../sketch/cell.ts";
import { addDigest, createDigest } from "../../sketch/digest.ts";
import { addHistogram } from "../../sketch/histogram.ts";
import { estimateHll } from "../../sketch/hll.ts";
import { addCustomers, addSpan, encoded, hexOf, type SpanSample } from "./streams.ts";

const span: fc.Arbitrary<SpanSample> = fc.record({
  durationNs: fc.integer({ min: 0, max: 2e9 }),
  failed: fc.boolean(),
  slow: fc.boolean(),
  customer: fc.integer({ min: 0, max: 30 }),
});
const spans = fc.array(span, { maxLength: 40 });

function cellOfSpans(samples: readonly SpanSample[]): Cell {
  const cell = createCell();
  for (const sample of samples) addSpan(cell, sample);
  return cell;
}

function check(cell: Cell): string {
  return hexOf(encoded(encodeCell, cell));
}

/** Why these bytes are refused; "" when they are not. */
function refusalOf(bytes: Uint8Array): string {
  const result = decodeCell(createByteReader(bytes));
  return result.ok ? "" : `${result.error.code}: ${result.error.message}`;
}

test("merge is the cell of all spans, in any order", () => {
  fc.assert(
    fc.property(spans, spans, spans, (a, b, c) => {
      const whole = check(cellOfSpans([...a, ...b, ...c]));
      const parts = [a, b, c].map(cellOfSpans) as [Cell, Cell, Cell];
      for (const order of [
        [0, 1, 2],
        [2, 0, 1],
        [1, 2, 0],
      ] as const) {
        const total = createCell();
        for (const at of order) mergeCell(total, parts[at]);
        expect(check(total)).toBe(whole);
      }
    }),
    { seed: 31 },
  );
});

test("decode gives back what was encoded; a copy is equal and apart", () => {
  fc.assert(
    fc.property(
      spans,
      fc.array(fc.double({ noNaN: true, noDefaultInfinity: true })),
      (a, values) => {
        const cell = cellOfSpans(a);
        if (values.length > 0) cell.values = createDigest();
        for (const value of values) if (cell.values !== undefined) addDigest(cell.values, value);
        const bytes = encoded(encodeCell, cell);
        const reader = createByteReader(bytes);
        const back = decodeCell(reader);
        expect(back.ok && check(back.value)).toBe(hexOf(bytes));
        expect(reader.remaining).toBe(0);
        const copy = copyCell(cell);
        expect(check(copy)).toBe(hexOf(bytes));
        addSpan(copy, { durationNs: 1, failed: true, slow: true, customer: 99 });
        if (copy.values !== undefined) addDigest(copy.values, 1);
        expect(check(cell)).toBe(hexOf(bytes));
      },
    ),
    { seed: 32 },
  );
});

test("values merge in, whether or not the target has any", () => {
  const [a, b] = [createCell(), createCell()];
  b.values = createDigest();
  addDigest(b.values, -5);
  mergeCell(a, b);
  mergeCell(a, b);
  expect([a.values?.count, a.values?.sum, b.values.count]).toEqual([2, -10, 1]);
});

test("the adjusted count stays at 2^53 - 1 once there", () => {
  const [a, b] = [createCell(), createCell()];
  a.adjusted = Number.MAX_SAFE_INTEGER - 1;
  b.adjusted = adjustedUnit;
  mergeCell(a, b);
  expect(a.adjusted).toBe(Number.MAX_SAFE_INTEGER);
});

describe("cells that break a law are refused", () => {
  const honest = (): Cell =>
    cellOfSpans(
      Array.from({ length: 20 }, (_, at) => ({
        durationNs: at * 1000,
        failed: at < 6,
        slow: at < 4,
        customer: at,
      })),
    );
  test.each<[string, (cell: Cell) => void, RegExp]>([
    ["more errors than spans", (cell) => (cell.errors = 21), /errors 21 exceeds 20/],
    [
      "more origin errors than errors",
      (cell) => (cell.originErrors = 7),
      /origin errors 7 exceeds 6/,
    ],
    ["more slow than spans", (cell) => (cell.slow = 21), /slow 21 exceeds 20/],
    ["more origin slow than slow", (cell) => (cell.originSlow = 5), /origin slow 5 exceeds 4/],
    ["more durations than spans", (cell) => addHistogram(cell.durationNs, 5), /durations 21/],
    ["more spans than durations", (cell) => addMissing(cell), /without duration 21 exceeds 20/],
    ["more self times than spans", (cell) => addSelfTimes(cell), /self times/],
    ["an adjusted count below the count", (cell) => (cell.adjusted = 20), /adjusted count/],
    ["more customers than spans", (cell) => addCustomers(cell.customers, 0, 21), /customers 21/],
    ["far more customers than spans", (cell) => addCustomers(cell.customers, 0, 900), /customers/],
    [
      "more failed customers than errors",
      (cell) => addCustomers(cell.customersFailed, 50, 60),
      /failed/,
    ],
    ["more slow customers than slow", (cell) => addCustomers(cell.customersSlow, 50, 60), /slow/],
  ])("%s", (_, breakLaw, problem) => {
    const cell = honest();
    expect(refusalOf(encoded(encodeCell, cell))).toBe("");
    breakLaw(cell);
    expect(refusalOf(encoded(encodeCell, cell))).toMatch(problem);
    expect(refusalOf(encoded(encodeCell, cell))).toMatch(/^SKETCH_INVALID/);
  });

  function addMissing(cell: Cell): void {
    cell.count++;
    cell.adjusted += adjustedUnit;
  }

  function addSelfTimes(cell: Cell): void {
    for (let at = 0; at < 20; at++) addHistogram(cell.selfNs, 5);
  }

  test("every cut of a cell is refused, and no byte changed makes the decoder throw", () => {
    const bytes = encoded(encodeCell, honest());
    for (let end = 0; end < bytes.length; end++) {
      expect(refusalOf(bytes.subarray(0, end))).toMatch(/^SKETCH_INVALID/);
    }
    let refused = 0;
    for (let at = 0; at < bytes.length; at++) {
      for (const bit of [1, 8, 64, 128]) {
        const changed = bytes.slice();
        changed[at] = (changed[at] as number) ^ bit;
        if (refusalOf(changed) !== "") refused++;
      }
    }
    expect(refused).toBeGreaterThan(bytes.length);
  });

  test("random bytes never make the decoder throw", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
        expect(typeof refusalOf(bytes)).toBe("string");
      }),
      { seed: 33, numRuns: 500 },
    );
  });
});

test("a cell of many customers passes its own check", () => {
  const cell = createCell();
  for (let at = 0; at < 30_000; at++) {
    addSpan(cell, { durationNs: at, failed: true, slow: false, customer: at });
  }
  expect(refusalOf(encoded(encodeCell, cell))).toBe("");
  expect(Math.abs(estimateHll(cell.customersFailed) / 30_000 - 1)).toBeLessThan(0.025);
});

describe("edges", () => {
  const edgeOfGaps = (gaps: readonly number[]): EdgeCell => {
    const edge = createEdgeCell();
    for (const gap of gaps) {
      edge.count++;
      edge.errors += gap % 2;
      addHistogram(edge.gapNs, gap);
    }
    return edge;
  };
  const gaps = fc.array(fc.nat(), { maxLength: 40 });

  test("merge ignores order, decode gives back what was encoded", () => {
    fc.assert(
      fc.property(gaps, gaps, (a, b) => {
        const bytes = encoded(encodeEdgeCell, edgeOfGaps([...a, ...b]));
        const total = edgeOfGaps(b);
        mergeEdgeCell(total, edgeOfGaps(a));
        expect(encoded(encodeEdgeCell, total)).toEqual(bytes);
        const back = decodeEdgeCell(createByteReader(bytes));
        expect(back.ok && encoded(encodeEdgeCell, back.value)).toEqual(bytes);
      }),
      { seed: 34 },
    );
  });

  test.each<[string, Partial<EdgeCell>, RegExp]>([
    ["more errors than calls", { errors: 3 }, /edge errors 3 exceeds 2/],
    ["more gaps than calls", { count: 1 }, /edge gaps 2 exceeds 1/],
  ])("%s is refused", (_, change, problem) => {
    const bytes = encoded(encodeEdgeCell, { ...edgeOfGaps([2, 4]), ...change });
    const result = decodeEdgeCell(createByteReader(bytes));
    expect(result.ok ? "" : result.error.message).toMatch(problem);
  });
});
