/** HyperLogLog: our keyed one beside the npm package of the name, both with 2^14 registers. */
import { addHll, createHll, estimateHll, type Hll, mergeHll } from "../../sketch/hll.ts";
import { encodeHll } from "../../sketch/hll-codec.ts";
import { createSipKey, sipHash24 } from "../../sketch/sip-hash.ts";
import { hyperloglog } from "../rivals/hyperloglog.ts";
import { sizeOf } from "../rivals/quantile-sketches.ts";
import type { Figure } from "../table.ts";
import { repeat, timeEach } from "../timing.ts";

const precision = 14;
const names = 50_000;
const merges = 50;
const rival = "hyperloglog";
/** Of counts: how many trials each gets; the large ones take long. */
const trialsByCount: Readonly<Record<number, number>> = {
  100: 100,
  1000: 60,
  10000: 40,
  40000: 30,
  100000: 20,
  1000000: 8,
  10000000: 2,
};
/** One standard error at 2^14 registers. */
const errorMax = 0.81;

type RivalHll = ReturnType<typeof hyperloglog>;

const key = createSipKey(Uint8Array.from({ length: 16 }, (_, at) => at * 7));
const hash = new Uint32Array(2);
const nameSize = 19;
const utf8 = new TextEncoder();

export function customerFigures(): Figure[] {
  return [...speedFigures(), ...byteFigures(), ...errorFigures()];
}

/** A name of `nameSize` bytes. */
function customer(id: number): string {
  return `customer-${String(id).padStart(nameSize - 9, "0")}`;
}

function speedFigures(): Figure[] {
  const texts = Array.from({ length: names }, (_, id) => customer(id));
  const bytes = utf8.encode(texts.join(""));
  const words = Uint32Array.from({ length: 4 * names }, (_, at) => Math.imul(at + 1, 0x9e3779b1));
  const [a, b] = [hllOf(0, names), hllOf(40_000, 90_000)];
  const [rivalA, rivalB] = [rivalHllOf(0, names), rivalHllOf(40_000, 90_000)];
  const [ours = 0, prehashed = 0, theirs = 0, theirsPrehashed = 0] = timeEach(names, [
    () => {
      const hll = createHll();
      for (let at = 0; at < bytes.length; at += nameSize) {
        sipHash24(key, bytes, at, at + nameSize, hash);
        addHll(hll, hash[0] as number, hash[1] as number);
      }
    },
    () => {
      const hll = createHll();
      for (let at = 0; at < words.length; at += 4) {
        addHll(hll, words[at] as number, words[at + 1] as number);
      }
    },
    () => {
      const hll = hyperloglog(precision);
      for (const text of texts) hll.add(hyperloglog.hash(text));
    },
    () => {
      const hll = hyperloglog(precision);
      for (let at = 0; at < words.length; at += 4) hll.add(fourOf(words, at));
    },
  ]);
  const [merge = 0, rivalMerge = 0] = timeEach(merges, [
    () => repeat(merges, () => mergeHll(a, b)),
    () => repeat(merges, () => rivalA.merge(rivalB.output())),
  ]);
  return [
    {
      metric: "hll.add_ns",
      label: `HyperLogLog: add ${nameSize} bytes, hash and all`,
      value: ours,
      unit: "ns",
      rivals: { [rival]: theirs },
      goal: { max: 20 },
    },
    {
      metric: "hll.add_prehashed_ns",
      label: "HyperLogLog: add a hash",
      value: prehashed,
      unit: "ns",
      rivals: { [rival]: theirsPrehashed },
    },
    {
      metric: "hll.merge_us",
      label: "HyperLogLog: merge, dense",
      value: merge / 1e3,
      unit: "us",
      rivals: { [rival]: rivalMerge / 1e3 },
      goal: { max: 20 },
    },
  ];
}

function byteFigures(): Figure[] {
  return [3, 30, 500, names].map((count) => ({
    metric: `hll.bytes_${count}`,
    label: `HyperLogLog: bytes of ${count} customers`,
    value: sizeOf((writer) => encodeHll(writer, hllOf(0, count))),
    unit: "B",
    rivals: { [rival]: rivalHllOf(0, count).output().buckets.length },
  }));
}

/** Both count the same random hashes. */
function errorFigures(): Figure[] {
  return Object.entries(trialsByCount).map(([text, trials]) => {
    const count = Number(text);
    const ours: number[] = [];
    const theirs: number[] = [];
    for (let trial = 0; trial < trials; trial++) {
      const seen = countBoth(count, trial);
      ours.push(seen.ours / count - 1);
      theirs.push(seen.theirs / count - 1);
    }
    return {
      metric: `hll.rms_${count}_pct`,
      label: `HyperLogLog: rms error at ${count.toLocaleString("en-US")}, ${trials} trials`,
      value: rms(ours) * 100,
      unit: "%",
      rivals: { [rival]: rms(theirs) * 100 },
      goal: { max: errorMax },
    };
  });
}

function countBoth(count: number, trial: number): { ours: number; theirs: number } {
  const hll = createHll();
  const their = hyperloglog(precision);
  const id = new Uint32Array(2);
  const bytes = new Uint8Array(id.buffer);
  for (let at = 0; at < count; at++) {
    id[0] = at;
    id[1] = trial;
    sipHash24(key, bytes, 0, 8, hash);
    const low = hash[0] as number;
    const high = hash[1] as number;
    addHll(hll, low, high);
    their.add([high, low, high ^ low, low]);
  }
  return { ours: estimateHll(hll), theirs: their.count() };
}

function hllOf(from: number, to: number): Hll {
  const hll = createHll();
  for (let id = from; id < to; id++) {
    const bytes = utf8.encode(customer(id));
    sipHash24(key, bytes, 0, bytes.length, hash);
    addHll(hll, hash[0] as number, hash[1] as number);
  }
  return hll;
}

function rivalHllOf(from: number, to: number): RivalHll {
  const hll = hyperloglog(precision);
  for (let id = from; id < to; id++) hll.add(hyperloglog.hash(customer(id)));
  return hll;
}

function fourOf(words: Uint32Array, at: number): number[] {
  return [words[at], words[at + 1], words[at + 2], words[at + 3]] as number[];
}

function rms(errors: readonly number[]): number {
  return Math.sqrt(errors.reduce((sum, error) => sum + error ** 2, 0) / errors.length);
}
