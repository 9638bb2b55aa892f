/** The collector's side of a window: merge, commit to disk, read back. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { nodeDisk } from "../../cli/node-disk.ts";
import type { Block } from "../../collector/store/blocks.ts";
import type { NewSegment } from "../../collector/store/segments.ts";
import { createFileStore, type Store } from "../../collector/store/store.ts";
import { createLosses } from "../../collector/windows/add-cube.ts";
import {
  addBatch,
  createWindowState,
  sealWindow,
  type WindowState,
} from "../../collector/windows/window-state.ts";
import { decodeSketchBatch, type WindowBatch } from "../../wire/sketch-batch.ts";
import { createPipelineUnderTest, pipelineStartMs } from "../in-memory-agent.ts";
import type { Figure, Table } from "../table.ts";
import { median, nanosecondsOf, runsDefault } from "../timing.ts";
import { createTraffic } from "../traffic/traffic.ts";

const keys = 50_000;
const agents = 2;
const spansPerKey = 4;
const batchSpans = 500;
const limits = { keysMax: 100_000, edgesMax: 200_000, halfEdgesMax: 200_000 };
const mebibyte = 2 ** 20;

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

export async function collectorArea(): Promise<Table> {
  const encoded = await batchesOfAgents();
  const merge = mergeFigures(encoded);
  const window = mergedWindow(encoded.map(decode));
  const directory = mkdtempSync(join(tmpdir(), "brunt-bench-"));
  const store = createFileStore({ directory, disk: nodeDisk });
  await store.recover(
    { head: () => undefined, batch: () => undefined, corrupt: () => undefined },
    () => new Uint8Array(),
  );
  try {
    const disk = await diskFigures(store, window);
    const figures = [...merge, ...disk];
    return { area: "collector", title: "Collector, a window of 50,000 keys", figures };
  } finally {
    await store.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

/** One batch from each of a few agents, all with the same keys, two customers each. */
async function batchesOfAgents(): Promise<Uint8Array[]> {
  const sets = [1, 2].map((seed) => {
    const traffic = createTraffic({ seed });
    return Array.from({ length: keys / batchSpans }, (_, at) =>
      traffic.keys(at * batchSpans, batchSpans),
    );
  });
  const encoded: Uint8Array[] = [];
  let salt = 1;
  for (let agent = 0; agent < agents; agent++) {
    const pipeline = createPipelineUnderTest({ keysMax: 100_000, operationsMax: 100_000 });
    for (let turn = 0; turn < spansPerKey; turn++) {
      for (const template of sets[turn % sets.length] ?? []) {
        template.stamp(Math.imul(salt++, 0x9e3779b1), pipelineStartMs);
        pipeline.ingest(template.bytes, batchSpans);
      }
    }
    pipeline.nextWindow();
    encoded.push(...(await pipeline.batches()).filter((bytes) => cubeOf(bytes) !== undefined));
  }
  return encoded;
}

function cubeOf(bytes: Uint8Array) {
  const decoded = decodeSketchBatch(bytes);
  return decoded.ok && decoded.value.kind === "window" ? decoded.value.cube : undefined;
}

function decode(bytes: Uint8Array): WindowBatch {
  const decoded = decodeSketchBatch(bytes);
  if (!decoded.ok) throw new Error(decoded.error.message);
  return decoded.value as WindowBatch;
}

function mergedWindow(batches: readonly WindowBatch[]): WindowState {
  const window = createWindowState({ startMs: pipelineStartMs, lengthMs: 10_000 }, limits);
  const losses = createLosses();
  for (const [lsn, batch] of batches.entries()) {
    addBatch(window, batch, { lsn: lsn + 1, limits, losses });
  }
  return window;
}

function mergeFigures(encoded: readonly Uint8Array[]): Figure[] {
  const cells = encoded.reduce((sum, bytes) => sum + (cubeOf(bytes)?.cells.size ?? 0), 0);
  const taken = { decode: [] as number[], merge: [] as number[] };
  let window: WindowState | undefined;
  let bytesHeld = 0;
  for (let run = 0; run <= runsDefault; run++) {
    window = undefined;
    collectGarbage();
    let batches: WindowBatch[] = [];
    const decodeNs = nanosecondsOf(() => {
      batches = encoded.map(decode);
    });
    collectGarbage();
    const before = memoryHeld();
    const mergeNs = nanosecondsOf(() => {
      window = mergedWindow(batches);
    });
    collectGarbage();
    bytesHeld = memoryHeld() - before;
    if (run === 0) continue;
    taken.decode.push(decodeNs / cells);
    taken.merge.push(mergeNs / cells);
  }
  const held = window?.cube.cells.size ?? 0;
  if (held !== keys) throw new Error(`the window holds ${held} keys`);
  const [decodeNs, mergeNs] = [median(taken.decode), median(taken.merge)];
  const label = `${agents} batches of ${keys.toLocaleString("en-US")} cells`;
  return [
    rate("decode_cells_s", `decode and check ${label}`, decodeNs),
    { ...rate("merge_cells_s", `merge ${label}`, mergeNs), goal: { min: 500_000 } },
    rate("ingest_cells_s", "both", decodeNs + mergeNs),
    {
      metric: "window_mib",
      label: "memory of the open window",
      value: bytesHeld / mebibyte,
      unit: "MiB",
    },
    { metric: "window_bytes_key", label: "the same, a key", value: bytesHeld / keys, unit: "B" },
  ];
}

function rate(metric: string, label: string, ns: number): Figure {
  return { metric, label, value: 1e9 / ns, unit: "cells/s" };
}

/** What the garbage collector and typed arrays hold. */
function memoryHeld(): number {
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

async function diskFigures(store: Store, window: WindowState): Promise<Figure[]> {
  const taken = { seal: [] as number[], commit: [] as number[], scan: [] as number[] };
  let segment: NewSegment | undefined;
  for (let run = 0; run <= runsDefault; run++) {
    const startMs = performance.now();
    segment = sealed(window);
    const sealedMs = performance.now();
    await store.writeSegment(segment);
    const writtenMs = performance.now();
    const read = await store.readSegment(window.startMs);
    if (!read.ok || read.value.contents.cube.cells.size !== keys) {
      throw new Error("cannot read back");
    }
    const readMs = performance.now();
    if (run === 0) continue;
    taken.seal.push(sealedMs - startMs);
    taken.commit.push(writtenMs - startMs);
    taken.scan.push(readMs - writtenMs);
  }
  return [
    { metric: "seal_ms", label: "put in order and encode", value: median(taken.seal), unit: "ms" },
    {
      metric: "commit_ms",
      label: "commit: encode, write and sync",
      value: median(taken.commit),
      unit: "ms",
      goal: { max: 250 },
    },
    {
      metric: "scan_rows_s",
      label: "scan: read, check and decode",
      value: (keys * 1e3) / median(taken.scan),
      unit: "rows/s",
      goal: { min: 500_000 },
    },
    {
      metric: "segment_bytes_key",
      label: "on disk, a key",
      value: blocksSize(segment?.blocks ?? []) / keys,
      unit: "B",
    },
  ];
}

function blocksSize(blocks: readonly Block[]): number {
  return blocks.reduce((sum, { bytes }) => sum + bytes.length, 0);
}

function sealed(window: WindowState): NewSegment {
  const { blocks } = sealWindow(window);
  const windowStartMs = window.startMs;
  return {
    meta: {
      summary: {
        ...{ windowStartMs, keys, spans: 0, errors: 0, anomalies: 0 },
        ...{ coverage: 1, silentAgents: 0, revised: false },
      },
      windowEndMs: windowStartMs + 10_000,
      ...{ lsn: window.lsn, closing: 0, decidedAtMs: 0, hashKeyId: window.hashKeyId },
    },
    events: [],
    blocks,
  };
}
