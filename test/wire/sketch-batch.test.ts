import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createByteWriter } from "../../base/bytes.ts";
import { createPrng } from "../../base/prng.ts";
import { createCell, createEdgeCell } from "../../sketch/cell.ts";
import { addCell, addEdge, createCube } from "../../sketch/cube.ts";
import { addHistogram } from "../../sketch/histogram.ts";
import { builtInDimensions, intern, keyOf } from "../../sketch/key.ts";
import {
  decodeSketchBatch,
  defaultBatchLimits,
  encodeSketchBatch,
  type HalfEdge,
  type SketchBatch,
} from "../../wire/sketch-batch.ts";
import { hex, hexOf } from "./proto-tree.ts";

const windowStartMs = 1_700_000_000_000;
const heartbeat: SketchBatch = {
  kind: "heartbeat",
  streamId: "00112233445566778899aabbccddeeff",
  seq: 1,
  agent: "node-1",
  watermarkMs: 1_700_000_012_345,
  hashKeyId: "k1",
  thresholdsRevision: 7,
  windowLengthMs: 10_000,
  cube: undefined,
  halfEdges: [],
  halfEdgeShift: 0,
  counts: { spans: 0, errors: 0, rejected: 2, late: 0, unpaired: 0 },
  folded: [],
  keyDemand: 0,
};

/** A window of keys that come in the order of `services`. */
function windowOf(
  services: readonly string[],
  halfEdges: (key: number) => HalfEdge[],
): SketchBatch {
  const cube = createCube(windowStartMs, builtInDimensions, { keysMax: 100, edgesMax: 100 });
  const ids = services.map((service) =>
    intern(cube.keys, [service, "GET /", "server", "", "1.0", "prod", "eu"]),
  );
  for (const [at, id] of ids.entries()) {
    const cell = { ...createCell(), count: 3, adjusted: 3 * 2 ** 16, errors: 1 };
    for (const ns of [1_000, 2_000_000, 3_000_000_000]) addHistogram(cell.durationNs, ns);
    addCell(cube, id, cell);
    const edge = { ...createEdgeCell(), count: 1 };
    addHistogram(edge.gapNs, 5_000);
    addEdge(cube, { caller: id, callee: ids[(at + 1) % ids.length] as number }, edge);
  }
  return {
    ...heartbeat,
    kind: "window",
    seq: 300,
    cube,
    halfEdges: ids.flatMap(halfEdges),
    halfEdgeShift: 3,
    counts: { spans: 3 * ids.length, errors: ids.length, rejected: 0, late: 1, unpaired: 2 },
    folded: [
      { dimension: "operation", spans: 2 },
      { dimension: "cloud.region", spans: 9 },
    ],
    keyDemand: 123_456,
  };
}

function halfEdge(key: number, more: Partial<HalfEdge> = {}): HalfEdge {
  const known = { side: "caller", idHigh: 0xdeadbeef, idLow: 5, key, failed: false } as const;
  return { ...known, durationNs: 1_234_567, startMs: windowStartMs - 250, ...more };
}

const twoSides = (key: number): HalfEdge[] => [
  halfEdge(key, { side: "callee", failed: true, startMs: windowStartMs + 9_999 }),
  halfEdge(key),
];

/** What comes out of the bytes, or why nothing does. */
function check(bytes: Uint8Array): SketchBatch | string {
  const decoded = decodeSketchBatch(bytes);
  return decoded.ok ? decoded.value : `${decoded.error.code}: ${decoded.error.message}`;
}

function decoded(batch: SketchBatch): SketchBatch {
  const result = check(encodeSketchBatch(batch));
  if (typeof result === "string") throw new Error(result);
  return result;
}

/** Half-edges with the names of their keys, in an order of their own. */
function namedHalfEdges(batch: SketchBatch): string[] {
  const cube = batch.cube;
  if (cube === undefined) return [];
  return batch.halfEdges
    .map((half) => JSON.stringify({ ...half, key: keyOf(cube.keys, half.key) }, sortedNames))
    .sort();
}

const sortedNames = ["side", "idLow", "idHigh", "key", "durationNs", "startMs", "failed"];

describe("laws", () => {
  test("a heartbeat comes back as it was", () => {
    expect(decoded(heartbeat)).toEqual(heartbeat);
  });

  test("a window comes back; half-edges keep the key they named", () => {
    const batch = windowOf(["web", "cart", "__proto__"], twoSides);
    const back = decoded(batch);
    const { cube: _, halfEdges: __, folded, ...rest } = batch;
    expect(back).toMatchObject(rest);
    expect(back.folded).toEqual([...folded].reverse());
    expect(namedHalfEdges(back)).toEqual(namedHalfEdges(batch));
    expect(back.cube?.keys.size).toBe(3);
    expect(back.cube?.edges.size).toBe(batch.cube?.edges.size);
  });

  test("bytes depend on neither the order of keys nor that of half-edges", () => {
    const one = windowOf(["web", "cart", "db"], twoSides);
    const other = windowOf(["db", "web", "cart"], (key) => twoSides(key).reverse());
    const edges = one.cube?.edges.size;
    expect(edges).toBe(3);
    expect(hexOf(encodeSketchBatch(other))).toBe(hexOf(encodeSketchBatch(one)));
    expect(hexOf(encodeSketchBatch(decoded(one)))).toBe(hexOf(encodeSketchBatch(one)));
  });

  test("any half-edge comes back", () => {
    const word = fc.integer({ min: 0, max: 2 ** 32 - 1 });
    const half = fc.record({
      side: fc.constantFrom("caller" as const, "callee" as const),
      idHigh: word,
      idLow: word,
      key: fc.constant(0),
      durationNs: fc.maxSafeNat(),
      startMs: fc.integer({ min: 0, max: 2 ** 51 }),
      failed: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(half), (halfEdges) => {
        const batch = windowOf(["web"], () => halfEdges);
        expect(namedHalfEdges(decoded(batch))).toEqual(namedHalfEdges(batch));
      }),
      { seed: 4, numRuns: 200 },
    );
  });

  test("a half-edge costs about 16 bytes", () => {
    const prng = createPrng(8);
    const many = windowOf(["web"], () =>
      Array.from({ length: 1000 }, () =>
        halfEdge(0, {
          idHigh: prng.integer(2 ** 32),
          idLow: prng.integer(2 ** 32),
          durationNs: prng.integer(2 ** 27),
          startMs: windowStartMs + prng.integer(10_000),
        }),
      ),
    );
    const none = windowOf(["web"], () => []);
    const size = encodeSketchBatch(many).length - encodeSketchBatch(none).length;
    expect(size / 1000).toBeLessThanOrEqual(17);
  });
});

describe("golden", () => {
  test("the bytes of version 1 decode, and are written again", () => {
    const golden = readFileSync(
      new URL("../golden/sketch-batch-v1.hex", import.meta.url),
      "utf8",
    ).replace(/\s+/g, "");
    const expected = windowOf(["web", "cart"], twoSides);
    expect(hexOf(encodeSketchBatch(expected))).toBe(golden);
    const back = check(hex(golden));
    expect(back).toMatchObject({ seq: 300, agent: "node-1", keyDemand: 123_456 });
    expect(namedHalfEdges(back as SketchBatch)).toEqual(namedHalfEdges(expected));
  });
});

interface Header {
  version: number;
  kind: number;
  seq: number;
  agent: string;
  windowLengthMs: number;
  spans: number;
  errors: number;
  folded: [string, number][];
}

/** A heartbeat written by hand, for what `encodeSketchBatch` would not write. */
function written(changes: Partial<Header>): Uint8Array {
  const header = { version: 1, kind: 0, seq: 1, agent: "a", windowLengthMs: 10_000 };
  const all = { ...header, spans: 5, errors: 0, folded: [], ...changes };
  const writer = createByteWriter();
  writer.u8(all.version);
  writer.u8(all.kind);
  writer.bytes(new Uint8Array(16));
  writer.varint(all.seq);
  writer.string(all.agent);
  writer.varint(0);
  writer.string("k");
  writer.varint(0);
  writer.varint(all.windowLengthMs);
  for (const count of [all.spans, all.errors, 0, 0, 0, 0]) writer.varint(count);
  writer.varint(all.folded.length);
  for (const [dimension, spans] of all.folded) {
    writer.string(dimension);
    writer.varint(spans);
  }
  return writer.finish();
}

/** A window's bytes up to its half-edges, then these. */
function withHalfEdges(write: (writer: ReturnType<typeof createByteWriter>) => void): Uint8Array {
  const bytes = encodeSketchBatch(windowOf(["web"], () => []));
  const writer = createByteWriter();
  writer.bytes(bytes.subarray(0, -1));
  write(writer);
  return writer.finish();
}

function writeHalf(writer: ReturnType<typeof createByteWriter>, id: number, key = 0, start = 0) {
  writer.u32(0);
  writer.u32(id);
  writer.varint(key * 4);
  writer.varint(1);
  writer.varint(start);
}

describe("hostile bytes", () => {
  test("the hand-written heartbeat is sound without changes", () => {
    expect(
      check(
        written({
          folded: [
            ["a", 1],
            ["b", 2],
          ],
        }),
      ),
    ).toMatchObject({ kind: "heartbeat" });
  });

  test.each<[string, Uint8Array, string]>([
    ["nothing", new Uint8Array(0), "version is 0"],
    ["another version", written({ version: 2 }), "version is 2, not 1"],
    ["an unknown kind", written({ kind: 2 }), "kind is 2"],
    ["sequence number 0", written({ seq: 0 }), "sequence number 0"],
    ["windows of no length", written({ windowLengthMs: 0 }), "windows of 0 ms"],
    ["more errors than spans", written({ errors: 6 }), "6 errors in 5 spans"],
    ["a long name", written({ agent: "x".repeat(5000) }), "agent of 5000 characters"],
    [
      "a dimension folded twice",
      written({
        folded: [
          ["a", 1],
          ["a", 1],
        ],
      }),
      "ascending",
    ],
    [
      "dimensions out of order",
      written({
        folded: [
          ["b", 1],
          ["a", 1],
        ],
      }),
      "ascending",
    ],
    [
      "too many folded dimensions",
      written({ folded: Array.from({ length: 16 }, (_, at) => [`d${at}`, 1]) }),
      "folds 16 dimensions",
    ],
    ["a heartbeat with something behind", Uint8Array.from([...written({}), 0]), "1 bytes behind"],
    ["a window without a cube", written({ kind: 1 }), "batch"],
    ["half-edges beyond the bytes", withHalfEdges((writer) => writer.varint(9e5)), "900000 half"],
    ["a million half-edges and one", withHalfEdges((w) => w.varint(1_000_001)), "at most 1000000"],
    [
      "half-edges out of order",
      withHalfEdges((writer) => {
        writer.varint(2);
        writeHalf(writer, 2);
        writeHalf(writer, 1);
      }),
      "half-edges are not in ascending order",
    ],
    [
      "a half-edge of an unknown key",
      withHalfEdges((writer) => {
        writer.varint(1);
        writeHalf(writer, 1, 1);
      }),
      "half-edge names key 1 of 1",
    ],
    [
      "a half-edge before time",
      withHalfEdges((writer) => {
        writer.varint(1);
        writeHalf(writer, 1, 0, 4 * windowStartMs + 1);
      }),
      "half-edge starts at -",
    ],
  ])("%s", (_, bytes, expected) => {
    expect(check(bytes)).toMatch(/^BATCH_INVALID: /);
    expect(check(bytes)).toContain(expected);
  });

  test.each([
    ["edgesMax", "50 edges, at most 3"],
    ["halfEdgesMax", "100 half-edges, at most 3"],
  ])("a limit on %s holds", (limit, expected) => {
    const services = Array.from({ length: 50 }, (_, at) => `service-${at}`);
    const bytes = encodeSketchBatch(windowOf(services, twoSides));
    expect(typeof check(bytes)).toBe("object");
    const result = decodeSketchBatch(bytes, { ...defaultBatchLimits, [limit]: 3 });
    expect(result.ok ? "" : result.error.message).toContain(expected);
  });

  test("a window off the grid", () => {
    const batch = { ...windowOf(["web"], twoSides), windowLengthMs: 7 };
    expect(check(encodeSketchBatch(batch))).toContain("no multiple of 7 ms");
  });

  test("cut at any byte, a batch is refused", () => {
    const bytes = encodeSketchBatch(windowOf(["web", "cart"], twoSides));
    for (let size = 0; size < bytes.length; size++) {
      expect(typeof check(bytes.subarray(0, size)), `first ${size} bytes`).toBe("string");
    }
  });

  test("20,000 mutants neither throw nor hang; what is accepted encodes again", () => {
    const prng = createPrng(77);
    const seeds = [heartbeat, windowOf(["web", "cart"], twoSides)].map(encodeSketchBatch);
    let accepted = 0;
    for (let round = 0; round < 20_000; round++) {
      const mutant = prng.pick(seeds).slice();
      for (let changes = 1 + prng.integer(3); changes > 0; changes--) {
        mutant[prng.integer(mutant.length)] = prng.pick([
          0,
          1,
          0x7f,
          0x80,
          0xff,
          prng.integer(256),
        ]);
      }
      const result = check(mutant);
      if (typeof result === "string") continue;
      accepted++;
      const again = encodeSketchBatch(result);
      expect(hexOf(encodeSketchBatch(decoded(result)))).toBe(hexOf(again));
    }
    expect(accepted).toBeGreaterThan(100);
  });
});
