import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createByteReader, createByteWriter } from "../../base/bytes.ts";
import { createPrng } from "../../base/prng.ts";
import {
  type Cube,
  cellOf,
  createCube,
  decodeCube,
  edgeOf,
  encodeCube,
  mergeCube,
} from "../../sketch/cube.ts";
import { addHistogram } from "../../sketch/histogram.ts";
import { builtInDimensions, intern, keyOf, overflowValue } from "../../sketch/key.ts";
import { addSpan, encoded, hexOf, keyNamed, limits, sampleCube } from "./streams.ts";

const startMs = 1_700_000_000_000;

type Call = readonly [caller: number, callee: number, durationNs: number];

/** A cube of calls between services s0, s1, … whose spans also count in the callee's cell. */
function cubeOf(calls: readonly Call[], within = limits): Cube {
  const cube = createCube(startMs, builtInDimensions, within);
  for (const [caller, callee, durationNs] of calls) {
    const from = intern(cube.keys, keyNamed(`s${caller}`, "call"));
    const to = intern(cube.keys, keyNamed(`s${callee}`, "serve"));
    addSpan(cellOf(cube, to), {
      durationNs,
      failed: durationNs % 5 === 0,
      slow: false,
      customer: caller,
    });
    const edge = edgeOf(cube, from, to);
    if (edge === undefined) continue;
    edge.count++;
    addHistogram(edge.gapNs, durationNs % 100);
  }
  return cube;
}

function check(cube: Cube): string {
  return hexOf(encoded(encodeCube, cube));
}

function refusalOf(bytes: Uint8Array, within = limits): string {
  const result = decodeCube(createByteReader(bytes), within);
  return result.ok ? "" : `${result.error.code}: ${result.error.message}`;
}

const service = fc.integer({ min: 0, max: 6 });
const calls = fc.array(fc.tuple(service, service, fc.nat()), { maxLength: 30 });

test("merge is the cube of all calls, in any order, whatever ids the keys have", () => {
  fc.assert(
    fc.property(calls, calls, calls, (a, b, c) => {
      const whole = check(cubeOf([...a, ...b, ...c]));
      for (const order of [
        [a, b, c],
        [c, a, b],
        [b, c, a],
      ]) {
        const total = createCube(startMs, builtInDimensions, limits);
        for (const part of order) {
          expect(mergeCube(total, cubeOf(part))).toEqual({ foldedSpans: 0, droppedCalls: 0 });
        }
        expect(check(total)).toBe(whole);
      }
    }),
    { seed: 41 },
  );
});

test("decode gives back what was encoded, and encode says where each key went", () => {
  fc.assert(
    fc.property(calls, (a) => {
      const cube = cubeOf(a);
      const writer = createByteWriter();
      const places = encodeCube(writer, cube);
      const bytes = writer.finish();
      const back = decodeCube(createByteReader(bytes), limits);
      if (!back.ok) throw new Error(back.error.message);
      expect(check(back.value)).toBe(hexOf(bytes));
      expect(back.value.windowStartMs).toBe(startMs);
      cube.keys.keys.forEach((key, id) => {
        expect(keyOf(back.value.keys, places[id] as number)).toEqual(key);
      });
    }),
    { seed: 42 },
  );
});

test("a merge into a full table folds, declares it, and conserves every count", () => {
  const source = cubeOf(Array.from({ length: 40 }, (_, at) => [at % 8, at % 13, at] as const));
  const target = createCube(startMs, builtInDimensions, { keysMax: 5, edgesMax: 3 });
  const outcome = mergeCube(target, source);
  const countOf = (cube: Cube): number =>
    [...cube.cells.values()].reduce((sum, cell) => sum + cell.count, 0);
  const callsOf = (cube: Cube): number =>
    [...cube.edges.values()].reduce((sum, edge) => sum + edge.cell.count, 0);
  expect(countOf(target)).toBe(40);
  const isFolded = (id: number): boolean => keyOf(target.keys, id)[1] === overflowValue;
  const folded = [...target.cells].filter(([id]) => isFolded(id));
  expect(outcome.foldedSpans).toBe(folded.reduce((sum, [, cell]) => sum + cell.count, 0));
  expect(outcome.foldedSpans).toBeGreaterThan(0);
  expect(target.edges.size).toBe(3);
  expect(callsOf(target) + outcome.droppedCalls).toBe(40);
  expect(refusalOf(encoded(encodeCube, target), { keysMax: 5, edgesMax: 3 })).toBe("");
});

test("the source of a merge stays as it was and shares nothing", () => {
  const source = cubeOf([[1, 2, 3]]);
  const before = check(source);
  const target = createCube(startMs, builtInDimensions, limits);
  mergeCube(target, source);
  mergeCube(target, source);
  expect(check(source)).toBe(before);
});

test("cubes of different dimensions do not merge", () => {
  const other = createCube(startMs, ["service.name"], limits);
  expect(() => mergeCube(other, cubeOf([]))).toThrow("same dimensions");
});

describe("hostile bytes are refused", () => {
  type Write = (writer: ReturnType<typeof createByteWriter>) => void;
  const strings =
    (...values: string[]): Write =>
    (writer) => {
      writer.varint(values.length);
      for (const value of values) writer.string(value);
    };
  const numbers =
    (...values: number[]): Write =>
    (writer) => {
      for (const value of values) writer.varint(value);
    };
  const head =
    (version = 1): Write =>
    (writer) => {
      writer.u8(version);
      writer.varint(startMs);
    };
  const bytesOf = (...parts: readonly Write[]): Uint8Array => {
    const writer = createByteWriter();
    for (const part of parts) part(writer);
    return writer.finish();
  };
  const names = strings("service.name", "operation");
  const emptyCell = numbers(0, 0, 0, 0, 0, 0, 0, 0, 56, 56, 56, 0);
  const emptyEdge = numbers(0, 0, 0);
  const twoKeys = numbers(2, 0, 0, 0, 1);

  test.each<[string, Uint8Array, RegExp]>([
    ["nothing", bytesOf(), /ends at byte/],
    ["an unknown version", bytesOf(head(2), names, strings(), numbers(0, 0, 0)), /version is 2/],
    ["no dimensions", bytesOf(head(), strings(), strings(), numbers(0, 0, 0)), /no dimensions/],
    [
      "a dimension twice",
      bytesOf(head(), strings("a", "a"), strings(), numbers(0, 0, 0)),
      /repeats/,
    ],
    ["16 dimensions", bytesOf(head(), strings(..."abcdefghijklmnop")), /16 dimensions/],
    ["more values than bytes", bytesOf(head(), names, numbers(900, 1)), /900 values/],
    [
      "values out of order",
      bytesOf(head(), names, strings("b", "a"), numbers(0, 0, 0)),
      /ascending/,
    ],
    ["a value twice", bytesOf(head(), names, strings("a", "a"), numbers(0, 0, 0)), /ascending/],
    ["more keys than bytes", bytesOf(head(), names, strings("a"), numbers(700, 0)), /700 keys/],
    ["more keys than the limit", bytesOf(head(), names, strings("a"), numbers(2026)), /2026 keys/],
    [
      "an unknown value",
      bytesOf(head(), names, strings("a"), numbers(1, 0, 1, 0, 0)),
      /value 1 of 1/,
    ],
    [
      "a key twice",
      bytesOf(head(), names, strings("a"), numbers(2, 0, 0, 0, 0, 0, 0)),
      /ascending/,
    ],
    [
      "a cell without a key",
      bytesOf(head(), names, strings("a", "b"), twoKeys, numbers(1, 2), emptyCell, numbers(0)),
      /key 2 of 2/,
    ],
    [
      "an edge without a key",
      bytesOf(head(), names, strings("a", "b"), twoKeys, numbers(0, 1, 0, 2), emptyEdge),
      /keys 0 and 2 of 2/,
    ],
    [
      "an edge twice",
      bytesOf(
        head(),
        names,
        strings("a", "b"),
        twoKeys,
        numbers(0, 2, 0, 1),
        emptyEdge,
        numbers(0, 1),
        emptyEdge,
      ),
      /edges are not in ascending/,
    ],
    [
      "more edges than the limit",
      bytesOf(head(), names, strings(), numbers(0, 0, 1001)),
      /1001 edges/,
    ],
    [
      "text that is not UTF-8",
      bytesOf(head(), names, (writer) => writer.bytes(Uint8Array.of(1, 1, 0xff)), numbers(0, 0, 0)),
      /UTF-8/,
    ],
  ])("%s", (_, bytes, problem) => {
    expect(refusalOf(bytes)).toMatch(problem);
    expect(refusalOf(bytes)).toMatch(/^SKETCH_INVALID/);
  });

  test("the cases above differ from bytes that are accepted", () => {
    const cells = [numbers(2, 0), emptyCell, numbers(0), emptyCell] as const;
    const edges = [numbers(2, 0, 1), emptyEdge, numbers(1, 0), emptyEdge] as const;
    const bytes = bytesOf(head(), names, strings("a", "b"), twoKeys, ...cells, ...edges);
    expect(refusalOf(bytes)).toBe("");
  });

  test("every cut is refused, and no changed byte makes the decoder throw", () => {
    const bytes = encoded(encodeCube, sampleCube(createPrng(43)));
    for (let end = 0; end < bytes.length; end += 7) {
      expect(refusalOf(bytes.subarray(0, end))).toMatch(/^SKETCH_INVALID/);
    }
    const prng = createPrng(44);
    for (let at = 0; at < 2000; at++) {
      const changed = bytes.slice();
      changed[prng.integer(bytes.length)] = prng.integer(256);
      expect(typeof refusalOf(changed)).toBe("string");
    }
  });
});
