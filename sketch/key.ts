/**
 * Dimensions, composite keys, and the table that gives each key a small integer.
 *
 * A key has one value for each dimension, in the dimensions' order. "" means that the attribute was
 * absent, `overflowValue` that it was folded away. Values are compared as they are: `__proto__` and
 * `constructor` are values like any other.
 */
import { assert } from "../base/errors.ts";

export type CompositeKey = readonly string[];

/** A dense integer from 0, valid within the table that gave it. */
export type KeyId = number;

export type SpanKindName = "internal" | "server" | "client" | "producer" | "consumer";

/**
 * The dimensions every key starts with. `span.kind` is one of `SpanKindName`; `peer` names the far
 * side of client, producer and consumer spans and is "" for the others.
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

type Branch = Map<string, Branch | KeyId>;

export interface KeyTable {
  readonly dimensions: readonly string[];
  readonly keysMax: number;
  readonly size: number;
  /** By id; do not change. */
  readonly keys: CompositeKey[];
  /** A trie, one level a dimension: looking a key up allocates nothing. */
  readonly root: Branch;
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
    root: new Map(),
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

export function keyOf(table: KeyTable, id: KeyId): CompositeKey {
  const key = table.keys[id];
  assert(key !== undefined, "a key id comes from this table");
  return key;
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

function internWithin(table: KeyTable, key: CompositeKey, keysMax: number): KeyId {
  assert(key.length === table.dimensions.length, "a key has a value for each dimension");
  let node: Branch | KeyId | undefined = table.root;
  for (let index = 0; index < key.length && node !== undefined; index++) {
    node = (node as Branch).get(key[index] as string);
  }
  if (node !== undefined) return node as KeyId;
  if (table.keys.length >= keysMax) return noKey;
  return insert(table, [...key]);
}

function insert(table: KeyTable, key: CompositeKey): KeyId {
  const id = table.keys.length;
  table.keys.push(key);
  let branch = table.root;
  for (let index = 0; index < key.length - 1; index++) {
    const value = key[index] as string;
    let next = branch.get(value) as Branch | undefined;
    if (next === undefined) {
      next = new Map();
      branch.set(value, next);
    }
    branch = next;
  }
  branch.set(key[key.length - 1] as string, id);
  return id;
}
