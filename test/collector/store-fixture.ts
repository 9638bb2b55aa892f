/** Windows as the store takes them, and a store on a disk in memory. */

import { createByteWriter } from "../../base/bytes.ts";
import type { Disk } from "../../base/disk.ts";
import { canonicalContents, encodeContents } from "../../collector/store/contents.ts";
import type { NewSegment } from "../../collector/store/segments.ts";
import { createFileStore, type FileStoreOptions, type Store } from "../../collector/store/store.ts";
import { addCell, type Cube, createCube, mergeCube } from "../../sketch/cube.ts";
import { encodeCube } from "../../sketch/cube-codec.ts";
import { builtInDimensions, intern, keyOf } from "../../sketch/key.ts";
import { batchOf, type SpanSpec } from "./fixture.ts";
import { MemoryDisk } from "./memory-disk.ts";

export interface WindowSpec {
  readonly startMs: number;
  readonly lengthMs?: number;
  readonly lsn?: number;
  readonly spans?: readonly SpanSpec[];
  readonly userDimensions?: readonly string[];
  readonly hashKeyId?: string;
  readonly coverage?: number;
}

export function cubeOf({ spans = [], userDimensions = [] }: WindowSpec): Cube {
  return batchOf({ spans, userDimensions }).cube;
}

export function segmentOf(spec: WindowSpec): NewSegment {
  const { startMs, lengthMs = 10_000, lsn = 1, spans = [] } = spec;
  const contents = canonicalContents({ cube: cubeOf(spec), halfEdges: [] });
  return {
    meta: {
      summary: {
        windowStartMs: startMs,
        spans: spans.length,
        errors: spans.filter(({ failed }) => failed).length,
        keys: contents.cube.cells.size,
        anomalies: 0,
        coverage: spec.coverage ?? 1,
        silentAgents: 0,
        revised: false,
      },
      windowEndMs: startMs + lengthMs,
      lsn,
      closing: 1,
      decidedAtMs: startMs + lengthMs + 5_000,
      hashKeyId: spec.hashKeyId ?? "key-1",
    },
    events: [],
    blocks: encodeContents(contents),
  };
}

export interface OpenStore {
  readonly store: Store;
  readonly batches: string[];
  readonly heads: string[];
  damaged: number;
}

/** Opens the store on a disk; batches come back as text, the dedupe state is "state". */
export async function openStoreOn(
  disk: Disk,
  options: Partial<FileStoreOptions> = {},
): Promise<OpenStore> {
  const store = createFileStore({ directory: "data", disk, ...options });
  const opened: OpenStore = { store, batches: [], heads: [], damaged: 0 };
  await store.recover(
    {
      head: (state) => opened.heads.push(Buffer.from(state).toString()),
      batch: ({ lsn, bytes, window }) => {
        opened.batches.push(Buffer.from(bytes).toString());
        return window === undefined || lsn <= store.storedLsn(window) ? undefined : window;
      },
      corrupt: (records) => {
        opened.damaged += records;
      },
    },
    () => Buffer.from("state"),
  );
  return opened;
}

export async function openMemoryStore(options: Partial<FileStoreOptions> = {}) {
  const disk = new MemoryDisk();
  return { disk, ...(await openStoreOn(disk, options)) };
}

/** Everything a cube says about each key, as text. */
export function cellsOf(cube: Cube): Map<string, string> {
  const cells = new Map<string, string>();
  for (const [id, cell] of cube.cells) {
    const alone = createCube(0, cube.keys.dimensions, { keysMax: 1, edgesMax: 0 });
    addCell(alone, intern(alone.keys, keyOf(cube.keys, id)), cell);
    const writer = createByteWriter();
    encodeCube(writer, alone);
    const key = keyOf(cube.keys, id).join("|");
    cells.set(key, Buffer.from(writer.finish()).toString("hex"));
  }
  return cells;
}

/** All windows as one cube; they have the same dimensions. */
export function sumOf(windows: readonly WindowSpec[]): Cube {
  const dimensions = [...builtInDimensions, ...(windows[0]?.userDimensions ?? [])];
  const sum = createCube(0, dimensions, { keysMax: 500_000, edgesMax: 100_000 });
  for (const window of windows) mergeCube(sum, cubeOf(window));
  return sum;
}

/** What the store answers for a stretch of time, as one cube. */
export async function answerOf(
  store: Store,
  range: { readonly fromMs: number; readonly toMs: number },
  prefix: readonly string[] = [],
): Promise<Cube> {
  let sum: Cube | undefined;
  for (const window of store.windowsOf(range)) {
    for await (const cube of store.scan(window, prefix)) {
      sum ??= createCube(0, cube.keys.dimensions, { keysMax: 500_000, edgesMax: 0 });
      mergeCube(sum, cube);
    }
  }
  return sum ?? createCube(0, builtInDimensions, { keysMax: 1, edgesMax: 0 });
}
