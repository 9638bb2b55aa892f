import { describe, expect, test } from "vitest";
import { changeSentence, createTraceBook, noteTraces } from "../../collector/stages/trace-book.ts";
import { createCell } from "../../sketch/cell.ts";
import { addCell, type Cube, createCube } from "../../sketch/cube.ts";
import { builtInDimensions, intern } from "../../sketch/key.ts";

function window(startMs: number, versions: readonly string[]): Cube {
  const cube = createCube(startMs, builtInDimensions, { keysMax: 100, edgesMax: 10 });
  for (const version of versions) {
    const key = intern(cube.keys, ["stock", "GET", "server", "", version, "", ""]);
    addCell(cube, key, { ...createCell(), count: 1, adjusted: 2 ** 16 });
  }
  return cube;
}

/** The versions seen in each minute; the trouble begins `sinceMs`. */
function check(minutes: readonly (readonly string[])[], sinceMs: number): string | undefined {
  const book = createTraceBook();
  minutes.forEach((versions, at) => {
    const sums = { startMs: at * 60_000, operations: new Map(), edges: new Map() };
    noteTraces(book, sums, window(at * 60_000, versions));
  });
  return changeSentence(structuredClone(book), "stock", sinceMs);
}

describe("a version", () => {
  test("first seen shortly before is told", () => {
    const told = check([["1.0"], ["1.0"], ["1.0", "1.1"], ["1.1"]], 160_000);
    expect(told).toBe("version 1.1 of stock was first seen 40 s before it began");
  });

  test.each<readonly [string, readonly (readonly string[])[], number]>([
    ["that is the only one ever seen is none", [["1.0"], ["1.0"]], 60_000],
    ["that came after is none", [["1.0"], ["1.0"], ["1.1"]], 60_000],
    ["of long ago is none", [["1.0"], ["1.1"], ...Array(20).fill(["1.1"])], 1_200_000],
  ])("%s", (_, minutes, sinceMs) => {
    expect(check(minutes, sinceMs)).toBeUndefined();
  });
});
