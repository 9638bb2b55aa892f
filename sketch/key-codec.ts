/**
 * Keys as bytes: dimension names; then every value once, sorted; then every key as its values'
 * places, sorted.
 */
import type { ByteReader, ByteWriter } from "../base/bytes.ts";
import { type CompositeKey, compareKeys, dimensionsMax } from "./key.ts";

/** Writes keys that are in ascending order. */
export function encodeKeys(
  writer: ByteWriter,
  dimensions: readonly string[],
  keys: readonly CompositeKey[],
): void {
  writeStrings(writer, dimensions);
  const values = [...new Set(keys.flat())].sort((a, b) => (a < b ? -1 : 1));
  const places = new Map(values.map((value, place) => [value, place]));
  writeStrings(writer, values);
  writer.varint(keys.length);
  for (const key of keys) for (const value of key) writer.varint(places.get(value) as number);
}

export interface DecodedKeys {
  readonly dimensions: readonly string[];
  readonly keys: readonly CompositeKey[];
}

/** Reads at most `keysMax` keys; what is out of order or repeated is rejected at the reader. */
export function decodeKeys(reader: ByteReader, keysMax: number): DecodedKeys {
  const dimensions = readStrings(reader, "dimensions", dimensionsMax);
  if (dimensions.length === 0) reader.reject("cube has no dimensions");
  if (new Set(dimensions).size < dimensions.length) reader.reject("cube repeats a dimension");
  return { dimensions, keys: readKeys(reader, dimensions.length, keysMax) };
}

function writeStrings(writer: ByteWriter, values: readonly string[]): void {
  writer.varint(values.length);
  for (const value of values) writer.string(value);
}

function readStrings(reader: ByteReader, name: string, countMax: number): string[] {
  const count = reader.varint();
  if (count > countMax || count > reader.remaining) {
    reader.reject(`cube claims ${count} ${name}, at most ${countMax}, in too few bytes`);
    return [];
  }
  const values: string[] = [];
  for (let at = 0; at < count && reader.problem === undefined; at++) values.push(reader.string());
  return values;
}

function readKeys(reader: ByteReader, dimensions: number, keysMax: number): CompositeKey[] {
  const values = readStrings(reader, "values", keysMax * dimensions);
  for (let at = 1; at < values.length; at++) {
    if ((values[at - 1] as string) >= (values[at] as string)) {
      reader.reject("cube values are not in ascending order");
    }
  }
  const count = reader.varint();
  if (count > keysMax || count * dimensions > reader.remaining) {
    reader.reject(`cube claims ${count} keys, at most ${keysMax}, in too few bytes`);
    return [];
  }
  const keys: CompositeKey[] = [];
  for (let at = 0; at < count && reader.problem === undefined; at++) {
    const key = readKey(reader, dimensions, values);
    const before = keys.at(-1);
    if (before !== undefined && compareKeys(before, key) >= 0) {
      reader.reject("cube keys are not in ascending order");
    }
    keys.push(key);
  }
  return keys;
}

function readKey(reader: ByteReader, dimensions: number, values: readonly string[]): CompositeKey {
  const key: string[] = [];
  for (let at = 0; at < dimensions; at++) {
    const place = reader.varint();
    if (place >= values.length) reader.reject(`cube key names value ${place} of ${values.length}`);
    key.push(values[place] ?? "");
  }
  return key;
}
