/**
 * `npm run hostile -- [--ci] [--defects] [D1] [D2] …`: attacks, one JSON line a row; ends with 1
 * when one fails. `--ci` takes counts that fit a check of every commit; `--defects` shows that each
 * row tells what it is there for.
 */
import { fuzz } from "../fuzz/fuzz.ts";
import { type RunRow, rowOf, runRows } from "../scoreboard-row.ts";
import { abusiveConnections } from "./abusive-connections.ts";
import { cardinalityBomb } from "./cardinality-bomb.ts";
import { decompressionBombs } from "./decompression-bombs.ts";
import { hashFlooding } from "./hash-flooding.ts";
import { hostileDefects } from "./hostile-defects.ts";
import { hostileSketches } from "./hostile-sketches.ts";
import { prototypeNames } from "./prototype-names.ts";
import { slowReaders } from "./slow-readers.ts";
import { streamAccess } from "./stream-access.ts";

const rows: Readonly<Record<string, RunRow>> = {
  D1: decompressionBombs,
  async D2(size) {
    const { inputs, faultCount, hangs } = await fuzz({
      seed: 1,
      count: size === "ci" ? 100_000 : 10_000_000,
    });
    const value = { faults: faultCount, hangs };
    return rowOf({ row: "D2", n: inputs, value, limit: { faults: 0, hangs: 0 } });
  },
  D3: (size) =>
    cardinalityBomb(
      size === "ci" ? { keys: 300_000, seconds: 90 } : { keys: 10_000_000, seconds: 600 },
    ),
  D4: hashFlooding,
  D5: hostileSketches,
  D6: prototypeNames,
  D7: (size) =>
    abusiveConnections(
      size === "ci" ? { slow: 200, frames: 20_000 } : { slow: 2_000, frames: 100_000 },
    ),
  D8: slowReaders,
  D9: streamAccess,
};

await runRows({ folder: "hostile", rows, defects: hostileDefects }, process.argv.slice(2));
