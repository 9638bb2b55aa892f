/**
 * Dimensions, composite keys, and the table that gives each key a small integer.
 *
 * A key has one value for each dimension, in the dimensions' order. "" means that the attribute was
 * absent, `overflowValue` that it was folded away. Values are compared as they are: `__proto__` and
 * `constructor` are values like any other.
 */
import { assert } from "../base/errors.ts";
import { KeyIndex } from "./key-index.ts";

export type CompositeKey = readonly string[];

/** A dense integer from 0, valid within the table that gave it. */
export type KeyId = number;

export type SpanKindName = "internal" | "server" | "client" | "producer" | "consumer";

/** In place of a span's kind: the cell holds values of the metric its operation names, no spans. */
export const metricKind = "metric";

/**
 * The dimensions every key starts with. `span.kind` is one of `SpanKindName` or `metricKind`; `peer`
 * names the far side of client, producer and consumer spans, of a host's metrics the host, and is
 * "" for the others.
 */
export const builtInDimensions = [
  "service.name",
  "operation",
  "span.kind",
  "peer",
  "service.version",
  "deployment.environment.name",
  "cloud.region",
] as const;

const userDimensionsMax = 8;
export const dimensionsMax = builtInDimensions.length + userDimensionsMax;

/** Stands for every value that was folded away. */
export const overflowValue = "(other)";

/** What `intern` answers when the table is full. */
export const noKey: KeyId = -1;

/** How many folded keys a full table still takes, so that services stay apart. */
export const foldedKeysMax = 1024;

export interface KeyTable {
  readonly dimensions: readonly string[];
  readonly keysMax: number;
  readonly size: number;
  /** By id; do not change. */
  readonly keys: CompositeKey[];
  readonly index: KeyIndex;
}

export function createKeyTable(
  dimensions: readonly string[],
  limits: { readonly keysMax: number },
): KeyTable {
  assert(dimensions.length > 0, "a key has a dimension");
  assert(dimensions.length <= dimensionsMax, `a key has at most ${dimensionsMax} dimensions`);
  const keys: CompositeKey[] = [];
  return {
    dimensions,
    keysMax: limits.keysMax,
    get size() {
      return keys.length;
    },
    keys,
    index: new KeyIndex(keys, dimensions.length),
  };
}

/** The id of `key`, new if need be; `noKey` when the key is unknown and the table full. */
export function intern(table: KeyTable, key: CompositeKey): KeyId {
  return internWithin(table, key, table.keysMax);
}

/**
 * The id of `key`; once the table is full that of a folded key, which keeps the service. Past
 * `foldedKeysMax` such keys everything new falls on one key, all of whose values are folded.
 */
export function internOrFold(table: KeyTable, key: CompositeKey): KeyId {
  const id = intern(table, key);
  if (id !== noKey) return id;
  const folded = table.dimensions.map((dimension, index) =>
    dimension === "service.name" ? (key[index] as string) : overflowValue,
  );
  const foldedId = internWithin(table, folded, table.keysMax + foldedKeysMax);
  if (foldedId !== noKey) return foldedId;
  const last = table.dimensions.map(() => overflowValue);
  return internWithin(table, last, table.keysMax + foldedKeysMax + 1);
}

const kindDimension = builtInDimensions.indexOf("span.kind");

/** Whether a key is a metric's; `key` starts with the built-in dimensions. */
export function isMetricKey(key: CompositeKey): boolean {
  return key[kindDimension] === metricKind;
}

export function keyOf(table: KeyTable, id: KeyId): CompositeKey {
  const key = table.keys[id];
  assert(key !== undefined, "a key id comes from this table");
  return key;
}

/** The id of `key`, new if there are fewer than `keysMax`; `noKey` when there are not. */
export function internWithin(table: KeyTable, key: CompositeKey, keysMax: number): KeyId {
  const known = findKey(table, key);
  if (known !== undefined) return known;
  return table.keys.length >= keysMax ? noKey : table.keys.push([...key]) - 1;
}

/** The id of a key, if it has one. */
export function findKey(table: KeyTable, key: CompositeKey): KeyId | undefined {
  assert(key.length === table.dimensions.length, "a key has a value for each dimension");
  return table.index.find(key);
}

/** Orders keys value by value, by UTF-16 code units; negative when `a` comes first. */
export function compareKeys(a: CompositeKey, b: CompositeKey): number {
  for (let index = 0; index < a.length; index++) {
    const left = a[index] as string;
    const right = b[index] as string;
    if (left !== right) return left < right ? -1 : 1;
  }
  return 0;
}
