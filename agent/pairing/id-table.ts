/**
 * From span id and trace to a row.
 *
 *   slots  Int32Array [power of two, at most half full, 2]   row (-1 = free), and the low word of
 *          the id, which spares a visit to the row for nearly every slot that is taken
 *
 * Ids and traces are signed words. Probes are bounded and places depend on a secret seed, so chosen
 * ids cannot make the table slow; what finds no room is refused.
 */
import { blockOf, idHash } from "./id-hash.ts";
import { idHighColumn, type SpanRows, traceColumn } from "./span-rows.ts";

const none = -1;
const slotWords = 2;
const slotsInitial = 2_048;
const fullShare = 0.5;
/** 32 slots. */
const blockWords = 64;
const blocksPerTrace = 4;
const probesPerBlock = 8;
const probesMax = 256;

export class IdTable {
  readonly #seed: number;
  readonly #rows: SpanRows;
  #slots = new Int32Array(slotsInitial * slotWords).fill(none);

  /** What else is known of an id is in `rows`. */
  constructor(seed: number, rows: SpanRows) {
    this.#seed = seed;
    this.#rows = rows;
  }

  /** How many rows it may hold. */
  get room(): number {
    return (this.#slots.length / slotWords) * fullShare;
  }

  clear(): void {
    this.#slots.fill(none);
  }

  /** Makes it twice as large, and empty. */
  grow(): void {
    this.#slots = new Int32Array(this.#slots.length * 2).fill(none);
  }

  /** -1 for a slot that is free. */
  rowAt(slot: number): number {
    return this.#slots[slot] as number;
  }

  put(slot: number, row: number, idLow: number): void {
    this.#slots[slot] = row;
    this.#slots[slot + 1] = idLow;
  }

  /**
   * Where this id is or would go in the table; -1 when the probes are used up. First in the blocks
   * of its trace, so that the spans of a trace share a few lines of the cache, from a place of its
   * own within each, as a search from the block's start passed half of the trace; when those are
   * full, from a place of its own on, so that a trace of any size makes no cluster. Ids leave only
   * when the table is made anew, so a free slot ends a search.
   */
  slotOf(idHigh: number, idLow: number, trace: number): number {
    const table = this.#slots;
    const mask = table.length - 1;
    const own = placeInBlock(idHigh, idLow);
    for (let turn = 0; turn < blocksPerTrace; turn++) {
      const block = blockOf(this.#seed, trace, turn) & mask;
      for (let probe = 0; probe < probesPerBlock; probe++) {
        const slot = block + ((own + probe * slotWords) & (blockWords - 1));
        if (table[slot] === none || this.#isAt(slot, idHigh, idLow, trace)) return slot;
      }
    }
    let slot = (idHash(this.#seed, idHigh, idLow) * slotWords) & mask;
    for (let probe = 0; probe < probesMax; probe++) {
      if (table[slot] === none || this.#isAt(slot, idHigh, idLow, trace)) return slot;
      slot = (slot + slotWords) & mask;
    }
    return none;
  }

  /** The first free slot for an id that is not there. */
  freeSlotOf(idHigh: number, idLow: number, trace: number): number {
    const table = this.#slots;
    const mask = table.length - 1;
    const own = placeInBlock(idHigh, idLow);
    for (let turn = 0; turn < blocksPerTrace; turn++) {
      const block = blockOf(this.#seed, trace, turn) & mask;
      for (let probe = 0; probe < probesPerBlock; probe++) {
        const slot = block + ((own + probe * slotWords) & (blockWords - 1));
        if (table[slot] === none) return slot;
      }
    }
    let slot = (idHash(this.#seed, idHigh, idLow) * slotWords) & mask;
    while (table[slot] !== none) slot = (slot + slotWords) & mask;
    return slot;
  }

  #isAt(slot: number, idHigh: number, idLow: number, trace: number): boolean {
    if (this.#slots[slot + 1] !== idLow) return false;
    const row = this.#slots[slot] as number;
    const rows = this.#rows;
    return rows.word(row, idHighColumn) === idHigh && rows.word(row, traceColumn) === trace;
  }
}

/** Ids may count up, or end in zeros. */
function placeInBlock(idHigh: number, idLow: number): number {
  return (Math.imul(idLow ^ idHigh, 0x9e3779b1) >>> 27) * slotWords;
}
