/**
 * Collects the body of one request within the byte budget of all requests.
 *
 * When the sender says beforehand how long the body is, that is taken from the budget before a byte
 * of it is kept, and the pieces are copied once, as they come, into a buffer used again and again;
 * without it each piece is taken as it comes and all are joined once. A body that comes in one
 * piece is used where it is. Fresh buffers of hundreds of kilobytes per request cost more in page
 * faults and collections than the copying.
 */
import type { ByteBudget } from "./byte-budget.ts";

export interface BodyLimits {
  readonly budget: ByteBudget;
  readonly pool: BufferPool;
  /** One body. */
  readonly bytesMax: number;
}

/** "too long" is a body that goes on beyond its announced end. */
export type Taken = "kept" | "overloaded" | "too large" | "too long";

export class Body {
  readonly #limits: BodyLimits;
  readonly #chunks: Uint8Array[] = [];
  #pooled: Uint8Array | undefined;
  #size = 0;
  #taken = 0;
  #expected = 0;

  constructor(limits: BodyLimits) {
    this.#limits = limits;
  }

  /** Announces a body of `size` bytes; 0 announces nothing. */
  expect(size: number): Taken {
    const { budget, bytesMax } = this.#limits;
    if (size > bytesMax) return "too large";
    if (size > this.#taken) {
      if (!budget.take(size - this.#taken)) return "overloaded";
      this.#taken = size;
    }
    this.#expected = size;
    return "kept";
  }

  add(chunk: Uint8Array): Taken {
    if (chunk.length === 0) return "kept";
    const { budget, bytesMax, pool } = this.#limits;
    const size = this.#size + chunk.length;
    if (this.#expected > 0 && size > this.#expected) return "too long";
    if (size > bytesMax) return "too large";
    if (size > this.#taken) {
      if (!budget.take(size - this.#taken)) return "overloaded";
      this.#taken = size;
    }
    const isWhole = chunk.length === this.#expected && this.#pooled === undefined;
    if (isWhole || this.#expected === 0) {
      this.#chunks.push(chunk);
    } else {
      this.#pooled ??= pool.lend(this.#expected);
      this.#pooled.set(chunk, this.#size);
    }
    this.#size = size;
    return "kept";
  }

  /** What has come, whole; to be read before `close`. */
  bytes(): Uint8Array {
    if (this.#pooled !== undefined) return this.#pooled.subarray(0, this.#size);
    return this.#chunks.length === 1
      ? (this.#chunks[0] as Uint8Array)
      : Buffer.concat(this.#chunks);
  }

  /** Gives everything back; the bytes are another request's from here on. */
  close(): void {
    this.#limits.budget.give(this.#taken);
    if (this.#pooled !== undefined) this.#limits.pool.giveBack(this.#pooled);
    this.#pooled = undefined;
    this.#taken = 0;
    this.#chunks.length = 0;
  }
}

export interface BufferPool {
  /** At least `size` bytes, with whatever they held before. */
  lend(size: number): Uint8Array;
  giveBack(buffer: Uint8Array): void;
}

/** The smallest buffer; others are twice another. */
const bufferSizeMin = 65_536;
/** Larger bodies are rare, and get a buffer of their own. */
const bufferSizeMax = 8 * 1_048_576;
/** What waits to be used; more is left to the garbage collector. */
const keptBytesMax = 2 * bufferSizeMax;

export function createBufferPool(): BufferPool {
  const kept = new Map<number, Uint8Array[]>();
  let keptBytes = 0;
  return {
    lend(size) {
      if (size > bufferSizeMax) return Buffer.allocUnsafeSlow(size);
      const roundSize = Math.max(bufferSizeMin, 2 ** Math.ceil(Math.log2(size)));
      const buffer = kept.get(roundSize)?.pop();
      // Not cleared: nobody reads beyond what was written. Untouched pages take no memory.
      if (buffer === undefined) return Buffer.allocUnsafeSlow(roundSize);
      keptBytes -= roundSize;
      return buffer;
    },
    giveBack(buffer) {
      const size = buffer.length;
      if (size > bufferSizeMax || keptBytes + size > keptBytesMax) return;
      const equals = kept.get(size);
      if (equals === undefined) kept.set(size, [buffer]);
      else equals.push(buffer);
      keptBytes += size;
    },
  };
}
