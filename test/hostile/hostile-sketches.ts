/**
 * D5: sketches no agent made. Each is a good batch with one part replaced, sent to a collector; it
 * must be refused with a code and leave every total as it was. And customers chosen by somebody who
 * knows the code but not the key must be counted as well as any others.
 *
 * | seeded defect                                            | caught by                          |
 * | -------------------------------------------------------- | ---------------------------------- |
 * | a digest's weights are not looked at                     | weight -1, NaN, infinity           |
 * | a histogram's buckets need not add up to its count       | a span too many in its buckets     |
 * | registers are taken whatever their rank                  | a register of rank 52 among many   |
 * | customers are not held against spans                     | all ranks 51, for twenty spans     |
 * | customers are hashed without the key                     | chosen customers, error            |
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ByteWriter, createByteWriter } from "../../base/bytes.ts";
import { OperationalError } from "../../base/errors.ts";
import type { Cell } from "../../sketch/cell.ts";
import { addDigest, createDigest } from "../../sketch/digest.ts";
import { encodeDigest } from "../../sketch/digest-codec.ts";
import { bucketIndexMin, visitBuckets } from "../../sketch/histogram.ts";
import { encodeHistogram } from "../../sketch/histogram-codec.ts";
import { addHll, createHll, estimateHll, hllRankMax } from "../../sketch/hll.ts";
import { encodeHll } from "../../sketch/hll-codec.ts";
import { createSipKey, type SipKey, sipHash24 } from "../../sketch/sip-hash.ts";
import { encodeSketchBatch } from "../../wire/sketch-batch.ts";
import { batchOf, metric, type Running, startCollector, windowMs } from "../collector/fixture.ts";
import { type Row, rowOf } from "../scoreboard-row.ts";

/** Three standard errors at 2^14 registers, in percent. */
const errorPercentMax = 2.5;
const chosenCount = 100_000;
const honestSpans = 20;
const hllHead = 14 * 4;

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

function honestBatch(): { batch: ReturnType<typeof batchOf>; cell: Cell } {
  const batch = batchOf(spec);
  const [cell] = [...(batch.cube?.cells.values() ?? [])];
  if (cell === undefined) throw new Error("the batch has no cell");
  cell.values = createDigest();
  for (const value of [-3, 1.5, 2, 8]) addDigest(cell.values, value);
  return { batch, cell };
}

function honestBytes(): Uint8Array {
  return encodeSketchBatch(honestBatch().batch);
}

function written(write: (writer: ByteWriter) => void): Uint8Array {
  const writer = createByteWriter();
  write(writer);
  return writer.finish();
}

const varints = (...values: readonly number[]): Uint8Array =>
  written((writer) => {
    for (const value of values) writer.varint(value);
  });

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
    ...hostileHistograms(),
    ...hostileHlls(),
    hostileRank(),
    ...hostileDigests(),
    ...hostileHeads(),
  ];
}

function hostileCells(): Hostile[] {
  const { cell } = honestBatch();
  const { count, adjusted, errors, originErrors, slow, originSlow } = cell;
  const head = varints(count, adjusted, errors, originErrors, slow, originSlow);
  const cells: readonly [string, number[]][] = [
    ["more errors than spans", [count, adjusted, count + 1, 0, 0, 0]],
    ["more origin errors than errors", [count, adjusted, errors, errors + 1, 0, 0]],
    ["more slow than spans", [count, adjusted, errors, originErrors, count + 1, 0]],
    ["more slow origins than slow", [count, adjusted, errors, originErrors, 1, 2]],
    ["fewer adjusted than spans", [count, adjusted - 1, errors, originErrors, 0, 0]],
    ["more spans than durations", [count + 1, adjusted * 2, errors, originErrors, 0, 0]],
    ["fewer spans than durations", [count - 1, adjusted, errors, originErrors, 0, 0]],
    ["no errors, but customers failed", [count, adjusted, 0, 0, 0, 0]],
  ];
  return cells.map(([name, values]) => ({
    name: `cell: ${name}`,
    bytes: replaced(head, varints(...values)),
  }));
}

function hostileHistograms(): Hostile[] {
  const { cell } = honestBatch();
  const honest = written((writer) => encodeHistogram(writer, cell.durationNs));
  const { count, sumNs, minNs, maxNs } = cell.durationNs;
  const histograms: readonly [string, number[]][] = [
    ["a span too many in its buckets", bucketsOf(cell, (at) => (at === 3 ? 2 : 1))],
    ["a span too few in its buckets", bucketsOf(cell, (at) => (at === 3 ? 0 : 1))],
    ["an empty bucket", [count, 0, sumNs, minNs, maxNs - minNs, 2, 600, count, 1, 0]],
    ["a bucket past the last", [count, 0, sumNs, minNs, maxNs - minNs, 1, 2_000, count]],
    ["extremes outside the buckets", [count, 0, sumNs, 1, 1, 1, 900, count]],
    ["a sum below its extremes", [count, 0, 1, minNs, maxNs - minNs, 1, 640, count]],
    ["2^40 buckets", [count, 0, sumNs, minNs, maxNs - minNs, 2 ** 40]],
    ["a maximum past 2^53", [count, 0, sumNs, minNs, Number.MAX_SAFE_INTEGER, 1, 640, count]],
  ];
  return histograms.map(([name, values]) => ({
    name: `histogram: ${name}`,
    bytes: replaced(honest, varints(...values)),
  }));
}

/** The cell's durations with another count in each bucket; 0 leaves a bucket out. */
function bucketsOf(cell: Cell, countOf: (at: number) => number): number[] {
  const { count, sumNs, minNs, maxNs } = cell.durationNs;
  const indices: number[] = [];
  visitBuckets(cell.durationNs, (index) => indices.push(index));
  const kept = indices.filter((_, at) => countOf(at) > 0);
  const values = [count, 0, sumNs, minNs, maxNs - minNs, kept.length];
  let next = bucketIndexMin;
  for (const index of kept) {
    values.push(index - next, countOf(indices.indexOf(index)));
    next = index + 1;
  }
  return values;
}

/** Among so many customers that a single register's rank says nothing about their number. */
function hostileRank(): Hostile {
  const spans = Array.from({ length: 4_000 }, (_, at) => ({
    customer: 1_000_003 * ((at % 2_000) + 1),
  }));
  const batch = batchOf({ window: 0, spans, seq: 2 });
  const [cell] = [...(batch.cube?.cells.values() ?? [])];
  if (cell === undefined) throw new Error("the batch has no cell");
  const registers = cell.customers.registers;
  if (registers === undefined) throw new Error("the customers are too few");
  registers[registers.findIndex((rank) => rank > 0)] = hllRankMax + 1;
  return { name: "hll: a register of rank 52 among many", bytes: encodeSketchBatch(batch) };
}

function hostileHlls(): Hostile[] {
  const { cell } = honestBatch();
  const honest = written((writer) => encodeHll(writer, cell.customers));
  const head = (form: number, ...values: readonly number[]): Uint8Array =>
    Buffer.concat([Uint8Array.of(hllHead + form), varints(...values)]);
  const packed = (rank: number): Uint8Array => {
    const word = rank | (rank << 6) | (rank << 12) | (rank << 18);
    const three = Uint8Array.of(word, word >>> 8, word >>> 16);
    const all = Array.from({ length: 4_096 }, () => three);
    return Buffer.concat([Uint8Array.of(hllHead + 3), ...all]);
  };
  const hlls: readonly [string, Uint8Array][] = [
    ["precision 12", Uint8Array.of(12 * 4)],
    ["precision 18", Uint8Array.of(18 * 4)],
    ["no entries", head(1, 0)],
    ["513 entries", head(1, 513, ...Array.from({ length: 513 }, () => 1))],
    ["2^40 entries", head(1, 2 ** 40)],
    ["an entry past the last", head(1, 1, 2 ** 25)],
    ["an entry of rank 60", head(1, 1, 0, 60)],
    ["few registers", head(2, 1, 0, 1)],
    [
      "few customers and a register of rank 52",
      head(2, 500, 1, 52, ...Array.from({ length: 998 }, () => 1)),
    ],
    ["all ranks 63", packed(63)],
    ["all ranks 51, for twenty spans", packed(51)],
    ["all ranks 8, for twenty spans", packed(8)],
  ];
  return hlls.map(([name, by]) => ({ name: `hll: ${name}`, bytes: replaced(honest, by) }));
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
