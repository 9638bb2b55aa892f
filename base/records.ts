/**
 * The one framing of everything that is stored.
 *
 *   "BRN" and u8 version | u32 payload bytes | u32 crc32 of the payload | u32 crc32 of these 12 bytes
 *   payload
 *
 * Little-endian. A damaged payload costs its record, as the header still says where the next one
 * is. After a damaged header the scan goes on at the next header whose checksum holds. Bytes after
 * the last whole record are a torn tail.
 */
import { crc32 } from "./crc32.ts";

export const recordHeaderSize = 16;
const recordVersion = 1;
const magic = 0x42; // "B"
const magicAndVersion = 0x4e_52_42 + recordVersion * 2 ** 24;

export interface Scan {
  /** Views into the scanned bytes, in order. */
  readonly payloads: readonly Uint8Array[];
  /** Where the record of each payload begins. */
  readonly offsets: readonly number[];
  /** Places where records were skipped because a checksum, a version or a header was wrong. */
  readonly corrupt: number;
  /** Where the next record goes: the end of the last whole one. */
  readonly endOffset: number;
  /** Bytes after it that are no record: an unfinished write, or a damaged newest record. */
  readonly tailBytes: number;
}

/** One record whose payload is `parts`, one after the other. */
export function frameRecord(...parts: readonly Uint8Array[]): Uint8Array {
  const size = parts.reduce((sum, part) => sum + part.length, 0);
  const record = new Uint8Array(recordHeaderSize + size);
  let at = recordHeaderSize;
  for (const part of parts) {
    record.set(part, at);
    at += part.length;
  }
  const view = new DataView(record.buffer);
  view.setUint32(0, magicAndVersion, true);
  view.setUint32(4, size, true);
  view.setUint32(8, crc32(record.subarray(recordHeaderSize)), true);
  view.setUint32(12, crc32(record.subarray(0, 12)), true);
  return record;
}

/** Several records, one after the other. */
export function frameRecords(payloads: readonly Uint8Array[]): Uint8Array {
  const records = payloads.map((payload) => frameRecord(payload));
  const bytes = new Uint8Array(records.reduce((sum, record) => sum + record.length, 0));
  let at = 0;
  for (const record of records) {
    bytes.set(record, at);
    at += record.length;
  }
  return bytes;
}

/** Finds every whole record in `bytes`. */
export function scanRecords(bytes: Uint8Array): Scan {
  const payloads: Uint8Array[] = [];
  const offsets: number[] = [];
  let corrupt = 0;
  let endOffset = 0;
  let at = nextHeader(bytes, 0);
  if (at !== 0 && bytes.length >= recordHeaderSize) corrupt++;
  while (at >= 0) {
    const end = at + recordHeaderSize + payloadSizeAt(bytes, at);
    if (end > bytes.length) break;
    const payload = payloadAt(bytes, at);
    if (payload === undefined) corrupt++;
    else {
      payloads.push(payload);
      offsets.push(at);
      endOffset = end;
    }
    at = nextHeader(bytes, end);
    if (at < 0 ? bytes.length - end >= recordHeaderSize : at > end) corrupt++;
  }
  return { payloads, offsets, corrupt, endOffset, tailBytes: bytes.length - endOffset };
}

/** The payload of the record at `at`, a view; undefined when it is not whole and sound. */
export function payloadAt(bytes: Uint8Array, at: number): Uint8Array | undefined {
  if (!isHeader(bytes, at)) return undefined;
  const start = at + recordHeaderSize;
  const end = start + payloadSizeAt(bytes, at);
  if (end > bytes.length) return undefined;
  const payload = bytes.subarray(start, end);
  const sum = new DataView(bytes.buffer, bytes.byteOffset + at + 8, 4).getUint32(0, true);
  return crc32(payload) === sum ? payload : undefined;
}

/** Bytes of the whole record at `at`, by its header; 0 when that is not sound. */
export function recordSizeAt(bytes: Uint8Array, at: number): number {
  return isHeader(bytes, at) ? recordHeaderSize + payloadSizeAt(bytes, at) : 0;
}

function payloadSizeAt(bytes: Uint8Array, at: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset + at + 4, 4).getUint32(0, true);
}

function isHeader(bytes: Uint8Array, at: number): boolean {
  if (bytes.length - at < recordHeaderSize) return false;
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, recordHeaderSize);
  if (view.getUint32(0, true) !== magicAndVersion) return false;
  return crc32(bytes.subarray(at, at + 12)) === view.getUint32(12, true);
}

/** Where the next sound header from `from` on is, or -1. */
function nextHeader(bytes: Uint8Array, from: number): number {
  let at = from;
  while (at >= 0 && !isHeader(bytes, at)) at = bytes.indexOf(magic, at + 1);
  return at;
}
