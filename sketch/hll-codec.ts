/**
 * HyperLogLog as bits. Two bits say the form:
 *
 *   0 empty    nothing follows
 *   1 sparse   9 bits count less one, then per entry: the gap to the index before (rice); the rank
 *              less one where it is kept (gamma); and the marks a column gives its entries
 *   2 listed   13 bits count, then per register above zero the gap to the one before, less one
 *              (rice), and the rank less one in unary
 *   3 packed   6 bits the smallest register, 2 bits k, then every register less that (rice)
 *
 * k follows from the numbers, so that most gaps are coded near the best that is possible: 2.5 bytes
 * a customer when there are 30. The state alone decides the form, so equal sketches have equal
 * bits.
 */
import { BitReader, BitWriter, lengthOf } from "../base/bits.ts";
import type { ByteReader, ByteWriter } from "../base/bytes.ts";
import {
  createHll,
  type Hll,
  hllEntriesMax,
  hllEntryIndexBits,
  hllEntryLowBits,
  hllEntryRankMax,
  hllRankMax,
  hllRegisterCount,
  isEmptyHll,
} from "./hll.ts";

const forms = { empty: 0, sparse: 1, listed: 2, packed: 3 } as const;

/** From here on the list is larger than the packed form. */
const listedMax = 4096;
const listedBits = 13;
/**
 * 513 entries fill 505 registers on average, with a deviation of 3; no hash that one cannot choose
 * fills fewer than this. It keeps a few bytes from claiming 16 KiB.
 */
const filledMin = 450;
const rankBits = 6;
const packedKMax = 3;
const entryIndexMax = 2 ** hllEntryIndexBits - 1;

/** Writes a sketch as a string of bytes of its own. */
export function encodeHll(writer: ByteWriter, hll: Hll): void {
  const bits = new BitWriter();
  writeHll(bits, hll);
  const bytes = bits.finish();
  writer.varint(bytes.length);
  writer.bytes(bytes);
}

/** Reads what `encodeHll` wrote; what breaks its laws is rejected at the reader. */
export function decodeHll(reader: ByteReader): Hll {
  const bits = new BitReader(reader.bytes(reader.varint()));
  const hll = readHll(bits);
  bits.checkEnd();
  if (bits.problem !== undefined) reader.reject(`hll ${bits.problem}`);
  return bits.problem === undefined ? hll : createHll();
}

export function writeHll(bits: BitWriter, hll: Hll): void {
  if (isEmptyHll(hll)) bits.bits(forms.empty, 2);
  else if (hll.registers === undefined) {
    bits.bits(forms.sparse, 2);
    writeEntries(bits, hll.entries, { start: 0, length: hll.entryCount, marks: 0, kept: 0 });
  } else writeRegisters(bits, hll.registers);
}

export function readHll(bits: BitReader): Hll {
  const hll = createHll();
  const form = bits.bits(2);
  if (form === forms.sparse) {
    hll.entries = new Uint32Array(hllEntriesMax);
    hll.entryCount = readEntries(bits, hll.entries, { marks: 0, kept: 0 });
    hll.entries = hll.entries.slice(0, hll.entryCount);
  } else if (form !== forms.empty) {
    hll.registers = readRegisters(bits, form);
  }
  return hll;
}

/**
 * Writes ascending words, each an entry above `marks` bits of which those in `kept` are written.
 */
export function writeEntries(
  bits: BitWriter,
  words: Uint32Array | Int32Array,
  list: { start: number; length: number; marks: number; kept: number },
): void {
  const { start, length, marks, kept } = list;
  const k = riceBits(2 ** hllEntryIndexBits, length);
  bits.bits(length - 1, 9);
  let before = 0;
  for (let at = start; at < start + length; at++) {
    const word = words[at] as number;
    const index = word >>> (6 + marks);
    bits.rice(index - before, k);
    if ((index & hllEntryLowBits) === 0) bits.gamma(((word >>> marks) & 63) - 1);
    if ((kept & 1) !== 0) bits.bits(word & 1, 1);
    if ((kept & 2) !== 0) bits.bits((word >>> 1) & 1, 1);
    before = index;
  }
}

/** Reads at most 512 words into `words`; gives how many. */
export function readEntries(
  bits: BitReader,
  words: Uint32Array | Int32Array,
  list: { marks: number; kept: number },
): number {
  const { marks, kept } = list;
  const length = bits.bits(9) + 1;
  const k = riceBits(2 ** hllEntryIndexBits, length);
  let index = 0;
  let before = -1;
  for (let at = 0; at < length; at++) {
    index += bits.rice(k, entryIndexMax);
    let rank = 0;
    if ((index & hllEntryLowBits) === 0) {
      rank = bits.gamma() + 1;
      if (rank > hllEntryRankMax) bits.reject(`entry rank ${rank} exceeds ${hllEntryRankMax}`);
    }
    if (index > entryIndexMax) bits.reject(`entry index exceeds ${entryIndexMax}`);
    const entry = (index << 6) | rank;
    if (entry <= before) bits.reject("entries are not in ascending order");
    if (bits.problem !== undefined) return 0;
    before = entry;
    let word = entry << marks;
    if ((kept & 1) !== 0) word |= bits.bits(1);
    if ((kept & 2) !== 0) word |= bits.bits(1) << 1;
    words[at] = word;
  }
  return length;
}

/** The k for the gaps of `count` numbers spread over `range`: log2 of their mean by ln 2. */
export function riceBits(range: number, count: number): number {
  return Math.max(0, lengthOf(Math.floor((range * Math.LN2) / count)) - 1);
}

function writeRegisters(bits: BitWriter, registers: Uint8Array): void {
  const { filled, least, sum } = shapeOf(registers);
  if (filled > listedMax) {
    const k = packedBits(sum, least);
    bits.bits(forms.packed, 2);
    bits.bits(least, rankBits);
    bits.bits(k, 2);
    for (let at = 0; at < hllRegisterCount; at++) bits.rice((registers[at] as number) - least, k);
    return;
  }
  bits.bits(forms.listed, 2);
  bits.bits(filled, listedBits);
  const k = riceBits(hllRegisterCount, filled);
  let next = 0;
  for (let index = 0; index < hllRegisterCount; index++) {
    const rank = registers[index] as number;
    if (rank === 0) continue;
    bits.rice(index - next, k);
    bits.rice(rank - 1, 0);
    next = index + 1;
  }
}

function readRegisters(bits: BitReader, form: number): Uint8Array | undefined {
  return form === forms.listed ? readListed(bits) : readPacked(bits);
}

function readListed(bits: BitReader): Uint8Array | undefined {
  const count = bits.bits(listedBits);
  if (count < filledMin || count > listedMax || count * 2 > bits.remaining) {
    bits.reject(`lists ${count} registers, not ${filledMin} to ${listedMax}`);
    return undefined;
  }
  const registers = new Uint8Array(hllRegisterCount);
  const k = riceBits(hllRegisterCount, count);
  let next = 0;
  for (let at = 0; at < count; at++) {
    const index = next + bits.rice(k, hllRegisterCount);
    const rank = bits.rice(0, hllRankMax - 1) + 1;
    if (index >= hllRegisterCount) bits.reject("register index exceeds 2^14 - 1");
    if (bits.problem !== undefined) return undefined;
    registers[index] = rank;
    next = index + 1;
  }
  return registers;
}

function readPacked(bits: BitReader): Uint8Array | undefined {
  const least = bits.bits(rankBits);
  const k = bits.bits(2);
  if (hllRegisterCount > bits.remaining) {
    bits.reject(`packs ${hllRegisterCount} registers in ${bits.remaining} bits`);
    return undefined;
  }
  const registers = new Uint8Array(hllRegisterCount);
  for (let at = 0; at < hllRegisterCount; at++) {
    const rank = least + bits.rice(k, hllRankMax);
    if (rank > hllRankMax) bits.reject(`register rank ${rank} exceeds ${hllRankMax}`);
    if (bits.problem !== undefined) return undefined;
    registers[at] = rank;
  }
  const shape = shapeOf(registers);
  if (shape.filled <= listedMax) bits.reject(`packs fewer than ${listedMax + 1} registers`);
  if (shape.least !== least || packedBits(shape.sum, least) !== k) {
    bits.reject("packs registers under another minimum or mean than theirs");
  }
  return registers;
}

function packedBits(sum: number, least: number): number {
  const mean = Math.floor(sum / hllRegisterCount) - least;
  return Math.min(packedKMax, Math.max(0, lengthOf(mean) - 1));
}

function shapeOf(registers: Uint8Array): { filled: number; least: number; sum: number } {
  let filled = 0;
  let least = hllRankMax;
  let sum = 0;
  for (let index = 0; index < hllRegisterCount; index++) {
    const rank = registers[index] as number;
    if (rank !== 0) filled++;
    if (rank < least) least = rank;
    sum += rank;
  }
  return { filled, least, sum };
}
