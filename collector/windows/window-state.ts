/** One window while batches are still added to it. */
import { type Cube, type CubeLimits, createCube, mergeCube } from "../../sketch/cube.ts";
import type { WindowBatch } from "../../wire/sketch-batch.ts";
import type { HalfEdgeInWindow } from "../decide.ts";
import type { Block } from "../store/blocks.ts";
import { canonicalContents, encodeContents, type WindowContents } from "../store/contents.ts";
import type { WindowPlace } from "../store/levels.ts";
import type { NewSegment } from "../store/segments.ts";
import { addCube, emptyLike, type Losses, unionOf } from "./add-cube.ts";

export interface WindowLimits extends CubeLimits {
  readonly halfEdgesMax: number;
}

export interface WindowState {
  readonly startMs: number;
  readonly lengthMs: number;
  cube: Cube;
  halfEdges: HalfEdgeInWindow[];
  readonly spansByStream: Map<string, number>;
  /** The last logged batch inside. */
  lsn: number;
  /** "" while nothing is inside. */
  hashKeyId: string;
}

export interface WindowTotals {
  readonly spans: number;
  readonly errors: number;
}

export function createWindowState(
  { startMs, lengthMs }: WindowPlace,
  limits: WindowLimits,
): WindowState {
  return {
    startMs,
    lengthMs,
    cube: createCube(startMs, unionOf([], []).dimensions, limits),
    halfEdges: [],
    spansByStream: new Map(),
    lsn: 0,
    hashKeyId: "",
  };
}

/** Adds the window a batch carries. */
export function addBatch(
  window: WindowState,
  batch: WindowBatch,
  context: { readonly lsn: number; readonly limits: WindowLimits; readonly losses: Losses },
): void {
  const shift = batch.halfEdgeShift;
  const halfEdges = batch.halfEdges.map((half) => ({ ...half, shift }));
  addContents(window, { cube: batch.cube, halfEdges }, context);
  const spans = totalsOf(batch.cube).spans;
  window.spansByStream.set(batch.streamId, (window.spansByStream.get(batch.streamId) ?? 0) + spans);
  window.lsn = Math.max(window.lsn, context.lsn);
  window.hashKeyId = batch.hashKeyId;
}

function addContents(
  window: WindowState,
  contents: WindowContents,
  context: { readonly limits: WindowLimits; readonly losses: Losses },
): void {
  const { limits, losses } = context;
  widen(window, contents.cube.keys.dimensions, losses);
  const idOf = addCube(window.cube, contents.cube, losses);
  const room = Math.max(0, limits.halfEdgesMax - window.halfEdges.length);
  losses.droppedHalfEdges += Math.max(0, contents.halfEdges.length - room);
  for (const half of contents.halfEdges.slice(0, room)) {
    window.halfEdges.push({ ...half, key: idOf(half.key) });
  }
}

/** Gives the window's keys the dimensions they lack, rebuilding its cube. */
function widen(window: WindowState, dimensions: readonly string[], losses: Losses): void {
  const union = unionOf(window.cube.keys.dimensions, dimensions);
  losses.droppedDimensions += union.dropped;
  if (union.dimensions.length === window.cube.keys.dimensions.length) return;
  const cube = emptyLike(window.cube, union.dimensions);
  const idOf = addCube(cube, window.cube, losses);
  window.halfEdges = window.halfEdges.map((half) => ({ ...half, key: idOf(half.key) }));
  window.cube = cube;
}

/** What a window held when it was closed before. */
export interface Earlier {
  readonly meta: NewSegment["meta"];
  readonly contents: WindowContents;
}

/** Adds what was stored of it, to revise it; when both are too much, the late data is folded. */
export function addStored(
  window: WindowState,
  earlier: Earlier,
  context: { readonly limits: WindowLimits; readonly losses: Losses },
): void {
  const { meta, contents } = earlier;
  const late: WindowContents = { cube: window.cube, halfEdges: window.halfEdges };
  window.cube = withRoom(contents.cube, context.limits);
  window.halfEdges = [...contents.halfEdges];
  addContents(window, late, context);
  window.lsn = Math.max(window.lsn, meta.lsn);
  if (window.hashKeyId === "") window.hashKeyId = meta.hashKeyId;
}

/** The same cube, taking new keys and edges up to other limits. */
function withRoom(cube: Cube, { keysMax, edgesMax }: CubeLimits): Cube {
  const { keys, edges } = cube;
  const wider = createCube(cube.windowStartMs, keys.dimensions, {
    keysMax: Math.max(keysMax, keys.size),
    edgesMax: Math.max(edgesMax, edges.size),
  });
  mergeCube(wider, cube);
  return wider;
}

export interface SealedWindow extends WindowContents {
  readonly blocks: readonly Block[];
}

/**
 * The window in its canonical form, so that what is decided on never depends on the order in which
 * batches came, and is what a replay will read.
 */
export function sealWindow(window: WindowState): SealedWindow {
  const contents = canonicalContents(window);
  return { ...contents, blocks: encodeContents(contents) };
}

export function totalsOf(cube: Cube): WindowTotals {
  let spans = 0;
  let errors = 0;
  for (const cell of cube.cells.values()) {
    spans += cell.count;
    errors += cell.errors;
  }
  return { spans, errors };
}
