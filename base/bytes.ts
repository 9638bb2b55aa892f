/**
 * Reading and writing of our own byte formats: little-endian, unsigned LEB128 varints, strings as
 * length and UTF-8. A reader never throws: a read past the end, or a varint above 2^53 - 1, sets
 * `problem` once and every later read gives zero or empty, so a decoder checks once at the end.
 */
const initialSize = 256;

export interface ByteWriter {
  u8(value: number): void;
  u32(value: number): void;
  /** A non-negative integer up to 2^53 - 1. */
  varint(value: number): void;
  f64(value: number): void;
  bytes(value: Uint8Array): void;
  string(value: string): void;
  /** The bytes written; the writer must not be used afterwards. */
  finish(): Uint8Array;
}

export interface ByteReader {
  readonly offset: number;
  readonly remaining: number;
  /** Why the bytes are malformed; undefined while they are not. */
  readonly problem: string | undefined;
  /** Marks the bytes as malformed, for a caller's own check. */
  reject(problem: string): void;
  u8(): number;
  u32(): number;
  varint(): number;
  f64(): number;
  /** A view, not a copy. */
  bytes(size: number): Uint8Array;
  string(): string;
}

const utf8 = new TextEncoder();
const utf8Strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export function createByteWriter(): ByteWriter {
  let buffer = new Uint8Array(initialSize);
  let view = new DataView(buffer.buffer);
  let used = 0;
  const reserve = (size: number): void => {
    if (used + size <= buffer.length) return;
    const grown = new Uint8Array(Math.max(buffer.length * 2, used + size));
    grown.set(buffer.subarray(0, used));
    buffer = grown;
    view = new DataView(buffer.buffer);
  };
  const writer: ByteWriter = {
    u8(value) {
      reserve(1);
      buffer[used++] = value;
    },
    u32(value) {
      reserve(4);
      view.setUint32(used, value, true);
      used += 4;
    },
    varint(value) {
      reserve(8);
      let rest = value;
      while (rest >= 0x80) {
        buffer[used++] = (rest % 0x80) | 0x80;
        rest = Math.floor(rest / 0x80);
      }
      buffer[used++] = rest;
    },
    f64(value) {
      reserve(8);
      view.setFloat64(used, value, true);
      used += 8;
    },
    bytes(value) {
      reserve(value.length);
      buffer.set(value, used);
      used += value.length;
    },
    string(value) {
      const encoded = utf8.encode(value);
      writer.varint(encoded.length);
      writer.bytes(encoded);
    },
    finish: () => buffer.subarray(0, used),
  };
  return writer;
}

export function createByteReader(source: Uint8Array): ByteReader {
  return new Reader(source);
}

class Reader implements ByteReader {
  offset = 0;
  problem: string | undefined;
  readonly #source: Uint8Array;
  readonly #view: DataView;

  constructor(source: Uint8Array) {
    this.#source = source;
    this.#view = new DataView(source.buffer, source.byteOffset, source.byteLength);
  }

  get remaining(): number {
    return this.problem === undefined ? this.#source.length - this.offset : 0;
  }

  reject(problem: string): void {
    this.problem ??= problem;
  }

  #take(size: number): number {
    if (this.problem !== undefined) return -1;
    if (size > this.#source.length - this.offset) {
      this.problem = `ends at byte ${this.#source.length}, ${size} more expected at byte ${this.offset}`;
      return -1;
    }
    const at = this.offset;
    this.offset += size;
    return at;
  }

  u8(): number {
    const at = this.#take(1);
    return at < 0 ? 0 : (this.#source[at] as number);
  }

  u32(): number {
    const at = this.#take(4);
    return at < 0 ? 0 : this.#view.getUint32(at, true);
  }

  varint(): number {
    let value = 0;
    let scale = 1;
    for (let index = 0; index < 8; index++) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (value > Number.MAX_SAFE_INTEGER) break;
        return this.problem === undefined ? value : 0;
      }
      scale *= 0x80;
    }
    this.reject(`varint above 2^53 - 1 at byte ${this.offset}`);
    return 0;
  }

  f64(): number {
    const at = this.#take(8);
    return at < 0 ? 0 : this.#view.getFloat64(at, true);
  }

  bytes(size: number): Uint8Array {
    const at = this.#take(size);
    return at < 0 ? new Uint8Array(0) : this.#source.subarray(at, at + size);
  }

  string(): string {
    const encoded = this.bytes(this.varint());
    try {
      return utf8Strict.decode(encoded);
    } catch {
      this.reject(`string is not valid UTF-8 before byte ${this.offset}`);
      return "";
    }
  }
}
