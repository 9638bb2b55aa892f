/**
 * Writes protobuf: fields behind their tags, messages between `open` and `close`. Lengths are
 * minimal: one byte is left for each, and a message that turns out longer is moved up.
 */
import { wireBytes, wireFixed32, wireFixed64, wireVarint } from "./protobuf.ts";

const initialSize = 1024;
const bytesPerUnitMax = 3;
const utf8 = new TextEncoder();

export class ProtoWriter {
  #bytes = new Uint8Array(initialSize);
  #view = new DataView(this.#bytes.buffer);
  #used = 0;

  /** Starts a message field; give what it answers to `close`. */
  open(field: number): number {
    this.#tag(field, wireBytes);
    this.#reserve(1);
    return this.#used++;
  }

  close(mark: number): void {
    const size = this.#used - mark - 1;
    let lengthSize = 1;
    for (let rest = size; rest >= 0x80; rest = Math.floor(rest / 0x80)) lengthSize++;
    if (lengthSize > 1) {
      this.#reserve(lengthSize - 1);
      this.#bytes.copyWithin(mark + lengthSize, mark + 1, this.#used);
    }
    this.#used = mark;
    this.#varint(size);
    this.#used += size;
  }

  /** A non-negative integer up to 2^53 - 1. */
  integer(field: number, value: number): void {
    this.#tag(field, wireVarint);
    this.#varint(value);
  }

  /** Any 64-bit integer; negative ones take ten bytes, as protobuf has it. */
  int64(field: number, value: bigint): void {
    this.#tag(field, wireVarint);
    this.#reserve(10);
    let rest = BigInt.asUintN(64, value);
    while (rest >= 0x80n) {
      this.#bytes[this.#used++] = Number(rest & 0x7fn) | 0x80;
      rest >>= 7n;
    }
    this.#bytes[this.#used++] = Number(rest);
  }

  fixed32(field: number, value: number): void {
    this.#tag(field, wireFixed32);
    this.#reserve(4);
    this.#view.setUint32(this.#used, value, true);
    this.#used += 4;
  }

  fixed64(field: number, value: bigint): void {
    this.#tag(field, wireFixed64);
    this.#reserve(8);
    this.#view.setBigUint64(this.#used, value, true);
    this.#used += 8;
  }

  double(field: number, value: number): void {
    this.#tag(field, wireFixed64);
    this.#reserve(8);
    this.#view.setFloat64(this.#used, value, true);
    this.#used += 8;
  }

  bytes(field: number, value: Uint8Array): void {
    this.#tag(field, wireBytes);
    this.#varint(value.length);
    this.#reserve(value.length);
    this.#bytes.set(value, this.#used);
    this.#used += value.length;
  }

  /** Lone surrogates are written as U+FFFD. */
  text(field: number, value: string): void {
    const mark = this.open(field);
    this.#reserve(value.length * bytesPerUnitMax);
    this.#used += utf8.encodeInto(value, this.#bytes.subarray(this.#used)).written;
    this.close(mark);
  }

  /** The bytes written; the writer must not be used afterwards. */
  finish(): Uint8Array {
    return this.#bytes.subarray(0, this.#used);
  }

  #tag(field: number, wire: number): void {
    this.#varint(field * 8 + wire);
  }

  #varint(value: number): void {
    this.#reserve(8);
    let rest = value;
    while (rest >= 0x80) {
      this.#bytes[this.#used++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#bytes[this.#used++] = rest;
  }

  #reserve(size: number): void {
    if (this.#used + size <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.#used + size));
    grown.set(this.#bytes.subarray(0, this.#used));
    this.#bytes = grown;
    this.#view = new DataView(grown.buffer);
  }
}
