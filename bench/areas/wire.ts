/** Bytes of a window's batch, against the OTLP it stands for, both plain and both gzipped. */
import { gzipSync } from "node:zlib";
import { decodeSketchBatch } from "../../wire/sketch-batch.ts";
import { createPipelineUnderTest } from "../in-memory-agent.ts";
import type { Figure, Table } from "../table.ts";
import { createTraffic, type TrafficOptions } from "../traffic/traffic.ts";

/** One window at 10,000 spans/s. */
const spansPerWindow = 100_000;
const batch = 512;
/** One in so many requests is gzipped to know what all of them would be. */
const gzipEvery = 8;

interface Case {
  readonly name: string;
  readonly about: string;
  readonly traffic: Partial<TrafficOptions>;
}

const cases: readonly Case[] = [
  {
    name: "even",
    about: "about 30 spans and 30 customers a key",
    traffic: { even: true, routes: 320, customers: 10_000_000 },
  },
  { name: "shop", about: "few busy keys and customers", traffic: {} },
];

export async function wireArea(): Promise<Table> {
  const figures: Figure[] = [];
  for (const each of cases) figures.push(...(await figuresOf(each)));
  return { area: "wire", title: "Bytes of a window of 100,000 spans", figures };
}

async function figuresOf({ name, about, traffic }: Case): Promise<Figure[]> {
  const agent = createPipelineUnderTest({ keysMax: 20_000, operationsMax: 20_000 });
  const source = createTraffic({ seed: 5, ...traffic });
  const otlp = { plain: 0, gzip: 0, sampled: 0 };
  const requests = Math.floor(spansPerWindow / batch);
  for (let request = 0; request < requests; request++) {
    const template = source.batch(batch);
    template.stamp(request + 1, agent.nowMs());
    agent.ingest(template.bytes, batch);
    otlp.plain += template.bytes.length;
    if (request % gzipEvery !== 0) continue;
    otlp.sampled += template.bytes.length;
    otlp.gzip += gzipSync(template.bytes).length;
  }
  agent.nextWindow();
  const windows = (await agent.batches()).filter((bytes) => keysOf(bytes) > 0);
  const keys = windows.reduce((sum, bytes) => sum + keysOf(bytes), 0);
  const bytes = windows.reduce((sum, each) => sum + each.length, 0);
  const gzipped = windows.reduce((sum, each) => sum + gzipSync(each).length, 0);
  const otlpGzip = (otlp.gzip / otlp.sampled) * otlp.plain;
  const isEven = name === "even";
  const figure = (metric: string, label: string, value: number, unit: string): Figure => ({
    metric: `${name}.${metric}`,
    label: `${about}: ${label}`,
    value,
    unit,
  });
  return [
    figure("keys", "keys", keys, ""),
    figure("spans_per_key", "spans a key", (requests * batch) / keys, ""),
    figure("window_bytes", "batch", bytes, "B"),
    {
      ...figure("bytes_per_key", "batch, a key", bytes / keys, "B"),
      ...(isEven ? { goal: { max: 120 } } : {}),
    },
    { ...figure("below_otlp", "times below OTLP", otlp.plain / bytes, "x"), goal: { min: 100 } },
    {
      ...figure("below_otlp_gzip", "times below OTLP, both gzipped", otlpGzip / gzipped, "x"),
      goal: { min: 20 },
    },
  ];
}

function keysOf(bytes: Uint8Array): number {
  const decoded = decodeSketchBatch(bytes);
  if (!decoded.ok) throw new Error(decoded.error.message);
  return decoded.value.kind === "window" ? decoded.value.cube.keys.size : 0;
}
