/**
 * Keys as bytes:
 *
 *   dimension names: varint count, strings
 *   varint count of keys; varint size and so many bytes of text; varint size and so many bits
 *
 * The bits list the different values of each dimension, ascending, then the keys, ascending. A
 * value is what it shares with the one before at its beginning and, of the rest, at its end (UTF-16
 * units, gamma), and how much of the text lies between. A key is how many dimensions it shares with
 * the one before, how much further the next one's value is (gamma), and the places of the values
 * behind it. Each key thus takes about two bytes, and a route that differs in a number two or three
 * more.
 */
import { BitReader, BitWriter } from "../base/bits.ts";
import type { ByteReader, ByteWriter } from "../base/bytes.ts";
import { type CompositeKey, dimensionsMax, type KeyTable } from "./key.ts";
import { rankKeys } from "./key-ranks.ts";

/** They keep a few bytes from claiming long values: no more than 24 units for each byte. */
const sharedStartMax = 64;
const sharedEndMax = 32;

const utf8 = new TextEncoder();
const utf8Strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export interface EncodedKeys {
  /** Key ids in the order of the bytes. */
  readonly order: Uint32Array;
  /** By key id: its place there. */
  readonly places: Uint32Array;
}

export function encodeKeys(writer: ByteWriter, table: KeyTable): EncodedKeys {
  const { dimensions } = table;
  writer.varint(dimensions.length);
  for (const name of dimensions) writer.string(name);
  const { order, ranks, values } = rankKeys(table);
  writer.varint(order.length);
  const bits = new BitWriter();
  const text: string[] = [];
  for (const column of values) writeValues(bits, column, text);
  const sizes = values.map((column) => column.length);
  let before = -1;
  for (const id of order) {
    writeKey(bits, ranks, { from: id * sizes.length, before, sizes });
    before = id * sizes.length;
  }
  writeSized(writer, utf8.encode(text.join("")));
  writeSized(writer, bits.finish());
  const places = new Uint32Array(order.length);
  for (let place = 0; place < order.length; place++) places[order[place] as number] = place;
  return { order, places };
}

export interface DecodedKeys {
  readonly dimensions: readonly string[];
  readonly keys: readonly CompositeKey[];
}

/** Reads at most `keysMax` keys; what is out of order or unused is rejected at the reader. */
export function decodeKeys(reader: ByteReader, keysMax: number): DecodedKeys {
  const dimensions = readDimensions(reader);
  const count = reader.varint();
  const encoded = reader.bytes(reader.varint());
  const bits = new BitReader(reader.bytes(reader.varint()));
  // Without more than one value a dimension takes no bits, but then there is one key.
  if (count > keysMax || (count > 1 && count > bits.remaining)) {
    reader.reject(`cube claims ${count} keys, at most ${keysMax}, in too few bytes`);
  }
  if (reader.problem !== undefined) return { dimensions, keys: [] };
  const text = new Text(decodeText(reader, encoded));
  const values = dimensions.map(() => readValues(bits, text, count));
  if (text.left > 0) bits.reject("has text that is no value's");
  const keys = bits.problem === undefined ? readKeys(bits, values, count) : [];
  bits.checkEnd();
  if (bits.problem !== undefined) reader.reject(`cube of keys ${bits.problem}`);
  return { dimensions, keys };
}

function readDimensions(reader: ByteReader): string[] {
  const count = reader.varint();
  if (count === 0) reader.reject("cube has no dimensions");
  if (count > dimensionsMax) {
    reader.reject(`cube claims ${count} dimensions, at most ${dimensionsMax}`);
    return [];
  }
  const names: string[] = [];
  for (let at = 0; at < count && reader.problem === undefined; at++) names.push(reader.string());
  if (new Set(names).size < names.length) reader.reject("cube repeats a dimension");
  return names;
}

function decodeText(reader: ByteReader, encoded: Uint8Array): string {
  try {
    return utf8Strict.decode(encoded);
  } catch {
    reader.reject("cube has text that is not valid UTF-8");
    return "";
  }
}

function writeSized(writer: ByteWriter, bytes: Uint8Array): void {
  writer.varint(bytes.length);
  writer.bytes(bytes);
}

function writeValues(bits: BitWriter, values: readonly string[], text: string[]): void {
  bits.gamma(values.length);
  let before = "";
  for (const value of values) {
    const start = sharedStart(before, value);
    const end = sharedEnd(before, value, start);
    bits.gamma(start);
    bits.gamma(end);
    bits.gamma(value.length - start - end);
    text.push(value.slice(start, value.length - end));
    before = value;
  }
}

/** The text between what values share, handed out from its beginning. */
class Text {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  get left(): number {
    return this.#text.length - this.#at;
  }

  take(length: number): string {
    this.#at += length;
    return this.#text.slice(this.#at - length, this.#at);
  }
}

function readValues(bits: BitReader, text: Text, keys: number): string[] {
  const count = bits.gamma();
  if (count > keys || (count === 0 && keys > 0)) {
    bits.reject(`claims ${count} values of ${keys} keys`);
  }
  const values: string[] = [];
  let before = "";
  for (let at = 0; at < count && bits.problem === undefined; at++) {
    const start = bits.gamma();
    const end = bits.gamma();
    const length = bits.gamma();
    if (start + end > before.length || length > text.left) {
      bits.reject("has a value longer than the text it is made of");
      break;
    }
    const value = before.slice(0, start) + text.take(length) + before.slice(before.length - end);
    if (at > 0 && value <= before) bits.reject("values are not in ascending order");
    if (start !== sharedStart(before, value) || end !== sharedEnd(before, value, start)) {
      bits.reject("shares less than it could between values");
    }
    values.push(value);
    before = value;
  }
  return values;
}

function writeKey(
  bits: BitWriter,
  ranks: Int32Array,
  key: { from: number; before: number; sizes: readonly number[] },
): void {
  const { from, before, sizes } = key;
  let at = 0;
  if (before >= 0) {
    while (ranks[from + at] === ranks[before + at]) at++;
    bits.upTo(at, sizes.length - 1);
    bits.gamma((ranks[from + at] as number) - (ranks[before + at] as number) - 1);
    at++;
  }
  for (; at < sizes.length; at++) {
    bits.upTo(ranks[from + at] as number, (sizes[at] as number) - 1);
  }
}

function readKeys(
  bits: BitReader,
  values: readonly (readonly string[])[],
  count: number,
): CompositeKey[] {
  const size = values.length;
  const ranks = new Int32Array(size);
  const seen = values.map((column) => new Uint8Array(column.length));
  const keys: CompositeKey[] = [];
  for (let place = 0; place < count; place++) {
    let at = 0;
    if (place > 0) {
      at = bits.upTo(size - 1);
      const rank = (ranks[at] as number) + 1 + bits.gamma();
      if (rank >= (values[at] as string[]).length) bits.reject(`key names value ${rank} of fewer`);
      ranks[at++] = rank;
    }
    for (; at < size; at++) ranks[at] = bits.upTo((values[at] as string[]).length - 1);
    if (bits.problem !== undefined) return [];
    const key = new Array<string>(size);
    for (let column = 0; column < size; column++) {
      const rank = ranks[column] as number;
      key[column] = (values[column] as string[])[rank] as string;
      (seen[column] as Uint8Array)[rank] = 1;
    }
    keys.push(key);
  }
  if (seen.some((column) => column.includes(0))) bits.reject("has values that no key has");
  return keys;
}

/** How many units two values share from the beginning, whole characters only. */
function sharedStart(a: string, b: string): number {
  const most = Math.min(a.length, b.length, sharedStartMax);
  let shared = 0;
  while (shared < most && a.charCodeAt(shared) === b.charCodeAt(shared)) shared++;
  return shared > 0 && isHighSurrogate(a.charCodeAt(shared - 1)) ? shared - 1 : shared;
}

/** How many units two values share at the end, of those behind `start`. */
function sharedEnd(a: string, b: string, start: number): number {
  const most = Math.min(a.length - start, b.length - start, sharedEndMax);
  let shared = 0;
  while (
    shared < most &&
    a.charCodeAt(a.length - 1 - shared) === b.charCodeAt(b.length - 1 - shared)
  ) {
    shared++;
  }
  return shared > 0 && isLowSurrogate(a.charCodeAt(a.length - shared)) ? shared - 1 : shared;
}

function isHighSurrogate(unit: number): boolean {
  return (unit & 0xfc00) === 0xd800;
}

function isLowSurrogate(unit: number): boolean {
  return (unit & 0xfc00) === 0xdc00;
}
