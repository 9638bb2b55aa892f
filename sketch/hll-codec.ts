/**
 * HyperLogLog as bytes. One byte says precision * 4 + form:
 *
 *   0 empty    nothing follows
 *   1 sparse   count, then per entry the gap to the index before and, where kept, the rank
 *   2 listed   count, then per register above zero the gap to the one before and the rank
 *   3 packed   every register in six bits, four to three bytes
 *
 * The state alone decides the form, so equal sketches have equal bytes.
 */
import type { ByteReader, ByteWriter } from "../base/bytes.ts";
import {
  createHll,
  type Hll,
  hllEntriesMax,
  hllEntryLowBits,
  hllEntryRankMax,
  hllPrecision,
  hllRankMax,
  hllRegisterCount,
  isEmptyHll,
} from "./hll.ts";

const forms = { empty: 0, sparse: 1, listed: 2, packed: 3 } as const;

/** From here on the list, two bytes a register, is larger than the packed form. */
const listedMax = 6144;
/**
 * 513 entries fill 505 registers on average, with a deviation of 3; no hash that one cannot choose
 * fills fewer than this. It keeps a few bytes from claiming 16 KiB.
 */
const filledMin = 450;
const packedSize = (hllRegisterCount / 4) * 3;

export function encodeHll(writer: ByteWriter, hll: Hll): void {
  const { registers } = hll;
  if (isEmptyHll(hll)) {
    writeForm(writer, forms.empty);
  } else if (registers === undefined) {
    writeForm(writer, forms.sparse);
    writeEntries(writer, hll);
  } else if (filledCount(registers) <= listedMax) {
    writeForm(writer, forms.listed);
    writeListed(writer, registers);
  } else {
    writeForm(writer, forms.packed);
    writePacked(writer, registers);
  }
}

/** Reads a sketch; what breaks its laws is rejected at the reader. */
export function decodeHll(reader: ByteReader): Hll {
  const hll = createHll();
  const head = reader.u8();
  const precision = head >>> 2;
  if (reader.problem === undefined && precision !== hllPrecision) {
    reader.reject(`hll precision is ${precision}, not ${hllPrecision}`);
  }
  const form = head & 3;
  if (form === forms.sparse) readEntries(reader, hll);
  else if (form === forms.listed) hll.registers = readListed(reader);
  else if (form === forms.packed) hll.registers = readPacked(reader);
  return hll;
}

function writeForm(writer: ByteWriter, form: number): void {
  writer.u8(hllPrecision * 4 + form);
}

function writeEntries(writer: ByteWriter, hll: Hll): void {
  writer.varint(hll.entryCount);
  let next = 0;
  for (let at = 0; at < hll.entryCount; at++) {
    const entry = hll.entries[at] as number;
    const index = entry >>> 6;
    writer.varint(index - next);
    if ((index & hllEntryLowBits) === 0) writer.u8(entry & 63);
    next = index + 1;
  }
}

function readEntries(reader: ByteReader, hll: Hll): void {
  const count = reader.varint();
  if (count < 1 || count > hllEntriesMax || count > reader.remaining) {
    reader.reject(`hll has ${count} entries, not 1 to ${hllEntriesMax}`);
    return;
  }
  const entries = new Uint32Array(count);
  let next = 0;
  for (let at = 0; at < count; at++) {
    const index = next + reader.varint();
    const isRanked = (index & hllEntryLowBits) === 0;
    const rank = isRanked ? reader.u8() : 0;
    if (index >= 2 ** 25) reader.reject("hll entry index exceeds 2^25 - 1");
    if (isRanked && (rank < 1 || rank > hllEntryRankMax)) {
      reader.reject(`hll entry rank is ${rank}, not 1 to ${hllEntryRankMax}`);
    }
    if (reader.problem !== undefined) return;
    entries[at] = ((index << 6) | rank) >>> 0;
    next = index + 1;
  }
  hll.entries = entries;
  hll.entryCount = count;
}

function writeListed(writer: ByteWriter, registers: Uint8Array): void {
  writer.varint(filledCount(registers));
  let next = 0;
  for (let index = 0; index < hllRegisterCount; index++) {
    const rank = registers[index] as number;
    if (rank === 0) continue;
    writer.varint(index - next);
    writer.u8(rank);
    next = index + 1;
  }
}

function readListed(reader: ByteReader): Uint8Array | undefined {
  const count = reader.varint();
  if (count < filledMin || count > listedMax || count > reader.remaining / 2) {
    reader.reject(`hll lists ${count} registers, not ${filledMin} to ${listedMax}`);
    return undefined;
  }
  const registers = new Uint8Array(hllRegisterCount);
  let next = 0;
  for (let at = 0; at < count; at++) {
    const index = next + reader.varint();
    const rank = reader.u8();
    if (index >= hllRegisterCount) reader.reject("hll register index exceeds 2^14 - 1");
    if (rank < 1) reader.reject("hll lists a register of rank 0");
    checkRank(reader, rank);
    if (reader.problem !== undefined) return undefined;
    registers[index] = rank;
    next = index + 1;
  }
  return registers;
}

function writePacked(writer: ByteWriter, registers: Uint8Array): void {
  const packed = new Uint8Array(packedSize);
  for (let from = 0, into = 0; from < hllRegisterCount; from += 4, into += 3) {
    const word =
      (registers[from] as number) |
      ((registers[from + 1] as number) << 6) |
      ((registers[from + 2] as number) << 12) |
      ((registers[from + 3] as number) << 18);
    packed[into] = word;
    packed[into + 1] = word >>> 8;
    packed[into + 2] = word >>> 16;
  }
  writer.bytes(packed);
}

function readPacked(reader: ByteReader): Uint8Array | undefined {
  const packed = reader.bytes(packedSize);
  if (packed.length !== packedSize) return undefined;
  const registers = new Uint8Array(hllRegisterCount);
  let rankMax = 0;
  for (let from = 0, into = 0; from < packedSize; from += 3, into += 4) {
    const word =
      (packed[from] as number) |
      ((packed[from + 1] as number) << 8) |
      ((packed[from + 2] as number) << 16);
    for (let lane = 0; lane < 4; lane++) {
      const rank = (word >>> (lane * 6)) & 63;
      registers[into + lane] = rank;
      if (rank > rankMax) rankMax = rank;
    }
  }
  checkRank(reader, rankMax);
  if (filledCount(registers) <= listedMax) {
    reader.reject(`hll packs fewer than ${listedMax + 1} registers`);
  }
  return registers;
}

function checkRank(reader: ByteReader, rank: number): void {
  if (rank > hllRankMax) reader.reject(`hll register rank ${rank} exceeds ${hllRankMax}`);
}

function filledCount(registers: Uint8Array): number {
  let filled = 0;
  for (let index = 0; index < hllRegisterCount; index++) {
    if (registers[index] !== 0) filled++;
  }
  return filled;
}
