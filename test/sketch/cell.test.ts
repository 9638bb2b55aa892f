import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { BitReader, BitWriter } from "../../base/bits.ts";
import { createByteReader } from "../../base/bytes.ts";
import {
  adjustedUnit,
  type Cell,
  copyCell,
  createCell,
  createEdgeCell,
  type EdgeCell,
  mergeCell,
  mergeEdgeCell,
} from "../../sketch/cell.ts";
import { readCell, writeCell } from "../../sketch/cell-codec.ts";
import { CellTable } from "../../sketch/cell-table.ts";
import { addEdge, type Cube, createCube } from "../../sketch/cube.ts";
import { decodeCube, encodeCube } from "../../sketch/cube-codec.ts";
import { addDigest, createDigest } from "../../sketch/digest.ts";
import { addHistogram } from "../../sketch/histogram.ts";
import { estimateHll } from "../../sketch/hll.ts";
import { builtInDimensions, intern } from "../../sketch/key.ts";
import {
  addCustomers,
  addSpan,
  encoded,
  hexOf,
  keyNamed,
  limits,
  type SpanSample,
} from "./streams.ts";

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

function tableOf(cells: readonly Cell[]): CellTable {
  const table = new CellTable();
  for (const cell of cells) table.mergeCell(table.rowFor(0), cell);
  return table;
}

function bytesOf(table: CellTable): Uint8Array {
  const bits = new BitWriter();
  writeCell(bits, table, 0);
  return bits.finish();
}

function encodedCell(cell: Cell): Uint8Array {
  return bytesOf(tableOf([cell]));
}

function check(cell: Cell): string {
  return hexOf(encodedCell(cell));
}

function decodedCell(bytes: Uint8Array): { table: CellTable; problem: string | undefined } {
  const table = new CellTable();
  const bits = new BitReader(bytes);
  readCell(bits, table, table.rowFor(0));
  bits.checkEnd();
  return { table, problem: bits.problem };
}

/** Why these bytes are refused; "" when they are not. */
function refusalOf(bytes: Uint8Array): string {
  return decodedCell(bytes).problem ?? "";
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
        expect(hexOf(bytesOf(tableOf(order.map((at) => parts[at]))))).toBe(whole);
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
        const bytes = encodedCell(cell);
        const back = decodedCell(bytes);
        expect(back.problem).toBeUndefined();
        expect(hexOf(bytesOf(back.table))).toBe(hexOf(bytes));
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
    ["an adjusted count below the count", (cell) => (cell.adjusted = 20), /adjusted count/],
    ["more customers than spans", (cell) => addCustomers(cell.customers, 0, 21), /customers 21/],
    ["far more customers than spans", (cell) => addCustomers(cell.customers, 0, 900), /customers/],
    [
      "more failed customers than errors",
      (cell) => addCustomers(cell.customersFailed, 0, 10),
      /failed customers 10 exceeds 6/,
    ],
    ["more slow customers than slow", (cell) => addCustomers(cell.customersSlow, 0, 10), /slow/],
    [
      "customers who failed but were not seen",
      (cell) => addCustomers(cell.customersFailed, 50, 60),
      /customers 30 exceeds 20/,
    ],
  ])("%s", (_, breakLaw, problem) => {
    const cell = honest();
    expect(refusalOf(encodedCell(cell))).toBe("");
    breakLaw(cell);
    expect(refusalOf(encodedCell(cell))).toMatch(problem);
  });

  test.each<[string, (cell: Cell) => void]>([
    ["more durations than spans", (cell) => addHistogram(cell.durationNs, 5)],
    ["more spans than durations", (cell) => cell.count++],
    ["more self times than spans", (cell) => addSelfTimes(cell)],
  ])("%s cannot be written", (_, breakLaw) => {
    const cell = honest();
    breakLaw(cell);
    expect(() => encodedCell(cell)).toThrow(/a cell has/);
  });

  function addSelfTimes(cell: Cell): void {
    for (let at = 0; at < 20; at++) addHistogram(cell.selfNs, 5);
  }

  test("every cut of a cell is refused, and no byte changed makes the decoder throw", () => {
    const bytes = encodedCell(honest());
    for (let end = 0; end < bytes.length; end++) {
      expect(refusalOf(bytes.subarray(0, end))).not.toBe("");
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
  expect(refusalOf(encodedCell(cell))).toBe("");
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

  function cubeOf(edges: readonly EdgeCell[]): Cube {
    const cube = createCube(0, builtInDimensions, limits);
    const caller = intern(cube.keys, keyNamed("shop", "call"));
    const callee = intern(cube.keys, keyNamed("pay", "serve"));
    for (const edge of edges) addEdge(cube, { caller, callee }, edge);
    return cube;
  }

  test("merge ignores order, decode gives back what was encoded", () => {
    fc.assert(
      fc.property(gaps, gaps, (a, b) => {
        const bytes = encoded(encodeCube, cubeOf([edgeOfGaps([...a, ...b])]));
        const total = edgeOfGaps(b);
        mergeEdgeCell(total, edgeOfGaps(a));
        expect(encoded(encodeCube, cubeOf([total]))).toEqual(bytes);
        expect(encoded(encodeCube, cubeOf([edgeOfGaps(b), edgeOfGaps(a)]))).toEqual(bytes);
        const back = decodeCube(createByteReader(bytes), limits);
        expect(back.ok && encoded(encodeCube, back.value)).toEqual(bytes);
      }),
      { seed: 34 },
    );
  });

  test("more errors than calls are refused, more gaps cannot be written", () => {
    const bytes = encoded(encodeCube, cubeOf([{ ...edgeOfGaps([2, 4]), errors: 3 }]));
    const result = decodeCube(createByteReader(bytes), limits);
    expect(result.ok ? "" : result.error.message).toMatch(/edge errors 3 exceeds 2/);
    const cube = cubeOf([{ ...edgeOfGaps([2, 4]), count: 1 }]);
    expect(() => encoded(encodeCube, cube)).toThrow("no more gaps than calls");
  });
});
