/**
 * Our sketches beside the npm packages `hyperloglog` and `tdigest`, in one process and in turns.
 * Run after a build: `node dist/bench/sketches.js`. Figures are medians over the runs.
 */
import { type ByteWriter, createByteWriter } from "../base/bytes.ts";
import { createPrng, type Prng } from "../base/prng.ts";
import {
  addDigest,
  compressDigest,
  createDigest,
  type Digest,
  mergeDigest,
  quantileDigest,
} from "../sketch/digest.ts";
import { encodeDigest } from "../sketch/digest-codec.ts";
import {
  addHistogram,
  createHistogram,
  type Histogram,
  mergeHistogram,
  quantileHistogram,
} from "../sketch/histogram.ts";
import { encodeHistogram } from "../sketch/histogram-codec.ts";
import { addHll, createHll, estimateHll, type Hll, mergeHll } from "../sketch/hll.ts";
import { encodeHll } from "../sketch/hll-codec.ts";
import { createSipKey, sipHash24 } from "../sketch/sip-hash.ts";
import { createRivalDigest, hyperloglog, type RivalDigest } from "./rivals.ts";

const runs = 7;
const partCount = 200;
const partSize = 500;
const precision = 14;

type Row = readonly [what: string, ours: number, rival: number, unit: string];

/** Median nanoseconds per item of each task, the tasks taking turns. */
function time(items: number, tasks: readonly (() => void)[]): number[] {
  const taken = tasks.map((): number[] => []);
  for (let run = 0; run <= runs; run++) {
    tasks.forEach((task, index) => {
      const start = process.hrtime.bigint();
      task();
      const ns = Number(process.hrtime.bigint() - start) / items;
      // The first run warms up.
      if (run > 0) taken[index]?.push(ns);
    });
  }
  return taken.map((values) => values.sort((a, b) => a - b)[runs >> 1] as number);
}

function sizeOf<T>(encode: (writer: ByteWriter, value: T) => void, value: T): number {
  const writer = createByteWriter();
  encode(writer, value);
  return writer.finish().length;
}

const key = createSipKey(Uint8Array.from({ length: 16 }, (_, at) => at * 7));
const hash = new Uint32Array(2);
const scratch = new Uint8Array(256);
const utf8 = new TextEncoder();

function addText(hll: Hll, text: string): void {
  const { written } = utf8.encodeInto(text, scratch);
  sipHash24(key, scratch, 0, written, hash);
  addHll(hll, hash[0] as number, hash[1] as number);
}

function hllOf(from: number, to: number): Hll {
  const hll = createHll();
  for (let id = from; id < to; id++) addText(hll, customer(id));
  return hll;
}

function rivalHllOf(from: number, to: number): ReturnType<typeof hyperloglog> {
  const hll = hyperloglog(precision);
  for (let id = from; id < to; id++) hll.add(hyperloglog.hash(customer(id)));
  return hll;
}

function customer(id: number): string {
  return `customer-${(id * 2654435761) >>> 0}-${id}`;
}

function rms(errors: readonly number[]): number {
  return Math.sqrt(errors.reduce((sum, error) => sum + error ** 2, 0) / errors.length);
}

function hllRows(): Row[] {
  const names = Array.from({ length: 50_000 }, (_, id) => customer(id));
  const hashes = names.map((name) => hyperloglog.hash(name));
  const add = time(names.length, [
    () => {
      const hll = createHll();
      for (const name of names) addText(hll, name);
    },
    () => {
      const hll = hyperloglog(precision);
      for (const name of names) hll.add(hyperloglog.hash(name));
    },
  ]) as [number, number];
  const prehashed = time(hashes.length, [
    () => {
      const hll = createHll();
      for (const words of hashes) addHll(hll, words[0] as number, words[1] as number);
    },
    () => {
      const hll = hyperloglog(precision);
      for (const words of hashes) hll.add(words);
    },
  ]) as [number, number];
  const [a, b] = [hllOf(0, 50_000), hllOf(40_000, 90_000)];
  const [rivalA, rivalB] = [rivalHllOf(0, 50_000), rivalHllOf(40_000, 90_000)];
  const merges = 50;
  const merge = time(merges, [
    () => repeat(merges, () => mergeHll(a, b)),
    () => repeat(merges, () => rivalA.merge(rivalB.output())),
  ]) as [number, number];
  const rows: Row[] = [
    ["hll: add a name", ...add, "ns"],
    ["hll: add a hash", ...prehashed, "ns"],
    ["hll: merge, dense", merge[0] / 1000, merge[1] / 1000, "us"],
  ];
  for (const count of [3, 30, 500, 50_000]) {
    const size = rivalHllOf(0, count).output().buckets.length;
    rows.push([`hll: bytes of ${count} customers`, sizeOf(encodeHll, hllOf(0, count)), size, "B"]);
  }
  for (const count of [400, 10_000, 40_000, 100_000]) {
    const trials = Array.from({ length: 12 }, (_, trial) => trial * 1_000_000);
    const ours = trials.map((from) => estimateHll(hllOf(from, from + count)) / count - 1);
    const theirs = trials.map((from) => rivalHllOf(from, from + count).count() / count - 1);
    rows.push([`hll: rms error at ${count}`, rms(ours) * 100, rms(theirs) * 100, "%"]);
  }
  return rows;
}

function repeat(times: number, run: () => void): void {
  for (let at = 0; at < times; at++) run();
}

const streams: Readonly<Record<string, (prng: Prng) => number>> = {
  "log-normal": (prng) => {
    const radius = Math.sqrt(-2 * Math.log(1 - prng.next()));
    return Math.round(20e6 * Math.exp(1.2 * radius * Math.cos(2 * Math.PI * prng.next())));
  },
  "Pareto 1.5": (prng) => Math.round(1e6 * (1 - prng.next()) ** (-1 / 1.5)),
};

interface Trio {
  readonly histogram: Histogram;
  readonly digest: Digest;
  readonly rival: RivalDigest;
}

function trioOf(values: readonly number[]): Trio {
  const trio = { histogram: createHistogram(), digest: createDigest(), rival: createRivalDigest() };
  for (const value of values) {
    addHistogram(trio.histogram, value);
    addDigest(trio.digest, value);
    trio.rival.push(value);
  }
  trio.rival.compress();
  compressDigest(trio.digest);
  return trio;
}

/** Each row twice: histogram beside the rival, digest beside the rival. */
function quantileRows(name: string, draw: (prng: Prng) => number): Row[] {
  const prng = createPrng(1);
  const values = Array.from({ length: partCount * partSize }, () => draw(prng));
  const [histogramAdd = 0, digestAdd = 0, rivalAdd = 0] = time(values.length, [
    () => values.forEach((value) => void addHistogram(shared.histogram, value)),
    () => values.forEach((value) => void addDigest(shared.digest, value)),
    () => values.forEach((value) => void shared.rival.push(value)),
  ]);
  const parts = Array.from({ length: partCount }, (_, part) =>
    trioOf(values.slice(part * partSize, (part + 1) * partSize)),
  );
  let total = trioOf([]);
  const [histogramMerge = 0, digestMerge = 0, rivalMerge = 0] = time(partCount, [
    () => {
      total = trioOf([]);
      for (const part of parts) mergeHistogram(total.histogram, part.histogram);
    },
    () => {
      for (const part of parts) mergeDigest(total.digest, part.digest);
    },
    () => {
      for (const part of parts) total.rival.push_centroid(part.rival.toArray());
      total.rival.compress();
    },
  ]);
  const rivalSize = JSON.stringify(total.rival.toArray()).length;
  const rows: Row[] = [
    [`histogram: add, ${name}`, histogramAdd, rivalAdd, "ns"],
    [`t-digest: add, ${name}`, digestAdd, rivalAdd, "ns"],
    [`histogram: merge of ${partSize}`, histogramMerge / 1000, rivalMerge / 1000, "us"],
    [`t-digest: merge of ${partSize}`, digestMerge / 1000, rivalMerge / 1000, "us"],
    ["histogram: bytes, merged", sizeOf(encodeHistogram, total.histogram), rivalSize, "B"],
    ["t-digest: bytes, merged", sizeOf(encodeDigest, total.digest), rivalSize, "B"],
  ];
  const sorted = [...values].sort((a, b) => a - b);
  for (const q of [0.5, 0.99, 0.999]) {
    const exact = sorted[Math.ceil(q * sorted.length) - 1] as number;
    const miss = (found: number): number => Math.abs(found / exact - 1) * 100;
    const rival = miss(total.rival.percentile(q));
    const at = `error at p${q * 100}, merged from ${partCount}`;
    rows.push([`histogram: ${at}`, miss(quantileHistogram(total.histogram, q)), rival, "%"]);
    rows.push([`t-digest: ${at}`, miss(quantileDigest(total.digest, q)), rival, "%"]);
  }
  return rows;
}

const shared = trioOf([]);

function print(rows: readonly Row[]): void {
  console.log(`${"".padEnd(46)}${"brunt".padStart(11)}${"npm".padStart(11)}${"ratio".padStart(9)}`);
  for (const [what, ours, rival, unit] of rows) {
    const cells = [ours, rival].map((value) => value.toPrecision(3).padStart(11)).join("");
    const ratio = ours === 0 ? "-" : (rival / ours).toFixed(1);
    console.log(`${what.padEnd(46)}${cells}${ratio.padStart(9)}  ${unit}`);
  }
}

console.log(`node ${process.version}, ${runs} runs`);
print(hllRows());
for (const [name, draw] of Object.entries(streams)) print(quantileRows(name, draw));
