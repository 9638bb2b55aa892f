/**
 * D5: sketches no agent made. Each is a good batch with one part replaced, sent to a collector; it
 * must be refused with a code and leave every total as it was. And customers chosen by somebody who
 * knows the code but not the key must be counted as well as any others.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BitWriter } from "../../base/bits.ts";
import { type ByteWriter, createByteWriter } from "../../base/bytes.ts";
import { OperationalError } from "../../base/errors.ts";
import type { Cell } from "../../sketch/cell.ts";
import { writeCell } from "../../sketch/cell-codec.ts";
import { CellTable } from "../../sketch/cell-table.ts";
import { addCell, createCube } from "../../sketch/cube.ts";
import { addDigest, createDigest } from "../../sketch/digest.ts";
import { encodeDigest } from "../../sketch/digest-codec.ts";
import { addToBucket, bucketIndexMax } from "../../sketch/histogram.ts";
import { addHll, createHll, estimateHll, type Hll, hllRankMax } from "../../sketch/hll.ts";
import { builtInDimensions, intern } from "../../sketch/key.ts";
import { createSipKey, type SipKey, sipHash24 } from "../../sketch/sip-hash.ts";
import { encodeSketchBatch, type WindowBatch } from "../../wire/sketch-batch.ts";
import { batchOf, metric, type Running, startCollector, windowMs } from "../collector/fixture.ts";
import { type Row, type RowDefect, rowOf } from "../scoreboard-row.ts";

/** Three standard errors at 2^14 registers, in percent. */
const errorPercentMax = 2.5;
const chosenCount = 100_000;
const honestSpans = 20;

interface Hostile {
  readonly name: string;
  readonly bytes: Uint8Array;
}

export async function hostileSketches(): Promise<Row> {
  const folder = mkdtempSync(join(tmpdir(), "brunt-hostile-"));
  const running = await startCollector({ dataDir: folder });
  try {
    await running.collector.link.send(honestBytes());
    const before = metric(running.meter, "brunt_collector_spans_total");
    const hostile = hostileBatches();
    let taken = 0;
    let withoutCode = 0;
    for (const { name, bytes } of hostile) {
      const code = await codeOf(running, bytes);
      if (code === undefined) taken++;
      else if (code === "") withoutCode++;
      if (code === undefined || code === "") process.stderr.write(`not refused: ${name}\n`);
    }
    const after = metric(running.meter, "brunt_collector_spans_total");
    await running.advance(3 * windowMs);
    const decided = running.decider.seen.reduce((sum, { spans }) => sum + spans, 0);
    const value = {
      taken,
      withoutCode,
      totalsChangedBy: Math.abs(after - before) + Math.abs(decided - honestSpans),
      chosenErrorPercent: chosenError(createSipKey(secretKey)),
    };
    const limit = {
      taken: 0,
      withoutCode: 0,
      totalsChangedBy: 0,
      chosenErrorPercent: errorPercentMax,
    };
    return rowOf({ row: "D5", n: hostile.length + chosenCount, value, limit });
  } finally {
    await running.collector.shutdown();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The code of the refusal, "" for one without, undefined when the batch was taken. */
async function codeOf(running: Running, bytes: Uint8Array): Promise<string | undefined> {
  try {
    await running.collector.link.send(bytes);
    return undefined;
  } catch (cause) {
    return cause instanceof OperationalError ? cause.code : "";
  }
}

const spec = {
  window: 0,
  spans: Array.from({ length: honestSpans }, (_, at) => ({
    ms: 1 + at,
    customer: 1_000_003 * (at + 1),
    failed: at % 4 === 0,
  })),
};

const values = createDigest();
for (const value of [-3, 1.5, 2, 8]) addDigest(values, value);

/** An agent's batch of one cell, and the cell. */
function honestBatch(): { batch: WindowBatch; cell: Cell } {
  const batch = batchOf(spec);
  const [view] = [...batch.cube.cells.values()];
  if (view === undefined) throw new Error("the batch has no cell");
  const { count, adjusted, errors, originErrors, slow, originSlow } = view;
  const { durationNs, selfNs, customers, customersFailed, customersSlow } = view;
  const cell: Cell = {
    ...{ count, adjusted, errors, originErrors, slow, originSlow },
    ...{ durationNs, selfNs, customers, customersFailed, customersSlow, values },
  };
  return { batch: batchOfCell(batch, cell), cell };
}

function batchOfCell(batch: WindowBatch, cell: Cell): WindowBatch {
  const { windowStartMs, keys } = batch.cube;
  const cube = createCube(windowStartMs, builtInDimensions, { keysMax: 10, edgesMax: 10 });
  addCell(cube, intern(cube.keys, keys.keys[0] as string[]), cell);
  return { ...batch, cube };
}

function honestBytes(): Uint8Array {
  return encodeSketchBatch(honestBatch().batch);
}

function written(write: (writer: ByteWriter) => void): Uint8Array {
  const writer = createByteWriter();
  write(writer);
  return writer.finish();
}

/** The batch under the next number, with what stands once in its bytes replaced. */
function replaced(part: Uint8Array, by: Uint8Array): Uint8Array {
  const { batch } = honestBatch();
  const bytes = Buffer.from(encodeSketchBatch({ ...batch, seq: 2 }));
  const at = bytes.indexOf(part);
  if (at < 0) throw new Error("the batch lacks what is to be replaced");
  return Buffer.concat([bytes.subarray(0, at), by, bytes.subarray(at + part.length)]);
}

function hostileBatches(): Hostile[] {
  return [
    ...hostileCells(),
    ...hostileBits(),
    hostileRank(),
    ...hostileDigests(),
    ...hostileHeads(),
  ];
}

/** Cells that the writer takes and no agent makes. */
function hostileCells(): Hostile[] {
  const breaks: readonly [string, (cell: Cell) => void][] = [
    ["more errors than spans", (cell) => (cell.errors = cell.count + 1)],
    ["more origin errors than errors", (cell) => (cell.originErrors = cell.errors + 1)],
    ["more slow than spans", (cell) => (cell.slow = cell.count + 1)],
    ["more slow origins than slow", (cell) => Object.assign(cell, { slow: 1, originSlow: 2 })],
    ["fewer adjusted than spans", (cell) => cell.adjusted--],
    ["more customers than spans", (cell) => addCustomers(cell.customers, honestSpans + 1)],
    ["far more customers than spans", (cell) => addCustomers(cell.customers, 100_000)],
    ["more customers failed than errors", (cell) => addCustomers(cell.customersFailed, 15)],
    ["customers slow, but no sketch of all", (cell) => addCustomers(cell.customersSlow, 600)],
    ["all ranks 51, for twenty spans", (cell) => fillRegisters(cell, hllRankMax)],
    ["all ranks 63", (cell) => fillRegisters(cell, 63)],
    ["all ranks 8, for twenty spans", (cell) => fillRegisters(cell, 8)],
    ["few registers", (cell) => (cell.customers.registers = new Uint8Array(2 ** 14).fill(1, 0, 9))],
    ["a bucket too many", (cell) => addToBucket(cell.durationNs, bucketIndexMax, 1)],
    ["a sum below its extremes", (cell) => (cell.durationNs.sumNs = 1)],
    ["a sum above its extremes", (cell) => (cell.durationNs.sumNs = 2 ** 50)],
    ["a minimum above the maximum", (cell) => (cell.durationNs.minNs = 2 ** 52)],
    ["a maximum past 2^53", (cell) => (cell.durationNs.maxNs = 2 ** 60)],
    ["more zeros than spans", (cell) => (cell.durationNs.zeroCount = honestSpans + 1)],
  ];
  return breaks.map(([name, breakLaw]) => {
    const { batch, cell } = honestBatch();
    breakLaw(cell);
    const bytes = encodeSketchBatch({ ...batchOfCell(batch, cell), seq: 2 });
    return { name: `cell: ${name}`, bytes };
  });
}

function addCustomers(hll: Hll, count: number): void {
  for (let at = 0; at < count; at++) addHll(hll, Math.imul(at, 0x9e3779b1), Math.imul(at, 77_773));
}

function fillRegisters(cell: Cell, rank: number): void {
  cell.customers.registers = new Uint8Array(2 ** 14).fill(rank);
}

/** Among so many customers that a single register's rank says nothing about their number. */
function hostileRank(): Hostile {
  const spans = Array.from({ length: 4_000 }, (_, at) => ({
    customer: 1_000_003 * ((at % 2_000) + 1),
  }));
  const batch = batchOf({ window: 0, spans, seq: 2 });
  const { registers } = batch.cube?.cells.customers.denseOf(0).all ?? {};
  if (registers === undefined) throw new Error("the customers are too few");
  registers[registers.findIndex((rank) => rank > 0)] = hllRankMax + 1;
  return { name: "hll: a register of rank 52 among many", bytes: encodeSketchBatch(batch) };
}

/** The bits of keys and cells with one or a few wrong, and counts without the bytes for them. */
function hostileBits(): Hostile[] {
  const { batch, cell } = honestBatch();
  const head = written((writer) => encodeSized(writer, cell));
  const next = encodeSketchBatch({ ...batch, seq: 2 });
  const at = Buffer.from(next).indexOf(head);
  if (at < 0) throw new Error("the batch lacks what is to be replaced");
  const replacedBy = (bytes: Uint8Array): Uint8Array =>
    Buffer.concat([
      next.subarray(0, at),
      written((writer) => {
        writer.varint(bytes.length);
        writer.bytes(bytes);
      }),
      next.subarray(at + head.length),
    ]);
  const hugeCounts = new BitWriter();
  hugeCounts.bits(1, 1);
  for (let field = 0; field < 9; field++) hugeCounts.gamma(2 ** 52);
  return [
    ["no bits", new Uint8Array(0)],
    ["a thousand zeros", new Uint8Array(1_000)],
    ["a thousand ones", new Uint8Array(1_000).fill(0xff)],
    ["counts of 2^52", hugeCounts.finish()],
  ].map(([name, bytes]) => ({
    name: `bits: ${name as string}`,
    bytes: replacedBy(bytes as Uint8Array),
  }));
}

/** The one cell with its size before it, as the batch has it. */
function encodeSized(writer: ByteWriter, cell: Cell): void {
  const table = new CellTable();
  table.mergeCell(table.rowFor(0), cell);
  const bits = new BitWriter();
  bits.bits(1, 1);
  writeCell(bits, table, 0);
  // No edges.
  bits.gamma(0);
  const bytes = bits.finish();
  writer.varint(bytes.length);
  writer.bytes(bytes);
}

function hostileDigests(): Hostile[] {
  const { cell } = honestBatch();
  const honest = written((writer) => {
    if (cell.values !== undefined) encodeDigest(writer, cell.values);
  });
  const digest = (numbers: {
    min?: number;
    max?: number;
    sum?: number;
    size?: number;
    points: readonly (readonly [mean: number, weight: number])[];
  }): Uint8Array =>
    written((writer) => {
      const { min = 0, max = 9, sum = 9, points, size = points.length } = numbers;
      writer.varint(size);
      for (const value of [min, max, sum]) writer.f64(value);
      writer.u8(0);
      for (const value of points.flat()) writer.f64(value);
    });
  const { NaN: none, POSITIVE_INFINITY: infinity } = Number;
  const digests: readonly [string, Uint8Array][] = [
    ["weight -1", digest({ points: [[1, -1]] })],
    ["weight 0", digest({ points: [[1, 0]] })],
    ["weight NaN", digest({ points: [[1, none]] })],
    ["weight infinite", digest({ points: [[1, infinity]] })],
    ["weight 1e300", digest({ points: [[1, 1e300]] })],
    ["mean NaN", digest({ points: [[none, 1]] })],
    ["mean infinite", digest({ points: [[infinity, 1]], max: infinity })],
    [
      "means that fall",
      digest({
        points: [
          [5, 1],
          [4, 1],
        ],
      }),
    ],
    ["a mean below the minimum", digest({ points: [[-1, 1]] })],
    ["a mean above the maximum", digest({ points: [[10, 1]] })],
    ["a minimum of NaN", digest({ min: none, points: [[1, 1]] })],
    ["an infinite sum", digest({ sum: infinity, points: [[1, 1]] })],
    ["401 centroids", digest({ points: Array.from({ length: 401 }, () => [1, 1] as const) })],
    ["2^40 centroids in a few bytes", digest({ size: 2 ** 40, points: [[1, 1]] })],
  ];
  return digests.map(([name, by]) => ({ name: `digest: ${name}`, bytes: replaced(honest, by) }));
}

function hostileHeads(): Hostile[] {
  const { batch } = honestBatch();
  const next = { ...batch, seq: 2 };
  const good = encodeSketchBatch(next);
  const changed = (at: number, value: number): Uint8Array => {
    const bytes = good.slice();
    bytes[at] = value;
    return bytes;
  };
  const { counts } = batch;
  return [
    { name: "batch: another version", bytes: changed(0, 9) },
    { name: "batch: one byte more", bytes: Buffer.concat([good, Uint8Array.of(0)]) },
    { name: "batch: one byte less", bytes: good.subarray(0, -1) },
    { name: "batch: another hash key", bytes: encodeSketchBatch({ ...next, hashKeyId: "other" }) },
    { name: "batch: number 0", bytes: changed(numberAt, 0) },
    {
      name: "batch: a number again, with other content",
      bytes: encodeSketchBatch({ ...batch, agent: "x" }),
    },
    {
      name: "batch: more errors than spans",
      bytes: encodeSketchBatch({ ...next, counts: { ...counts, errors: counts.spans + 1 } }),
    },
    {
      name: "batch: windows of another length",
      bytes: encodeSketchBatch({ ...next, windowLengthMs: windowMs / 2 }),
    },
  ];
}

/** Where a batch has its sequence number: behind version, kind and stream id. */
const numberAt = 18;

const secretKey = Uint8Array.from({ length: 16 }, (_, at) => (at * 37 + 11) & 0xff);
const size = 8;

/**
 * Percent by which a count of customers is off whose ids all fall, under a key of zeros, into one
 * sixteenth of the registers: what an attacker can choose without the key.
 */
export function chosenError(key: SipKey): number {
  const attackers = createSipKey(new Uint8Array(16));
  const hll = createHll();
  const id = new Uint32Array(2);
  const bytes = new Uint8Array(id.buffer);
  const hash = new Uint32Array(2);
  let chosen = 0;
  for (let tried = 0; chosen < chosenCount; tried++) {
    id[0] = tried;
    sipHash24(attackers, bytes, 0, size, hash);
    if ((hash[1] as number) >>> 28 !== 0) continue;
    chosen++;
    sipHash24(key, bytes, 0, size, hash);
    addHll(hll, hash[0] as number, hash[1] as number);
  }
  return Number((Math.abs(estimateHll(hll) / chosenCount - 1) * 100).toFixed(2));
}

export const hostileSketchesDefects: readonly RowDefect[] = [
  {
    name: "weights of a digest are not looked at",
    caughtBy: "taken",
    patches: [
      {
        file: "sketch/digest-codec.js",
        find: "!(weight > 0 && weight <= weightMax * weightMax)",
        replace: "false",
      },
    ],
  },
  {
    name: "customers are not held against spans",
    caughtBy: "taken",
    patches: [{ file: "sketch/cell-codec.js", find: "if (least > spans)", replace: "if (false)" }],
  },
  {
    name: "customers are hashed without the key",
    caughtBy: "chosenErrorPercent",
    patches: [
      {
        file: "sketch/sip-hash.js",
        find: "const { words } = key;",
        replace: "const words = [0, 0, 0, 0];",
      },
    ],
  },
];
