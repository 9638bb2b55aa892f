/**
 * One side of a call whose other side another agent saw, and its bytes (about 16 each):
 *
 *   u32 idHigh, u32 idLow
 *   varint   key * 4 + 2 if failed + 1 if callee
 *   varint   duration in nanoseconds
 *   varint   start less the window's start in milliseconds, zigzag
 *
 * They are written in ascending order of these fields, so equal sets give equal bytes.
 */
import type { ByteReader, ByteWriter } from "../base/bytes.ts";
import type { KeyId } from "../sketch/key.ts";

export interface HalfEdge {
  readonly side: "caller" | "callee";
  /** The span id both sides know: the caller's own, the callee's parent or link. */
  readonly idLow: number;
  readonly idHigh: number;
  /** In the batch's `cube.keys`. */
  readonly key: KeyId;
  readonly durationNs: number;
  readonly startMs: number;
  readonly failed: boolean;
}

const sizeMin = 11;
const startMsMax = 2 ** 51;

interface Row {
  readonly idHigh: number;
  readonly idLow: number;
  readonly keyAndFlags: number;
  readonly durationNs: number;
  readonly start: number;
}

/** `places` has, by KeyId, the id of each key in the bytes, as `encodeCube` answers it. */
export function encodeHalfEdges(
  writer: ByteWriter,
  halfEdges: readonly HalfEdge[],
  context: { readonly places: Uint32Array; readonly windowStartMs: number },
): void {
  const rows = halfEdges.map((half) => rowOf(half, context));
  rows.sort(compareRows);
  writer.varint(rows.length);
  for (const row of rows) {
    writer.u32(row.idHigh);
    writer.u32(row.idLow);
    writer.varint(row.keyAndFlags);
    writer.varint(row.durationNs);
    writer.varint(row.start);
  }
}

/** Reads at most `countMax`; what is out of order or names no key is rejected at the reader. */
export function decodeHalfEdges(
  reader: ByteReader,
  context: { readonly keys: number; readonly windowStartMs: number; readonly countMax: number },
): HalfEdge[] {
  const count = reader.varint();
  if (count > context.countMax || count * sizeMin > reader.remaining) {
    reader.reject(`claims ${count} half-edges, at most ${context.countMax}, in too few bytes`);
    return [];
  }
  const halfEdges: HalfEdge[] = [];
  let before: Row | undefined;
  for (let at = 0; at < count && reader.problem === undefined; at++) {
    const row: Row = {
      idHigh: reader.u32(),
      idLow: reader.u32(),
      keyAndFlags: reader.varint(),
      durationNs: reader.varint(),
      start: reader.varint(),
    };
    if (before !== undefined && compareRows(before, row) > 0) {
      reader.reject("half-edges are not in ascending order");
    }
    const half = halfEdgeOf(row, context.windowStartMs);
    if (half.key >= context.keys) {
      reader.reject(`half-edge names key ${half.key} of ${context.keys}`);
    }
    if (half.startMs < 0 || half.startMs > startMsMax) {
      reader.reject(`half-edge starts at ${half.startMs} ms, not from 0 to ${startMsMax}`);
    }
    halfEdges.push(half);
    before = row;
  }
  return halfEdges;
}

function rowOf(
  half: HalfEdge,
  context: { readonly places: Uint32Array; readonly windowStartMs: number },
): Row {
  const { places, windowStartMs } = context;
  const key = places[half.key] as number;
  const offset = Math.floor(Math.min(half.startMs, startMsMax)) - windowStartMs;
  return {
    idHigh: half.idHigh >>> 0,
    idLow: half.idLow >>> 0,
    keyAndFlags: key * 4 + (half.failed ? 2 : 0) + (half.side === "callee" ? 1 : 0),
    durationNs: Math.min(Math.floor(half.durationNs), Number.MAX_SAFE_INTEGER),
    start: offset >= 0 ? offset * 2 : -offset * 2 - 1,
  };
}

function halfEdgeOf(row: Row, windowStartMs: number): HalfEdge {
  const flags = row.keyAndFlags % 4;
  const isNegative = row.start % 2 === 1;
  const offset = isNegative ? -(row.start + 1) / 2 : row.start / 2;
  return {
    side: flags % 2 === 1 ? "callee" : "caller",
    idLow: row.idLow,
    idHigh: row.idHigh,
    key: Math.floor(row.keyAndFlags / 4),
    durationNs: row.durationNs,
    startMs: windowStartMs + offset,
    failed: flags >= 2,
  };
}

function compareRows(a: Row, b: Row): number {
  return (
    a.idHigh - b.idHigh ||
    a.idLow - b.idLow ||
    a.keyAndFlags - b.keyAndFlags ||
    a.durationNs - b.durationNs ||
    a.start - b.start
  );
}
