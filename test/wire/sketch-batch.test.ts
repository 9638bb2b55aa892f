import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createByteWriter } from "../../base/bytes.ts";
import { createPrng } from "../../base/prng.ts";
import { createCell, createEdgeCell } from "../../sketch/cell.ts";
import { addCell, addEdge, createCube } from "../../sketch/cube.ts";
import { addHistogram } from "../../sketch/histogram.ts";
import { builtInDimensions, intern, keyOf } from "../../sketch/key.ts";
import { lossCauses } from "../../wire/lost-records.ts";
import {
  type BatchHeader,
  decodeBatchHead,
  decodeSketchBatch,
  defaultBatchLimits,
  encodeSketchBatch,
  type GapBatch,
  type HalfEdge,
  type HeartbeatBatch,
  type LostRecord,
  type SketchBatch,
  type TombstoneBatch,
  type WindowBatch,
} from "../../wire/sketch-batch.ts";
import { hex, hexOf } from "./proto-tree.ts";

const windowStartMs = 1_700_000_000_000;
const header: BatchHeader = {
  streamId: "00112233445566778899aabbccddeeff",
  seq: 7,
  streamSpans: 1_000,
  agent: "node-1",
  watermarkMs: 1_700_000_012_345,
  hashKeyId: "k1",
  thresholdsRevision: 7,
  windowLengthMs: 10_000,
};
const heartbeat: HeartbeatBatch = { ...header, kind: "heartbeat", oldestSeq: 3, question: 7 };
const lost: readonly LostRecord[] = [
  { seq: 2, spans: 40, errors: 4, windowStartMs },
  { seq: 3, spans: 0, errors: 0, windowStartMs: 0 },
  { seq: 6, spans: 7, errors: 7, windowStartMs: windowStartMs + 10_000 },
];
const tombstone: TombstoneBatch = { ...header, kind: "tombstone", cause: "refused", lost };
const gap: GapBatch = {
  ...header,
  kind: "gap",
  gapFromMs: windowStartMs - 90_000,
  gapToMs: windowStartMs,
};

/** A window of keys that come in the order of `services`. */
function windowOf(
  services: readonly string[],
  halfEdges: (key: number) => HalfEdge[],
): WindowBatch {
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
    ...header,
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

function decoded<Batch extends SketchBatch>(batch: Batch): Batch {
  const result = check(encodeSketchBatch(batch));
  if (typeof result === "string") throw new Error(result);
  return result as Batch;
}

/** Half-edges with the names of their keys, in an order of their own. */
function namedHalfEdges({ cube, halfEdges }: WindowBatch): string[] {
  return halfEdges
    .map((half) => JSON.stringify({ ...half, key: keyOf(cube.keys, half.key) }, sortedNames))
    .sort();
}

const sortedNames = ["side", "idLow", "idHigh", "key", "durationNs", "startMs", "failed"];

describe("laws", () => {
  test.each<SketchBatch>([
    heartbeat,
    { ...heartbeat, seq: 0, oldestSeq: 1, streamSpans: 0 },
    tombstone,
    gap,
  ])("a $kind comes back as it was", (batch) => {
    expect(decoded(batch)).toEqual(batch);
  });

  test.each<SketchBatch>([heartbeat, tombstone, gap])("the head of a $kind", (batch) => {
    const bytes = encodeSketchBatch(batch);
    const question = batch.kind === "heartbeat" ? batch.question : undefined;
    // Of a heartbeat the question belongs to the head, and that is its end.
    const head = decodeBatchHead(question === undefined ? bytes.subarray(0, -1) : bytes);
    expect(head).toEqual({ ok: true, value: { kind: batch.kind, ...header, question } });
    for (const size of [0, 1, 2, 17])
      expect(decodeBatchHead(bytes.subarray(0, size)).ok).toBe(false);
  });

  test("any tombstone comes back", () => {
    const count = fc.integer({ min: 0, max: 2 ** 40 });
    const record = fc.record({ step: fc.integer({ min: 1, max: 99 }), spans: count, at: count });
    fc.assert(
      fc.property(
        fc.array(record, { minLength: 1 }),
        fc.constantFrom(...lossCauses),
        (steps, cause) => {
          let seq = 0;
          const records = steps.map(({ step, spans, at }) => {
            seq += step;
            return { seq, spans, errors: Math.floor(spans / 3), windowStartMs: at };
          });
          const batch = { ...tombstone, seq: seq + 1, cause, lost: records };
          expect(decoded(batch)).toEqual(batch);
        },
      ),
      { seed: 5, numRuns: 200 },
    );
  });

  test("a window comes back; half-edges keep the key they named", () => {
    const batch = windowOf(["web", "cart", "__proto__"], twoSides);
    const back = decoded(batch);
    const { cube: _, halfEdges: __, folded, ...rest } = batch;
    expect(back).toMatchObject(rest);
    expect(back.folded).toEqual([...folded].reverse());
    expect(namedHalfEdges(back)).toEqual(namedHalfEdges(batch));
    expect(back.cube.keys.size).toBe(3);
    expect(back.cube.edges.size).toBe(batch.cube.edges.size);
  });

  test("bytes depend on neither the order of keys nor that of half-edges", () => {
    const one = windowOf(["web", "cart", "db"], twoSides);
    const other = windowOf(["db", "web", "cart"], (key) => twoSides(key).reverse());
    const edges = one.cube.edges.size;
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

/** Released bytes, one record a paragraph: a window, a tombstone, a gap, a heartbeat. */
function goldenRecords(): string[] {
  const path = new URL("../golden/sketch-batch-v1.hex", import.meta.url);
  const paragraphs = readFileSync(path, "utf8").trim().split("\n\n");
  return paragraphs.map((paragraph) => paragraph.replace(/\s+/g, ""));
}

describe("golden", () => {
  test("the bytes of version 1 decode, and are written again", () => {
    const expected = windowOf(["web", "cart"], twoSides);
    const all = [expected, tombstone, gap, heartbeat];
    const golden = goldenRecords();
    expect(all.map((batch) => hexOf(encodeSketchBatch(batch)))).toEqual(golden);
    expect(golden.slice(1).map((text) => check(hex(text)))).toEqual(all.slice(1));
    const back = check(hex(golden[0] as string));
    expect(back).toMatchObject({ seq: 300, agent: "node-1", keyDemand: 123_456 });
    expect(namedHalfEdges(back as WindowBatch)).toEqual(namedHalfEdges(expected));
  });
});

interface Header {
  version: number;
  kind: number;
  seq: number;
  agent: string;
  windowLengthMs: number;
  /** What follows the header. */
  body: readonly number[];
}

/** A heartbeat written by hand, for what `encodeSketchBatch` would not write. */
function written(changes: Partial<Header>): Uint8Array {
  const plain = { version: 1, kind: 0, seq: 1, agent: "a", windowLengthMs: 10_000, body: [1, 9] };
  const all = { ...plain, ...changes };
  const writer = createByteWriter();
  writer.u8(all.version);
  writer.u8(all.kind);
  writer.bytes(new Uint8Array(16));
  writer.varint(all.seq);
  writer.varint(9);
  writer.string(all.agent);
  writer.varint(0);
  writer.string("k");
  writer.varint(0);
  writer.varint(all.windowLengthMs);
  for (const byte of all.body) writer.u8(byte);
  return writer.finish();
}

const windowCode = 1;
const tombstoneCode = 2;
const gapCode = 3;
/** Counts of a window whose spans and errors are these, nothing folded. */
const counts = (spans: number, errors: number, ...folded: number[]): number[] => [
  ...[spans, errors, 0, 0, 0, 0],
  ...folded,
];
const wordA = [1, 97, 1];
const wordB = [1, 98, 1];

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
    expect(check(written({}))).toMatchObject({ kind: "heartbeat", seq: 1, oldestSeq: 1 });
    expect(check(written({ seq: 0 }))).toMatchObject({ kind: "heartbeat", seq: 0 });
  });

  test.each<[string, Uint8Array, string]>([
    ["nothing", new Uint8Array(0), "ends at byte 0"],
    ["zeros", new Uint8Array(100), "version 0"],
    ["an unknown kind", written({ kind: 4 }), "kind is 4"],
    ["window 0", written({ kind: windowCode, seq: 0 }), "sequence number 0"],
    ["tombstone 0", written({ kind: tombstoneCode, seq: 0 }), "sequence number 0"],
    ["gap 0", written({ kind: gapCode, seq: 0, body: [1, 2] }), "sequence number 0"],
    ["windows of no length", written({ windowLengthMs: 0 }), "windows of 0 ms"],
    [
      "more errors than spans",
      written({ kind: windowCode, body: counts(5, 6, 0) }),
      "6 errors in 5 spans",
    ],
    ["an oldest record of 0", written({ body: [0, 9] }), "oldest record 0"],
    [
      "a question of 33 bits",
      written({ body: [1, 128, 128, 128, 128, 16] }),
      "question 4294967296",
    ],
    [
      "an oldest record not used yet",
      written({ body: [3, 9] }),
      "oldest record 3, not from 1 to 2",
    ],
    ["a gap of no length", written({ kind: gapCode, body: [7, 7] }), "gap from 7 to 7"],
    ["a tombstone of nothing", written({ kind: tombstoneCode, body: [0, 0] }), "declares 0"],
    ["an unknown cause", written({ kind: tombstoneCode, body: [5, 0] }), "cause 5"],
    [
      "a tombstone for records beyond its bytes",
      written({ kind: tombstoneCode, seq: 99, body: [0, 3, 1, 1, 1, 1, 1, 1, 1, 1] }),
      "declares 3 records",
    ],
    [
      "a tombstone for itself",
      written({ kind: tombstoneCode, seq: 4, body: [0, 1, 4, 1, 1, 0] }),
      "declares record 4",
    ],
    [
      "a tombstone for a record twice",
      written({ kind: tombstoneCode, seq: 4, body: [0, 2, 1, 1, 1, 0, 0, 1, 1, 0] }),
      "not in ascending order",
    ],
    [
      "a tombstone with more errors than spans",
      written({ kind: tombstoneCode, seq: 4, body: [0, 1, 1, 1, 2, 0] }),
      "2 errors in 1 spans",
    ],
    [
      "a window that says more than its cells",
      encodeSketchBatch({
        ...windowOf(["web"], () => []),
        counts: { spans: 4, errors: 1, rejected: 0, late: 0, unpaired: 0 },
      }),
      "says 4 spans and 1 errors, its cells 3 and 1",
    ],
    [
      "a window of more spans than its stream",
      encodeSketchBatch({ ...windowOf(["web"], () => []), streamSpans: 2 }),
      "3 spans, its stream up to here only 2",
    ],
    ["a long name", written({ agent: "x".repeat(5000) }), "agent of 5000 characters"],
    [
      "a dimension folded twice",
      written({ kind: windowCode, body: counts(0, 0, 2, ...wordA, ...wordA) }),
      "ascending",
    ],
    [
      "dimensions out of order",
      written({ kind: windowCode, body: counts(0, 0, 2, ...wordB, ...wordA) }),
      "ascending",
    ],
    [
      "too many folded dimensions",
      written({ kind: windowCode, body: counts(0, 0, 16) }),
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

  test("another version says so", () => {
    expect(check(written({ version: 2 }))).toBe("BATCH_VERSION: batch version is 2, not 1");
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
    const all = [heartbeat, tombstone, gap, windowOf(["web", "cart"], twoSides)];
    const seeds = all.map(encodeSketchBatch);
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

describe("metrics", () => {
  const key = ["shop", "queue.length", "metric", "", "", "", ""];
  const spanKey = ["shop", "GET /", "server", "", "", "", ""];

  /** Decodes a window with one metric, as `change` leaves it. */
  function check(change: (window: WindowBatch, metric: number, span: number) => WindowBatch) {
    const cube = createCube(windowStartMs, builtInDimensions, { keysMax: 100, edgesMax: 100 });
    const metric = intern(cube.keys, key);
    const span = intern(cube.keys, spanKey);
    cube.cells.addValue(cube.cells.rowFor(metric), -2.5, 1);
    const window: WindowBatch = {
      ...{ ...header, kind: "window", cube, halfEdges: [], halfEdgeShift: 0, folded: [] },
      counts: { spans: 0, errors: 0, rejected: 0, late: 0, unpaired: 0 },
      keyDemand: 0,
    };
    return decodeSketchBatch(encodeSketchBatch(change(window, metric, span)));
  }

  test("have values and no spans", () => {
    const decoded = check((window) => window);
    if (!decoded.ok || decoded.value.kind !== "window") throw new Error("refused");
    const [cell] = [...decoded.value.cube.cells.values()];
    expect([cell?.count, cell?.values?.min, cell?.values?.count]).toEqual([0, -2.5, 1]);
  });

  test("that are said to have spans, or calls, are refused", () => {
    const counted = check((window, metric) => {
      const cell = { ...createCell(), count: 1, adjusted: 2 ** 16 };
      addHistogram(cell.durationNs, 1);
      addCell(window.cube, metric, cell);
      return { ...window, counts: { ...window.counts, spans: 1 } };
    });
    expect(counted).toMatchObject({
      ok: false,
      error: { message: expect.stringMatching(/spans under a metric/) },
    });
    const called = check((window, metric, span) => {
      addEdge(window.cube, { caller: span, callee: metric }, { ...createEdgeCell(), count: 1 });
      return window;
    });
    expect(called).toMatchObject({
      ok: false,
      error: { message: expect.stringMatching(/call of a metric/) },
    });
  });
});
