/** Half-edges of a window: their order, and their bytes in a segment. */
import { createByteReader, createByteWriter } from "../../base/bytes.ts";
import { ok, type Result, refuse } from "../../base/result.ts";
import type { KeyId } from "../../sketch/key.ts";
import type { HalfEdgeInWindow } from "../decide.ts";

const version = 1;
const calleeFlag = 1;
const failedFlag = 2;

/** A total order over all fields, so that equal sets give equal bytes. */
export function compareHalfEdges(a: HalfEdgeInWindow, b: HalfEdgeInWindow): number {
  return (
    a.idHigh - b.idHigh ||
    a.idLow - b.idLow ||
    flagsOf(a) - flagsOf(b) ||
    a.key - b.key ||
    a.startMs - b.startMs ||
    a.durationNs - b.durationNs ||
    a.shift - b.shift
  );
}

export function encodeHalfEdges(halfEdges: readonly HalfEdgeInWindow[]): Uint8Array {
  const writer = createByteWriter();
  writer.u8(version);
  writer.varint(halfEdges.length);
  for (const half of halfEdges) {
    writer.u8(flagsOf(half));
    writer.u8(half.shift);
    writer.u32(half.idLow);
    writer.u32(half.idHigh);
    writer.varint(half.key);
    writer.varint(half.startMs);
    writer.varint(half.durationNs);
  }
  return writer.finish();
}

/** Half-edges whose key `idOf` does not know, because its block is lost, are left out. */
export function decodeHalfEdges(
  bytes: Uint8Array,
  idOf: (place: number) => KeyId | undefined,
): Result<HalfEdgeInWindow[]> {
  const reader = createByteReader(bytes);
  if (reader.u8() !== version) return refuse("STORE_CORRUPT", "half-edges of an unknown format");
  const halfEdges: HalfEdgeInWindow[] = [];
  for (let left = reader.varint(); left > 0 && reader.problem === undefined; left--) {
    const flags = reader.u8();
    const half = {
      side: (flags & calleeFlag) !== 0 ? ("callee" as const) : ("caller" as const),
      failed: (flags & failedFlag) !== 0,
      shift: reader.u8(),
      idLow: reader.u32(),
      idHigh: reader.u32(),
      place: reader.varint(),
      startMs: reader.varint(),
      durationNs: reader.varint(),
    };
    const { place, ...rest } = half;
    const key = idOf(place);
    if (key !== undefined) halfEdges.push({ ...rest, key });
  }
  if (reader.problem !== undefined) return refuse("STORE_CORRUPT", reader.problem);
  return ok(halfEdges);
}

function flagsOf(half: HalfEdgeInWindow): number {
  return (half.side === "callee" ? calleeFlag : 0) | (half.failed ? failedFlag : 0);
}
