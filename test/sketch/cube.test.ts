import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { BitWriter } from "../../base/bits.ts";
import { createByteReader, createByteWriter } from "../../base/bytes.ts";
import { createPrng } from "../../base/prng.ts";
import { createCell, createEdgeCell } from "../../sketch/cell.ts";
import { addCell, addEdge, type Cube, createCube, mergeCube } from "../../sketch/cube.ts";
import { decodeCube, encodeCube } from "../../sketch/cube-codec.ts";
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
    const cell = createCell();
    const failed = durationNs % 5 === 0;
    addSpan(cell, { durationNs, failed, slow: false, customer: caller });
    addCell(cube, to, cell);
    const edge = { ...createEdgeCell(), count: 1 };
    addHistogram(edge.gapNs, durationNs % 100);
    addEdge(cube, { caller: from, callee: to }, edge);
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
  const sized =
    (bytes: Uint8Array): Write =>
    (writer) => {
      writer.varint(bytes.length);
      writer.bytes(bytes);
    };
  const text = (value: string): Write => sized(new TextEncoder().encode(value));
  const bits = (write: (bits: BitWriter) => void): Write => {
    const writer = new BitWriter();
    write(writer);
    return sized(writer.finish());
  };
  /** Their number; of each how much it shares with the one before, at both ends, and its length. */
  const values = (writer: BitWriter, ...shapes: (readonly number[])[]): void => {
    writer.gamma(shapes.length);
    for (const shape of shapes) for (const value of shape) writer.gamma(value);
  };
  const one = [0, 0, 1] as const;
  /** Keys of services "a" and "b" with one operation "x". */
  const keyBits = (second: (writer: BitWriter) => void = (writer) => writer.gamma(0)): Write =>
    bits((writer) => {
      values(writer, one, one);
      values(writer, one);
      writer.bits(0, 1);
      writer.bits(0, 1);
      second(writer);
    });
  const twoKeys = [head(), names, numbers(2), text("abx"), keyBits()];
  const noKeys = [
    head(),
    names,
    numbers(0),
    text(""),
    bits((writer) => {
      values(writer);
      values(writer);
    }),
  ];
  const noCells = (writer: BitWriter): void => writer.bits(0, 2);
  /** Calls, errors and calls without gap. */
  const emptyEdge = (writer: BitWriter): void => {
    for (let at = 0; at < 3; at++) writer.gamma(0);
  };
  const noDigests = numbers(0);
  const edges = (size: number, write: (writer: BitWriter) => void): Write[] => [
    ...twoKeys,
    bits((writer) => {
      noCells(writer);
      writer.gamma(size);
      write(writer);
    }),
    noDigests,
  ];
  const withValues = (all: string, ...shapes: (readonly number[])[]): Uint8Array =>
    bytesOf(
      head(),
      names,
      numbers(2),
      text(all),
      bits((writer) => {
        values(writer, ...shapes);
        values(writer, one);
        writer.bits(0, 9);
      }),
    );

  test.each<[string, Uint8Array, RegExp]>([
    ["nothing", bytesOf(), /ends at byte/],
    ["an unknown version", bytesOf(head(2), ...noKeys.slice(1)), /version is 2/],
    ["no dimensions", bytesOf(head(), strings(), numbers(0, 0, 0)), /no dimensions/],
    ["a dimension twice", bytesOf(head(), strings("a", "a"), numbers(0, 0, 0)), /repeats/],
    ["16 dimensions", bytesOf(head(), strings(..."abcdefghijklmnop")), /16 dimensions/],
    ["more values than keys", withValues("abcx", one, one, one), /3 values of 2 keys/],
    ["values out of order", withValues("bax", one, one), /ascending/],
    ["a value twice", withValues("ax", one, [1, 0, 0]), /ascending/],
    ["a value that could share more", withValues("aabx", one, [0, 0, 2]), /less than it could/],
    ["a value longer than the text", withValues("ax", one, [0, 0, 3]), /longer than the text/],
    ["a value that shares what is not there", withValues("abx", one, [2, 0, 1]), /longer/],
    ["text that is no value's", withValues("abxy", one, one), /no value's/],
    ["more keys than bits", bytesOf(head(), names, numbers(700), text(""), text("")), /700 keys/],
    ["more keys than the limit", bytesOf(head(), names, numbers(2026), text(""), text("")), /2026/],
    [
      "an unknown value",
      bytesOf(
        ...twoKeys.slice(0, 4),
        keyBits((writer) => writer.gamma(1)),
      ),
      /value 2 of fewer/,
    ],
    [
      "a value that no key has",
      bytesOf(
        head(),
        names,
        numbers(1),
        text("ax"),
        bits((writer) => {
          values(writer, one);
          values(writer);
        }),
      ),
      /0 values of 1 keys/,
    ],
    [
      "an edge of an unknown caller",
      bytesOf(...edges(1, (writer) => writer.gamma(2))),
      /keys 2 and 0 of 2/,
    ],
    [
      "an edge of an unknown callee",
      bytesOf(
        ...edges(1, (writer) => {
          writer.gamma(0);
          writer.gamma(2);
        }),
      ),
      /keys 0 and 2 of 2/,
    ],
    ["more edges than the limit", bytesOf(...edges(1001, emptyEdge)), /1001 edges/],
    [
      "text that is not UTF-8",
      bytesOf(head(), names, numbers(2), sized(Uint8Array.of(0xff)), keyBits()),
      /UTF-8/,
    ],
    ["bits that are not needed", bytesOf(...edges(0, (writer) => writer.bits(0, 9))), /behind/],
    ["a bit behind the end", bytesOf(...edges(0, (writer) => writer.bits(1, 1))), /zeros/],
    [
      "values of a key without a cell",
      bytesOf(...edges(0, () => undefined).slice(0, -1), numbers(1, 1)),
      /key 1, which has no cell/,
    ],
  ])("%s", (_, bytes, problem) => {
    expect(refusalOf(bytes)).toMatch(problem);
    expect(refusalOf(bytes)).toMatch(/^SKETCH_INVALID/);
  });

  test("the cases above differ from bytes that are accepted", () => {
    const twoEdges = edges(2, (writer) => {
      writer.gamma(0);
      writer.gamma(1);
      emptyEdge(writer);
      writer.gamma(1);
      writer.bits(0, 1);
      emptyEdge(writer);
    });
    expect(refusalOf(bytesOf(...twoEdges))).toBe("");
    const empty = bits((writer) => writer.gamma(0));
    expect(refusalOf(bytesOf(...noKeys, empty, noDigests))).toBe("");
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
