/**
 * The one framing of everything the collector stores.
 *
 *   u32 magic | u32 payload bytes | u32 crc32 of what follows | u8 format version | payload
 *
 * Little-endian. A damaged record costs that record: the scan goes on at the next magic whose
 * checksum holds. Bytes after the last whole record are a torn tail.
 */
import { crc32 } from "node:zlib";

const magic = 0x544e_5242; // "BRNT"
const magicBytes = new Uint8Array([0x42, 0x52, 0x4e, 0x54]);
const recordVersion = 1;
const recordHeaderSize = 13;

export interface Scan {
  /** Views into the scanned bytes, in order. */
  readonly payloads: readonly Uint8Array[];
  /** Records skipped because a checksum, a version or a header was wrong. */
  readonly corrupt: number;
  /** Where the next record goes: the end of the last whole one. */
  readonly endOffset: number;
  /** Bytes after it that are no record: an unfinished write, or a damaged newest record. */
  readonly tailBytes: number;
}

/** One record around `payload`. */
export function frameRecord(payload: Uint8Array): Uint8Array {
  const record = new Uint8Array(recordHeaderSize + payload.length);
  const view = new DataView(record.buffer);
  view.setUint32(0, magic, true);
  view.setUint32(4, payload.length, true);
  record[12] = recordVersion;
  record.set(payload, recordHeaderSize);
  view.setUint32(8, crc32(record.subarray(12)), true);
  return record;
}

/** Finds every whole record in `bytes`. */
export function scanRecords(bytes: Uint8Array): Scan {
  const payloads: Uint8Array[] = [];
  let corrupt = 0;
  let endOffset = 0;
  let at = 0;
  while (at < bytes.length) {
    const size = recordSizeAt(bytes, at);
    if (size > 0) {
      payloads.push(bytes.subarray(at + recordHeaderSize, at + size));
      at += size;
      endOffset = at;
      continue;
    }
    const next = nextRecord(bytes, at + 1);
    if (next < 0) {
      if (isWholeButDamaged(bytes, at)) corrupt++;
      break;
    }
    corrupt++;
    at = next;
  }
  return { payloads, corrupt, endOffset, tailBytes: bytes.length - endOffset };
}

/** Bytes of the valid record at `at`, or 0. */
function recordSizeAt(bytes: Uint8Array, at: number): number {
  if (bytes.length - at < recordHeaderSize) return 0;
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, recordHeaderSize);
  if (view.getUint32(0, true) !== magic || view.getUint8(12) !== recordVersion) return 0;
  const size = recordHeaderSize + view.getUint32(4, true);
  if (size > bytes.length - at) return 0;
  const sum = crc32(bytes.subarray(at + 12, at + size));
  return sum === view.getUint32(8, true) ? size : 0;
}

function nextRecord(bytes: Uint8Array, from: number): number {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (
    let at = buffer.indexOf(magicBytes, from);
    at >= 0;
    at = buffer.indexOf(magicBytes, at + 1)
  ) {
    if (recordSizeAt(bytes, at) > 0) return at;
  }
  return -1;
}

function isWholeButDamaged(bytes: Uint8Array, at: number): boolean {
  if (bytes.length - at < recordHeaderSize) return false;
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, recordHeaderSize);
  return recordHeaderSize + view.getUint32(4, true) <= bytes.length - at;
}
