/**
 * SipHash-2-4: a keyed hash of short inputs. Whoever does not hold the key can neither predict nor
 * steer it, so a sender cannot shrink or inflate a count of distinct customers.
 *
 *   key    16 bytes, read as two little-endian 64-bit words
 *   state  four 64-bit words, each as two signed 32-bit lanes (low, high)
 *
 * Source: Aumasson and Bernstein 2012, "SipHash: a fast short-input PRF", section 2.
 */
import { assert } from "../base/errors.ts";

export interface SipKey {
  /** [low, high] of each key half. */
  readonly words: Int32Array;
}

/** A key from 16 secret bytes. */
export function createSipKey(bytes16: Uint8Array): SipKey {
  assert(bytes16.length === 16, "a SipHash key has 16 bytes");
  return { words: Int32Array.from([0, 4, 8, 12], (offset) => word32(bytes16, offset)) };
}

/** Hashes bytes[start, end) into `out` as [low32, high32]. */
export function sipHash24(
  key: SipKey,
  bytes: Uint8Array,
  start: number,
  end: number,
  out: Uint32Array,
): void {
  const { words } = key;
  const k0 = words[0] as number;
  const k1 = words[1] as number;
  const k2 = words[2] as number;
  const k3 = words[3] as number;
  let v0l = k0 ^ 0x70736575;
  let v0h = k1 ^ 0x736f6d65;
  let v1l = k2 ^ 0x6e646f6d;
  let v1h = k3 ^ 0x646f7261;
  let v2l = k0 ^ 0x6e657261;
  let v2h = k1 ^ 0x6c796765;
  let v3l = k2 ^ 0x79746573;
  let v3h = k3 ^ 0x74656462;
  const tail = start + ((end - start) & ~7);
  // Full words, then the tail word with the length, then the finalisation as a word of zero.
  for (let at = start; at <= tail + 8; at += 8) {
    const last = at > tail;
    const low = at < tail ? word32(bytes, at) : last ? 0 : tailWord(bytes, at, end);
    const high = at < tail ? word32(bytes, at + 4) : last ? 0 : tailHigh(bytes, at + 4, end, start);
    if (last) v2l ^= 0xff;
    v3l ^= low;
    v3h ^= high;
    for (let round = last ? 4 : 2; round > 0; round--) {
      // A carry is a majority of three bits. Compared for, it is a branch that is wrong half of the
      // time, which doubles what the hash takes.
      // v0 += v1; v1 = (v1 <<< 13) ^ v0; v0 <<<= 32
      let sum = (v0l + v1l) | 0;
      v0h = (v0h + v1h + (((v0l & v1l) | ((v0l | v1l) & ~sum)) >>> 31)) | 0;
      v0l = sum;
      let turned = ((v1l << 13) | (v1h >>> 19)) ^ v0l;
      v1h = ((v1h << 13) | (v1l >>> 19)) ^ v0h;
      v1l = turned;
      turned = v0l;
      v0l = v0h;
      v0h = turned;
      // v2 += v3; v3 = (v3 <<< 16) ^ v2
      sum = (v2l + v3l) | 0;
      v2h = (v2h + v3h + (((v2l & v3l) | ((v2l | v3l) & ~sum)) >>> 31)) | 0;
      v2l = sum;
      turned = ((v3l << 16) | (v3h >>> 16)) ^ v2l;
      v3h = ((v3h << 16) | (v3l >>> 16)) ^ v2h;
      v3l = turned;
      // v0 += v3; v3 = (v3 <<< 21) ^ v0
      sum = (v0l + v3l) | 0;
      v0h = (v0h + v3h + (((v0l & v3l) | ((v0l | v3l) & ~sum)) >>> 31)) | 0;
      v0l = sum;
      turned = ((v3l << 21) | (v3h >>> 11)) ^ v0l;
      v3h = ((v3h << 21) | (v3l >>> 11)) ^ v0h;
      v3l = turned;
      // v2 += v1; v1 = (v1 <<< 17) ^ v2; v2 <<<= 32
      sum = (v2l + v1l) | 0;
      v2h = (v2h + v1h + (((v2l & v1l) | ((v2l | v1l) & ~sum)) >>> 31)) | 0;
      v2l = sum;
      turned = ((v1l << 17) | (v1h >>> 15)) ^ v2l;
      v1h = ((v1h << 17) | (v1l >>> 15)) ^ v2h;
      v1l = turned;
      turned = v2l;
      v2l = v2h;
      v2h = turned;
    }
    v0l ^= low;
    v0h ^= high;
  }
  out[0] = v0l ^ v1l ^ v2l ^ v3l;
  out[1] = v0h ^ v1h ^ v2h ^ v3h;
}

function word32(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at] as number) |
    ((bytes[at + 1] as number) << 8) |
    ((bytes[at + 2] as number) << 16) |
    ((bytes[at + 3] as number) << 24)
  );
}

/** Up to four bytes from `at` that lie before `end`. */
function tailWord(bytes: Uint8Array, at: number, end: number): number {
  let word = 0;
  for (let index = Math.min(end - at, 4) - 1; index >= 0; index--) {
    word = (word << 8) | (bytes[at + index] as number);
  }
  return word;
}

/** The last lane: up to three bytes, and the length modulo 256 on top. */
function tailHigh(bytes: Uint8Array, at: number, end: number, start: number): number {
  return tailWord(bytes, at, end) | ((end - start) << 24);
}
