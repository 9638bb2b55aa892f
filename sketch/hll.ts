/**
 * HyperLogLog: how many distinct customers, from 64-bit hashes given as two 32-bit halves.
 *
 *   entries    Uint32Array [entryCount]   while few: sorted, (top 22 bits of the hash) << 6 | rank
 *   registers  Uint8Array [16384]         after that: the longest run of zeros seen, plus one
 *
 * Of few hashes 22 bits are kept, and the rank of the 42 bits below only where the dense register
 * would need it (the 8 bits below its index are zero); elsewhere it is stored as 0. The state turns
 * dense when the 513th distinct entry arrives, which depends on the set of hashes alone, so after
 * any order of adds and merges the bytes are equal.
 *
 * Merge is the union, or the element-wise maximum: commutative, associative, idempotent.
 * Standard error 1.04 / sqrt(16384) = 0.81 % when dense. While sparse the count is exact but for
 * hashes that share 22 bits: of 30 customers two do in one of 10,000 sketches, of 512 in one of 32.
 * More bits would cost each customer of each sketch as many on the wire.
 * Source: Flajolet et al. 2007; sparse entries: Heule et al. 2013; estimator: Ertl 2017,
 * arXiv:1702.01284, algorithms 4 to 6.
 */

/** A number with its 95 % bounds. */
export interface Estimate {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

export interface Hll {
  /** Sorted; the first `entryCount` count, the rest is room. Unused once dense. */
  entries: Uint32Array;
  entryCount: number;
  registers: Uint8Array | undefined;
}

const hllPrecision = 14;
export const hllRegisterCount = 2 ** hllPrecision;
/** The hash has 64 - 14 bits below the index, so a run of zeros, plus one, is at most this. */
export const hllRankMax = 64 - hllPrecision + 1;
export const hllEntriesMax = 512;
/** An entry's rank counts the 42 bits below its index. */
export const hllEntryIndexBits = 22;
export const hllEntryRankMax = 64 - hllEntryIndexBits + 1;
/** The bits of an entry's index below its register's index. */
export const hllEntryLowBits = 0xff;

/** 95 % of a normal distribution lies within 1.96 standard deviations. */
const deviations95 = 1.96;
const standardError = 1.04 / Math.sqrt(hllRegisterCount);
/** No 64-bit hash can tell more apart; reached only by registers that no real stream gives. */
const estimateMax = 2 ** 64;
const noEntries = new Uint32Array(0);

export function createHll(): Hll {
  return { entries: noEntries, entryCount: 0, registers: undefined };
}

export function isEmptyHll(hll: Hll): boolean {
  return hll.entryCount === 0 && hll.registers === undefined;
}

export function copyHll(hll: Hll): Hll {
  return {
    entries: hll.entryCount === 0 ? noEntries : hll.entries.slice(0, hll.entryCount),
    entryCount: hll.entryCount,
    registers: hll.registers?.slice(),
  };
}

/** Counts one hash. */
export function addHll(hll: Hll, low32: number, high32: number): void {
  const registers = hll.registers;
  if (registers === undefined) {
    addEntry(hll, hllEntryOf(low32, high32));
    return;
  }
  const index = high32 >>> 18;
  const top = high32 << 14;
  const rank = top !== 0 ? Math.clz32(top) + 1 : Math.clz32(low32) + 19;
  if (rank > (registers[index] as number)) registers[index] = rank;
}

/** Merges `source` into `target`; `source` stays as it was. */
export function mergeHll(target: Hll, source: Hll): void {
  if (source.registers !== undefined) {
    raiseRegisters(toDense(target), source.registers);
  } else if (target.registers !== undefined) {
    applyEntries(target.registers, source);
  } else if (source.entryCount > 0) {
    mergeEntries(target, source);
  }
}

/** How many distinct hashes were added. */
export function estimateHll(hll: Hll): number {
  // Linear counting over 2^22 cells would add 0.03 to 512 entries.
  return hll.registers === undefined ? hll.entryCount : estimateRegisters(hll.registers);
}

/** The estimate with its 95 % bounds; exact while sparse. */
export function boundsHll(hll: Hll): Estimate {
  const value = estimateHll(hll);
  const spread = deviations95 * deviationOf(hll, value);
  return { value, low: value - spread, high: value + spread };
}

/** How many hashes are in both, by inclusion and exclusion: the error is that of the union. */
export function overlapHll(a: Hll, b: Hll): Estimate {
  const union = copyHll(a);
  mergeHll(union, b);
  const [countA, countB, countUnion] = [estimateHll(a), estimateHll(b), estimateHll(union)];
  const spread =
    deviations95 *
    Math.hypot(deviationOf(a, countA), deviationOf(b, countB), deviationOf(union, countUnion));
  const most = Math.min(countA, countB);
  const clamp = (value: number): number => Math.max(0, Math.min(most, value));
  const value = countA + countB - countUnion;
  return { value: clamp(value), low: clamp(value - spread), high: clamp(value + spread) };
}

function deviationOf(hll: Hll, estimate: number): number {
  return hll.registers === undefined ? 0 : standardError * estimate;
}

/** What is kept of a hash while sparse. */
export function hllEntryOf(low32: number, high32: number): number {
  const index = high32 >>> 10;
  if ((index & hllEntryLowBits) !== 0) return index << 6;
  const top = high32 << 22;
  const rank = top !== 0 ? Math.clz32(top) + 1 : Math.clz32(low32) + 11;
  return (index << 6) | rank;
}

function addEntry(hll: Hll, entry: number): void {
  const { entries, entryCount } = hll;
  let low = 0;
  let high = entryCount;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((entries[middle] as number) < entry) low = middle + 1;
    else high = middle;
  }
  if (low < entryCount && entries[low] === entry) return;
  if (entryCount === hllEntriesMax) {
    applyEntry(toDense(hll), entry);
    return;
  }
  reserveEntries(hll, entryCount + 1);
  hll.entries.copyWithin(low + 1, low, entryCount);
  hll.entries[low] = entry;
  hll.entryCount = entryCount + 1;
}

function reserveEntries(hll: Hll, count: number): void {
  if (count <= hll.entries.length) return;
  let room = Math.max(4, hll.entries.length * 2);
  while (room < count) room *= 2;
  const grown = new Uint32Array(Math.min(room, hllEntriesMax));
  grown.set(hll.entries.subarray(0, hll.entryCount));
  hll.entries = grown;
}

/** The union of two sorted lists, merged from the back so that it needs no second one. */
function mergeEntries(target: Hll, source: Hll): void {
  const size = unionSize(target, source);
  if (size > hllEntriesMax) {
    applyEntries(toDense(target), source);
    return;
  }
  let left = target.entryCount - 1;
  reserveEntries(target, size);
  const into = target.entries;
  const from = source.entries;
  let right = source.entryCount - 1;
  for (let at = size - 1; right >= 0; at--) {
    const a = left < 0 ? -1 : (into[left] as number);
    const b = from[right] as number;
    const order = a - b;
    into[at] = order > 0 ? a : b;
    if (order >= 0) left--;
    if (order <= 0) right--;
  }
  target.entryCount = size;
}

function unionSize(a: Hll, b: Hll): number {
  let shared = 0;
  let left = 0;
  let right = 0;
  while (left < a.entryCount && right < b.entryCount) {
    const order = (a.entries[left] as number) - (b.entries[right] as number);
    if (order === 0) shared++;
    if (order <= 0) left++;
    if (order >= 0) right++;
  }
  return a.entryCount + b.entryCount - shared;
}

function toDense(hll: Hll): Uint8Array {
  if (hll.registers !== undefined) return hll.registers;
  const registers = new Uint8Array(hllRegisterCount);
  applyEntries(registers, hll);
  hll.registers = registers;
  hll.entries = noEntries;
  hll.entryCount = 0;
  return registers;
}

function applyEntries(registers: Uint8Array, hll: Hll): void {
  for (let at = 0; at < hll.entryCount; at++) applyEntry(registers, hll.entries[at] as number);
}

function applyEntry(registers: Uint8Array, entry: number): void {
  const index = entry >>> 6;
  const low = index & hllEntryLowBits;
  const rank = low !== 0 ? Math.clz32(low) - 23 : 8 + (entry & 63);
  const register = index >>> 8;
  if (rank > (registers[register] as number)) registers[register] = rank;
}

/**
 * Element-wise maximum, four registers at a time: a register is below 128, so with its top bit set
 * it can lend to no neighbour, and the top bit that survives a subtraction says which is greater.
 */
function raiseRegisters(target: Uint8Array, source: Uint8Array): void {
  const into = new Uint32Array(target.buffer, target.byteOffset, hllRegisterCount / 4);
  const from = new Uint32Array(source.buffer, source.byteOffset, hllRegisterCount / 4);
  for (let at = 0; at < into.length; at++) {
    const a = into[at] as number;
    const b = from[at] as number;
    const kept = ((a | 0x80808080) - b) & 0x80808080;
    const mask = (kept - (kept >>> 7)) | kept;
    into[at] = (a & mask) | (b & ~mask);
  }
}

/** Ertl's improved raw estimator: unbiased at every count, without tables. */
function estimateRegisters(registers: Uint8Array): number {
  const counts = new Float64Array(hllRankMax + 1);
  for (let at = 0; at < hllRegisterCount; at++) {
    const rank = registers[at] as number;
    counts[rank] = (counts[rank] as number) + 1;
  }
  const m = hllRegisterCount;
  let z = m * tau(1 - (counts[hllRankMax] as number) / m);
  for (let rank = hllRankMax - 1; rank >= 1; rank--) z = 0.5 * (z + (counts[rank] as number));
  z += m * sigma((counts[0] as number) / m);
  return Math.min(estimateMax, (m * m) / (2 * Math.LN2 * z));
}

/** Corrects for registers that are still zero: x + sum over k of x^(2^k) 2^(k-1). */
function sigma(share: number): number {
  if (share === 1) return Number.POSITIVE_INFINITY;
  let x = share;
  let y = 1;
  let z = x;
  for (let before = -1; z !== before; y += y) {
    before = z;
    x *= x;
    z += x * y;
  }
  return z;
}

/** Corrects for registers that are full. */
function tau(share: number): number {
  if (share === 0 || share === 1) return 0;
  let x = share;
  let y = 1;
  let z = 1 - x;
  for (let before = -1; z !== before; ) {
    before = z;
    x = Math.sqrt(x);
    y *= 0.5;
    z -= (1 - x) ** 2 * y;
  }
  return z / 3;
}
