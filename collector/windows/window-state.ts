/** One window while batches are still added to it. */
import { createByteReader, createByteWriter } from "../../base/bytes.ts";
import { ok, type Result } from "../../base/result.ts";
import { type Cube, type CubeLimits, createCube } from "../../sketch/cube.ts";
import { decodeCube, encodeCube } from "../../sketch/cube-codec.ts";
import type { SketchBatch } from "../../wire/sketch-batch.ts";
import type { HalfEdgeInWindow } from "../decide.ts";
import type { Segment } from "../store/segments.ts";
import { addCube, emptyLike, type Losses, unionOf } from "./add-cube.ts";
import { compareHalfEdges, decodeHalfEdges, encodeHalfEdges } from "./half-edges.ts";

export interface WindowLimits extends CubeLimits {
  readonly halfEdgesMax: number;
}

/** What was stored under other limits is still read. */
const storedLimits: CubeLimits = { keysMax: 2 ** 22, edgesMax: 2 ** 22 };

export interface WindowState {
  readonly startMs: number;
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

export function createWindowState(startMs: number, limits: WindowLimits): WindowState {
  return {
    startMs,
    cube: createCube(startMs, unionOf([], []).dimensions, limits),
    halfEdges: [],
    spansByStream: new Map(),
    lsn: 0,
    hashKeyId: "",
  };
}

/** Adds a batch that carries a cube. */
export function addBatch(
  window: WindowState,
  batch: SketchBatch & { readonly cube: Cube },
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

interface Contents {
  readonly cube: Cube;
  readonly halfEdges: readonly HalfEdgeInWindow[];
}

function addContents(
  window: WindowState,
  contents: Contents,
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

/** Adds what a segment holds, to revise it; when both are too much, the late data is folded. */
export function addSegment(
  window: WindowState,
  segment: Segment,
  context: { readonly limits: WindowLimits; readonly losses: Losses },
): Result<undefined> {
  const { keysMax } = context.limits;
  const earlier = decodeContents(segment, { ...storedLimits, keysMax });
  if (!earlier.ok) return earlier;
  const late: Contents = { cube: window.cube, halfEdges: window.halfEdges };
  window.cube = earlier.value.cube;
  window.halfEdges = [...earlier.value.halfEdges];
  addContents(window, late, context);
  window.lsn = Math.max(window.lsn, segment.meta.lsn);
  if (window.hashKeyId === "") window.hashKeyId = segment.meta.hashKeyId;
  return ok(undefined);
}

/** The cube and half-edges of a segment, as a decider takes them. */
export function decodeContents(
  segment: Segment,
  limits: CubeLimits = storedLimits,
): Result<Contents> {
  const cube = decodeCube(createByteReader(segment.cube), limits);
  if (!cube.ok) return cube;
  const halfEdges = decodeHalfEdges(segment.halfEdges, cube.value.keys);
  if (!halfEdges.ok) return halfEdges;
  return ok({ cube: cube.value, halfEdges: halfEdges.value });
}

export interface SealedWindow extends Contents {
  readonly cubeBytes: Uint8Array;
  readonly halfEdgeBytes: Uint8Array;
}

/**
 * The window in its canonical form. The cube is read back from its own bytes, so what is decided
 * on never depends on the order in which batches came, and is what a replay will read.
 */
export function sealWindow(window: WindowState): Result<SealedWindow> {
  const writer = createByteWriter();
  const places = encodeCube(writer, window.cube);
  const cubeBytes = writer.finish();
  const decoded = decodeCube(createByteReader(cubeBytes), storedLimits);
  if (!decoded.ok) return decoded;
  const halfEdges = window.halfEdges
    .map((half) => ({ ...half, key: places[half.key] as number }))
    .sort(compareHalfEdges);
  return ok({
    cube: decoded.value,
    halfEdges,
    cubeBytes,
    halfEdgeBytes: encodeHalfEdges(halfEdges),
  });
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
