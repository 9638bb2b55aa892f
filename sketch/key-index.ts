/**
 * Finds the id of a key: values are numbered as they come, a key is a row of such numbers, and rows
 * are found by open addressing.
 *
 *   values  Map             string to number
 *   rows    Int32Array      [keys, dimensions]
 *   slots   Int32Array      key id + 1 by hash; 0 where there is none
 *
 * A trie of Maps took eight times the memory. Who sends keys could choose many of one hash; a chain
 * of more than `chainMax` is answered with another hash, for which they were not chosen.
 */
/** One value for each dimension. */
type Values = readonly string[];

const chainMax = 256;
const slotsInitial = 16;
/** At most so full. */
const slotsPerKey = 2;
const unknown = -1;

export class KeyIndex {
  readonly #keys: readonly Values[];
  readonly #dimensions: number;
  readonly #values = new Map<string, number>();
  /** So many of the keys are filed; those that came from bytes are when one is looked for. */
  #filed = 0;
  #rows: Int32Array;
  #slots = new Int32Array(slotsInitial);
  #seed = 1;
  /** The key looked for and its values' numbers; keys come sorted and share most with the last. */
  readonly #last: string[] = [];
  readonly #wanted: Int32Array;

  /** `keys` may grow; what is added to it is found from then on. */
  constructor(keys: readonly Values[], dimensions: number) {
    this.#keys = keys;
    this.#dimensions = dimensions;
    this.#rows = new Int32Array(slotsInitial * dimensions);
    this.#wanted = new Int32Array(dimensions);
  }

  /** How many different values there are; their numbers are below. */
  get valueCount(): number {
    return this.#values.size;
  }

  /** The numbers of the values of every key, [keys, dimensions]. */
  fileAll(): Int32Array {
    if (this.#filed < this.#keys.length) this.#file();
    return this.#rows;
  }

  find(key: Values): number | undefined {
    if (this.#filed < this.#keys.length) this.#file();
    if (!this.#numberValues(key)) return undefined;
    const mask = this.#slots.length - 1;
    for (let slot = this.#hash(this.#wanted, 0) & mask; ; slot = (slot + 1) & mask) {
      const id = (this.#slots[slot] as number) - 1;
      if (id < 0) return undefined;
      if (this.#isWanted(id)) return id;
    }
  }

  /** Puts the numbers of the key's values into `wanted`; false when there are values without. */
  #numberValues(key: Values): boolean {
    const last = this.#last;
    const wanted = this.#wanted;
    let isKnown = true;
    for (let at = 0; at < this.#dimensions; at++) {
      const value = key[at] as string;
      if (last[at] !== value || wanted[at] === unknown) {
        last[at] = value;
        wanted[at] = this.#values.get(value) ?? unknown;
      }
      if (wanted[at] === unknown) isKnown = false;
    }
    return isKnown;
  }

  #isWanted(id: number): boolean {
    const rows = this.#rows;
    const wanted = this.#wanted;
    const from = id * this.#dimensions;
    for (let at = 0; at < wanted.length; at++) {
      if (rows[from + at] !== wanted[at]) return false;
    }
    return true;
  }

  #file(): void {
    const dimensions = this.#dimensions;
    const count = this.#keys.length;
    if (count * dimensions > this.#rows.length) {
      const grown = new Int32Array(Math.ceil(count * 1.5) * dimensions);
      grown.set(this.#rows);
      this.#rows = grown;
    }
    const first = this.#filed;
    for (let id = first; id < count; id++) {
      const key = this.#keys[id] as Values;
      for (let at = 0; at < dimensions; at++) {
        this.#rows[id * dimensions + at] = this.#numberOf(key[at] as string);
      }
    }
    this.#filed = count;
    if (count * slotsPerKey > this.#slots.length) this.#rebuild(count);
    else for (let id = first; id < count; id++) if (!this.#place(id)) this.#rebuild(count);
  }

  #numberOf(value: string): number {
    let number = this.#values.get(value);
    if (number === undefined) {
      number = this.#values.size;
      this.#values.set(value, number);
    }
    return number;
  }

  #rebuild(count: number): void {
    let size = this.#slots.length;
    while (size < count * slotsPerKey) size *= 2;
    for (let placed = 0; placed < count; ) {
      this.#slots = new Int32Array(size);
      placed = 0;
      while (placed < count && this.#place(placed)) placed++;
      if (placed < count) this.#seed = Math.imul(this.#seed, 0x2c1b3c6d) + 1;
    }
  }

  /** False when the chain is too long. */
  #place(id: number): boolean {
    const slots = this.#slots;
    const mask = slots.length - 1;
    let slot = this.#hash(this.#rows, id * this.#dimensions) & mask;
    for (let chain = 0; chain < chainMax; chain++) {
      const known = slots[slot] as number;
      if (known === id + 1) return true;
      if (known === 0) {
        slots[slot] = id + 1;
        return true;
      }
      slot = (slot + 1) & mask;
    }
    return false;
  }

  #hash(row: Int32Array, from: number): number {
    let hash = this.#seed;
    for (let at = from; at < from + this.#dimensions; at++) {
      hash = Math.imul(hash ^ (row[at] as number), 0x9e3779b1);
      hash ^= hash >>> 15;
    }
    hash = Math.imul(hash, 0x85ebca6b);
    return hash ^ (hash >>> 13);
  }
}
