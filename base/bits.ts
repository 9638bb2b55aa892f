/**
 * Reading and writing of numbers by the bit, least significant first, for what is sent so often
 * that a byte a number is too much:
 *
 *   bits     so many bits, up to 24
 *   gamma    Elias gamma of value + 1: small counts in a few bits, 0 in one
 *   wide     six bits that say how many, then so many: nanoseconds
 *   upTo     in as many bits as the most it may be
 *   rice     value >> k in unary, then k bits: gaps of about 2^k
 *
 * Every number has one form in each code. A reader never throws and reads zeros past the end; its
 * `problem` says that it did.
 */
const initialSize = 1024;
const pieceBits = 24;
const pieceMax = 2 ** pieceBits;
/** `wide` and `gamma` hold numbers up to 2^53 - 1. */
const wideBitsMax = 53;
const lengthBits = 6;
/** Zero bytes behind the bits, so that a word can be read at the last of them. */
const padding = 8;

export class BitWriter {
  #bytes = new Uint8Array(initialSize);
  #size = 0;
  #held = 0;
  #heldBits = 0;

  /** The low `count` bits of `value`, at most 24; there are none above them. */
  bits(value: number, count: number): void {
    if (this.#size + 4 > this.#bytes.length) this.#grow();
    let held = this.#held | (value << this.#heldBits);
    let heldBits = this.#heldBits + count;
    for (; heldBits >= 8; heldBits -= 8) {
      this.#bytes[this.#size++] = held;
      held >>>= 8;
    }
    this.#held = held;
    this.#heldBits = heldBits;
  }

  gamma(value: number): void {
    const length = lengthOf(value + 1);
    this.#zeros(length - 1);
    this.bits(1, 1);
    this.#below(value + 1, length);
  }

  wide(value: number): void {
    const length = lengthOf(value);
    this.bits(length, lengthBits);
    if (length > 1) this.#below(value, length);
  }

  /** A number in as many bits as `most` has. */
  upTo(value: number, most: number): void {
    this.#low(value, lengthOf(most));
  }

  rice(value: number, k: number): void {
    this.#zeros(Math.floor(value / 2 ** k));
    this.bits(1, 1);
    this.bits(value & ((1 << k) - 1), k);
  }

  /** The bytes written, the last filled up with zeros; the writer must not be used afterwards. */
  finish(): Uint8Array {
    if (this.#heldBits > 0) this.bits(0, 8 - this.#heldBits);
    return this.#bytes.subarray(0, this.#size);
  }

  #zeros(count: number): void {
    let left = count;
    for (; left > pieceBits; left -= pieceBits) this.bits(0, pieceBits);
    this.bits(0, left);
  }

  /** The bits of a number below its leading one. */
  #below(value: number, length: number): void {
    this.#low(value - 2 ** (length - 1), length - 1);
  }

  #low(value: number, count: number): void {
    let rest = value;
    let left = count;
    for (; left > pieceBits; left -= pieceBits) {
      this.bits(rest % pieceMax, pieceBits);
      rest = Math.floor(rest / pieceMax);
    }
    this.bits(rest, left);
  }

  #grow(): void {
    const grown = new Uint8Array(this.#bytes.length * 2);
    grown.set(this.#bytes);
    this.#bytes = grown;
  }
}

export class BitReader {
  /** Why the bits are malformed; undefined while they are not. */
  problem: string | undefined;
  readonly #bytes: Uint8Array;
  readonly #end: number;
  #at = 0;

  constructor(source: Uint8Array) {
    this.#bytes = new Uint8Array(source.length + padding);
    this.#bytes.set(source);
    this.#end = source.length * 8;
  }

  /** Marks the bits as malformed, for a caller's own check. */
  reject(problem: string): void {
    this.problem ??= problem;
  }

  /** Bits not yet read. */
  get remaining(): number {
    return this.#end - this.#at;
  }

  /** Whether nothing is left but the zeros that fill up the last byte. */
  checkEnd(): void {
    if (this.remaining < 0) this.reject(`ends after ${this.#end} bits`);
    else if (this.remaining >= 8) this.reject(`has ${this.remaining} bits behind its end`);
    else if (this.bits(this.remaining) !== 0) this.reject("is not filled up with zeros");
  }

  /** At most 24. */
  bits(count: number): number {
    const at = this.#at;
    this.#at = at + count;
    return (this.#word(at) >>> (at & 7)) & ((1 << count) - 1);
  }

  gamma(): number {
    const zeros = this.#zeros(wideBitsMax);
    return zeros === 0 ? 0 : 2 ** zeros + this.#low(zeros) - 1;
  }

  wide(): number {
    const length = this.bits(lengthBits);
    if (length > wideBitsMax) this.reject(`number of ${length} bits exceeds ${wideBitsMax}`);
    if (length <= 1 || this.problem !== undefined) return length === 1 ? 1 : 0;
    return 2 ** (length - 1) + this.#low(length - 1);
  }

  upTo(most: number): number {
    const value = this.#low(lengthOf(most));
    if (value <= most) return value;
    this.reject(`number ${value} exceeds ${most}`);
    return 0;
  }

  /** A value of at most `most`. */
  rice(k: number, most: number): number {
    const high = this.#zeros(most >>> k);
    const value = (high << k) | this.bits(k);
    if (value <= most) return value;
    this.reject(`number ${value} exceeds ${most}`);
    return 0;
  }

  /** Counts the zeros up to the next one, and passes it. */
  #zeros(most: number): number {
    let zeros = 0;
    for (;;) {
      const at = this.#at;
      const word = this.#word(at) >>> (at & 7);
      const found = word === 0 ? pieceBits : 31 - Math.clz32(word & -word);
      zeros += found;
      this.#at = at + found;
      if (word !== 0 && found < pieceBits) break;
      if (zeros > most || this.#at > this.#end) {
        this.reject(
          this.#at > this.#end ? `ends after ${this.#end} bits` : "has a number too large",
        );
        return 0;
      }
    }
    this.#at++;
    if (zeros <= most) return zeros;
    this.reject("has a number too large");
    return 0;
  }

  #low(count: number): number {
    if (count <= pieceBits) return this.bits(count);
    let value = 0;
    let scale = 1;
    let left = count;
    for (; left > pieceBits; left -= pieceBits) {
      value += this.bits(pieceBits) * scale;
      scale *= pieceMax;
    }
    return value + this.bits(left) * scale;
  }

  /** Four bytes from the one a bit lies in; past the end zero. */
  #word(at: number): number {
    const from = Math.min(at >>> 3, this.#bytes.length - 4);
    const bytes = this.#bytes;
    return (
      (bytes[from] as number) |
      ((bytes[from + 1] as number) << 8) |
      ((bytes[from + 2] as number) << 16) |
      ((bytes[from + 3] as number) << 24)
    );
  }
}

/** How many bits a number up to 2^53 - 1 has, without leading zeros. */
export function lengthOf(value: number): number {
  return value < 2 ** 32 ? 32 - Math.clz32(value) : 64 - Math.clz32(Math.floor(value / 2 ** 32));
}
