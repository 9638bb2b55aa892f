/**
 * Every released format decodes for ever. Each file in test/golden/ holds the bytes, in hex, of
 * `sampleCube` as that version wrote it; a new version adds a file and keeps the old ones.
 */
import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { createByteReader } from "../../base/bytes.ts";
import { createPrng } from "../../base/prng.ts";
import type { Cube } from "../../sketch/cube.ts";
import { cubeVersion, decodeCube, encodeCube } from "../../sketch/cube-codec.ts";
import { quantileDigest } from "../../sketch/digest.ts";
import { bucketIndex, bucketUpperNs, countAbove } from "../../sketch/histogram.ts";
import { estimateHll } from "../../sketch/hll.ts";
import { keyOf } from "../../sketch/key.ts";
import { encoded, hexOf, limits, sampleCube } from "./streams.ts";

const folder = new URL("../golden/", import.meta.url);
const files = readdirSync(folder).filter((name) => /^cube-v\d+\.hex$/.test(name));

function bytesOf(name: string): Uint8Array {
  return Buffer.from(readFileSync(new URL(name, folder), "utf8").replaceAll(/\s/g, ""), "hex");
}

/** What a reader of any version must find in the sample. */
function check(cube: Cube): unknown {
  const cells = [...cube.cells].map(([id, cell]) => ({
    key: keyOf(cube.keys, id).slice(0, 2),
    counts: [cell.count, cell.errors, cell.originErrors, cell.slow, cell.originSlow],
    customers: [cell.customers, cell.customersFailed, cell.customersSlow].map((hll) =>
      Math.round(estimateHll(hll)),
    ),
    aboveOneSecond: countAbove(cell.durationNs, bucketIndex(1e9)),
    sumNs: cell.durationNs.sumNs,
    selfTimes: cell.selfNs.count,
    median: cell.values === undefined ? undefined : Math.round(quantileDigest(cell.values, 0.5)),
  }));
  const edges = [...cube.edges.values()].map(({ caller, callee, cell }) => ({
    from: keyOf(cube.keys, caller)[0],
    to: keyOf(cube.keys, callee)[0],
    counts: [cell.count, cell.errors, cell.gapNs.zeroCount, cell.gapNs.maxNs],
  }));
  const byKey = (a: { key: string[] }, b: { key: string[] }): number =>
    (a.key[0] as string) < (b.key[0] as string) ? -1 : 1;
  return { startMs: cube.windowStartMs, cells: cells.sort(byKey), edges };
}

test.each(files)("%s decodes to the sample it was written from", (name) => {
  const result = decodeCube(createByteReader(bytesOf(name)), limits);
  if (!result.ok) throw new Error(result.error.message);
  expect(check(result.value)).toEqual(check(sampleCube(createPrng(45))));
});

test("today's encoder writes today's golden bytes", () => {
  const golden = hexOf(bytesOf(`cube-v${cubeVersion}.hex`));
  expect(hexOf(encoded(encodeCube, sampleCube(createPrng(45))))).toBe(golden);
});

test("bucket bounds are the ones every stored histogram was counted with", () => {
  // 2^31 * 2^(k/32) rounded down, worked out to 60 digits elsewhere.
  const octave = Array.from({ length: 32 }, (_, part) => bucketUpperNs(31 * 32 + part));
  expect(octave).toEqual([
    2194507416, 2242560871, 2291666560, 2341847523, 2393127307, 2445529971, 2499080104, 2553802833,
    2609723833, 2666869344, 2725266179, 2784941737, 2845924020, 2908241642, 2971923841, 3037000499,
    3103502151, 3171459999, 3240905930, 3311872529, 3384393094, 3458501653, 3534232977, 3611622602,
    3690706839, 3771522796, 3854108391, 3938502375, 4024744347, 4112874773, 4202935003, 4294967296,
  ]);
});
