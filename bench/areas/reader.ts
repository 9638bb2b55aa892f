/**
 * Reading OTLP: the product's reader and its whole reducer in memory, general decoders, and the
 * yardstick of this machine: adding up every 32-bit word of the batch.
 */

import { resourceAttributes, spanAttributes } from "../../agent/reduce/attributes.ts";
import { createAttributeSlots } from "../../wire/attribute-slots.ts";
import { readTraces } from "../../wire/read-traces.ts";
import { createTraceTable } from "../../wire/trace-table.ts";
import { validateTraces } from "../../wire/validate-traces.ts";
import { createPipelineUnderTest } from "../in-memory-agent.ts";
import { jsonOf, otlpDecoders, spansIn } from "../rivals/otlp-decoders.ts";
import type { Figure, Table } from "../table.ts";
import { median, nanosecondsOf, repeat, runsDefault, timeEach } from "../timing.ts";
import type { Template } from "../traffic/otlp-template.ts";
import { createTraffic } from "../traffic/traffic.ts";

const batchSizes = [64, 512, 8_192];
const startMs = 1_800_000_000_000;
/** Spans read by each task of a run; rivals get fewer, they take long. */
const spansPerRun = 65_536;
const rivalSpansPerRun = 16_384;
/** In one window, as many as an agent remembers by default: a busy window, not its first one. */
const reducedSpansPerRun = 393_216;
/** Different batches in turn, so that no predictor learns one by heart. */
const variety = 8;
const reducedSpansGoal = 2.5;

export async function readerArea(): Promise<Table> {
  const figures: Figure[] = [];
  for (const size of batchSizes) figures.push(...figuresOf(size));
  return { area: "reader", title: "OTLP reader, in memory, one core", figures };
}

function figuresOf(size: number): Figure[] {
  const traffic = createTraffic({ seed: size });
  const templates = Array.from({ length: variety }, (_, at) => {
    const template = traffic.batch(size);
    template.stamp(at + 1, startMs);
    return template;
  });
  const ours = readOurs(templates);
  const rivals = readRivals(templates);
  const reduce = reduceInMemory(templates);
  const bytesPerSpan = meanSize(templates) / size;
  const named = (metric: string, label: string, ns: number): Figure => ({
    metric: `b${size}.${metric}_ns`,
    label: `${size}: ${label}`,
    value: ns,
    unit: "ns/span",
  });
  return [
    named("u32", "sum of every u32", ours.words),
    named("validate", "check only, by the general rules", ours.validate),
    { ...named("read", "check and locate everything", ours.read), rivals },
    { ...named("reduce", "read, key, sketches, pairing", reduce), rivals },
    {
      metric: `b${size}.reduce_mspans`,
      label: `${size}: the same, per second`,
      value: 1e3 / reduce,
      unit: "Mspans/s",
      goal: { min: reducedSpansGoal },
      rivals: Object.fromEntries(Object.entries(rivals).map(([name, ns]) => [name, 1e3 / ns])),
    },
    {
      metric: `b${size}.reduce_mb`,
      label: `${size}: the same, bytes`,
      value: (bytesPerSpan * 1e3) / reduce,
      unit: "MB/s",
    },
    {
      metric: `b${size}.reduce_u32s`,
      label: `${size}: the same, in sums of every u32`,
      value: reduce / ours.words,
      unit: "x",
    },
  ];
}

function readOurs(templates: readonly Template[]) {
  const slots = createAttributeSlots([...new Set([...spanAttributes, ...resourceAttributes])]);
  const table = createTraceTable();
  const size = (templates[0] as Template).spans;
  const rounds = Math.max(1, Math.round(spansPerRun / size));
  let seen = 0;
  const over = (read: (bytes: Uint8Array) => void) => (): void => {
    for (let round = 0; round < rounds; round++) {
      read((templates[round % templates.length] as Template).bytes);
    }
  };
  const [words = 0, validate = 0, read = 0] = timeEach(rounds * size, [
    over((bytes) => {
      seen ^= sumOfWords(bytes);
    }),
    over((bytes) => {
      if (!validateTraces(bytes).ok) throw new Error("the traffic is not valid");
    }),
    over((bytes) => {
      if (!readTraces(bytes, slots, table).ok) throw new Error("the traffic is not valid");
      seen += table.spanCount;
    }),
  ]);
  if (seen === 0.5) throw new Error("never; it keeps the work from being optimised away");
  return { words, validate, read };
}

function sumOfWords(bytes: Uint8Array): number {
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >> 2);
  let sum = 0;
  for (let at = 0; at < words.length; at++) sum = (sum + (words[at] as number)) | 0;
  return sum;
}

/** Nanoseconds a span by decoder. */
function readRivals(templates: readonly Template[]): Record<string, number> {
  const size = (templates[0] as Template).spans;
  const rounds = Math.max(1, Math.round(rivalSpansPerRun / size));
  const used = templates.slice(0, Math.min(rounds, 4));
  const jsons = used.map(({ bytes }) => Buffer.from(jsonOf(bytes)));
  const contestants = [
    ...otlpDecoders.map(({ name, decode }) => ({
      name,
      read: (at: number): unknown => decode((used[at] as Template).bytes),
    })),
    {
      name: "JSON.parse",
      read: (at: number): unknown => JSON.parse((jsons[at] as Buffer).toString()),
    },
  ];
  for (const { name, read } of contestants) {
    if (spansIn(read(0)) !== size) throw new Error(`${name} does not find all spans`);
  }
  const times = timeEach(
    rounds * size,
    contestants.map(({ read }) => () => {
      for (let round = 0; round < rounds; round++) read(round % used.length);
    }),
    3,
  );
  return Object.fromEntries(contestants.map(({ name }, at) => [name, times[at] as number]));
}

/** Nanoseconds a span of everything an agent does with a request, sockets and sealing apart. */
function reduceInMemory(templates: readonly Template[]): number {
  const size = (templates[0] as Template).spans;
  const rounds = Math.max(1, Math.round(reducedSpansPerRun / size));
  const agent = createPipelineUnderTest();
  const taken: number[] = [];
  let salt = 1;
  const stampNext = (): Template => {
    const template = templates[salt % templates.length] as Template;
    template.stamp(Math.imul(salt++, 0x9e3779b1), agent.nowMs());
    return template;
  };
  for (let run = 0; run <= runsDefault; run++) {
    const both = nanosecondsOf(() => repeat(rounds, () => agent.ingest(stampNext().bytes, size)));
    const stamps = nanosecondsOf(() => repeat(rounds, stampNext));
    if (run > 0) taken.push((both - stamps) / (rounds * size));
    agent.nextWindow();
  }
  return median(taken);
}

function meanSize(templates: readonly Template[]): number {
  return templates.reduce((sum, { bytes }) => sum + bytes.length, 0) / templates.length;
}
