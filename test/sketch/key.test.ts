import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  createKeyTable,
  intern,
  internOrFold,
  keyOf,
  noKey,
  overflowValue,
} from "../../sketch/key.ts";
import { rankKeys } from "../../sketch/key-ranks.ts";

const dimensions = ["service.name", "operation", "region"];
const names = ["__proto__", "constructor", "prototype", "toString", "hasOwnProperty", "then", ""];

/** Interns every key; the ids as they were given. */
function check(keys: readonly (readonly string[])[], keysMax = 100_000): number[] {
  const table = createKeyTable(dimensions, { keysMax });
  const ids = keys.map((key) => intern(table, key));
  for (const [at, id] of ids.entries()) {
    if (id !== noKey) expect(keyOf(table, id)).toEqual(keys[at]);
  }
  return ids;
}

test("the same key has the same id, different keys different ones, dense from 0", () => {
  const value = fc.oneof(fc.constantFrom(...names, "a", "b"), fc.string({ maxLength: 3 }));
  fc.assert(
    fc.property(fc.array(fc.tuple(value, value, value)), (keys) => {
      const ids = check(keys);
      const seen = new Map(keys.map((key, at) => [JSON.stringify(key), ids[at]]));
      expect(ids).toEqual(keys.map((key) => seen.get(JSON.stringify(key))));
      const distinct = [...new Set(ids)].sort((a, b) => a - b);
      expect(distinct).toEqual(Array.from({ length: seen.size }, (_, at) => at));
    }),
    { seed: 21 },
  );
});

test("names of the object prototype are values like any other", () => {
  const before = Object.getOwnPropertyNames(Object.prototype).join();
  const keys = names.flatMap((a) => names.flatMap((b) => names.map((c) => [a, b, c])));
  expect(check(keys)).toEqual(keys.map((_, at) => at));
  expect(Object.getOwnPropertyNames(Object.prototype).join()).toBe(before);
});

test("neither values that run together nor the caller's array confuse keys", () => {
  expect(
    check([
      ["ab", "c", ""],
      ["a", "bc", ""],
      ["a", "b", "c"],
      ["ab", "c", ""],
    ]),
  ).toEqual([0, 1, 2, 0]);
  const table = createKeyTable(dimensions, { keysMax: 3 });
  const scratch = ["a", "b", "c"];
  const id = intern(table, scratch);
  scratch[0] = "changed";
  expect(keyOf(table, id)).toEqual(["a", "b", "c"]);
});

describe("a full table", () => {
  test("answers noKey for a new key, still knows the old ones, and does not grow", () => {
    const keys = [
      ["a", "1", ""],
      ["a", "2", ""],
      ["a", "3", ""],
      ["a", "1", ""],
    ];
    expect(check(keys, 2)).toEqual([0, 1, noKey, 0]);
  });

  test("folds a new key but for its service, and past 1,024 services everything", () => {
    const table = createKeyTable(dimensions, { keysMax: 2 });
    intern(table, ["a", "1", "eu"]);
    intern(table, ["a", "2", "eu"]);
    const folded = internOrFold(table, ["b", "3", "us"]);
    expect(keyOf(table, folded)).toEqual(["b", overflowValue, overflowValue]);
    expect(internOrFold(table, ["b", "4", "eu"])).toBe(folded);
    expect(internOrFold(table, ["a", "1", "eu"])).toBe(0);
    for (let at = 0; at < 5000; at++) internOrFold(table, [`service-${at}`, "x", "y"]);
    expect(table.size).toBe(2 + 1024 + 1);
    const last = internOrFold(table, ["one more", "x", "y"]);
    expect(keyOf(table, last)).toEqual(dimensions.map(() => overflowValue));
  });
});

test("keys order value by value", () => {
  const table = createKeyTable(dimensions, { keysMax: 10 });
  for (const key of ["b//", "a/z/", "a//z", "/b/c"]) intern(table, key.split("/"));
  const { order } = rankKeys(table);
  const sorted = [...order].map((id) => keyOf(table, id).join("/"));
  expect(sorted).toEqual(["/b/c", "a//z", "a/z/", "b//"]);
});

test("many keys of few values are told apart", () => {
  const table = createKeyTable(dimensions, { keysMax: 100_000 });
  const values = Array.from({ length: 400 }, (_, at) => `v${at}`);
  const keys = values.flatMap((a) => values.map((b) => [a, b, ""]));
  const ids = keys.map((key) => intern(table, key));
  expect(ids.slice(0, 100_000)).toEqual(Array.from({ length: 100_000 }, (_, at) => at));
  expect(ids.slice(100_000).every((id) => id === noKey)).toBe(true);
  expect(intern(table, keys[77_777] as string[])).toBe(77_777);
});
