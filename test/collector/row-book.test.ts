import { expect, test } from "vitest";
import {
  createRowBook,
  endWalk,
  findRow,
  forgetSubjects,
  nextKey,
  numberOf,
  rowName,
  rowOf,
  walkKeys,
} from "../../collector/stages/row-book.ts";

function keyNamed(name: string): string[] {
  return ["shop", name, "server", "", "1.0"];
}

/** The subjects of a window's keys, in their order. */
function check(book: ReturnType<typeof createRowBook>, names: readonly string[], nowMs = 0) {
  const walk = walkKeys(book, names.length);
  const subjects = names.map((name) => nextKey(walk, keyNamed(name), nowMs));
  endWalk(walk);
  return subjects;
}

test("a key keeps its number, whatever comes before and after it", () => {
  const book = createRowBook();
  const names = Array.from({ length: 30 }, (_, index) => `operation-${index}`);
  const first = check(book, names);
  expect(new Set(first).size).toBe(30);
  expect(check(book, names)).toEqual(first);
  expect(check(book, names.toReversed())).toEqual(first.toReversed());
  const fewer = names.filter((_, index) => index < 3 || index > 20);
  expect(check(book, fewer)).toEqual(first.filter((_, index) => index < 3 || index > 20));
  const [added, ...rest] = check(book, ["new", ...names]);
  expect(rest).toEqual(first);
  expect(first).not.toContain(added);
});

test("a number is given anew once its subject was not seen for long", () => {
  const book = createRowBook();
  const [old = -1, kept] = check(book, ["old", "kept"], 1_000);
  check(book, ["kept"], 5_000);
  expect(forgetSubjects(book, 2_000)).toEqual([old]);
  expect(rowName(book, rowOf(old, 0))).toBeUndefined();
  expect(check(book, ["kept", "new"], 6_000)).toEqual([kept, old]);
});

test("a row is found by the id it is spelt with, other scopes apart", () => {
  const book = createRowBook();
  const [subject = -1] = check(book, ["GET /"]);
  const service = numberOf(book, "service", ["shop", "", "", ""], 0);
  for (const row of [rowOf(subject, 0), rowOf(subject, 1), rowOf(service, 1)]) {
    expect(findRow(book, rowName(book, row)?.id ?? "")).toBe(row);
  }
  expect(findRow(book, "service\0errors\0other\0\0\0")).toBe(-1);
});
