/**
 * `npm run hostile -- [--ci] [--defects] [D1] [D2] …`: attacks, one JSON line a row; ends with 1
 * when one fails. `--ci` takes counts that fit a check of every commit; `--defects` shows that each
 * row tells what it is there for.
 */
import { fuzz } from "../fuzz/fuzz.ts";
import { type Row, rowOf, runRows, type ScoreboardRow, type Size } from "../scoreboard-row.ts";
import { abusiveConnections, abusiveConnectionsDefects } from "./abusive-connections.ts";
import { cardinalityBomb, cardinalityBombDefects } from "./cardinality-bomb.ts";
import { decompressionBombs, decompressionBombsDefects } from "./decompression-bombs.ts";
import { hashFlooding, hashFloodingDefects } from "./hash-flooding.ts";
import { hostileSketches, hostileSketchesDefects } from "./hostile-sketches.ts";
import { prototypeNames, prototypeNamesDefects } from "./prototype-names.ts";
import { slowReaders, slowReadersDefects } from "./slow-readers.ts";
import { streamAccess, streamAccessDefects } from "./stream-access.ts";

const rows: Readonly<Record<string, ScoreboardRow>> = {
  D1: { run: decompressionBombs, defects: decompressionBombsDefects },
  D2: { run: fuzzing, defects: [] },
  D3: {
    run: (size) =>
      cardinalityBomb(
        size === "ci" ? { keys: 300_000, seconds: 40 } : { keys: 10_000_000, seconds: 600 },
      ),
    defects: cardinalityBombDefects,
  },
  D4: { run: hashFlooding, defects: hashFloodingDefects },
  D5: { run: hostileSketches, defects: hostileSketchesDefects },
  D6: { run: prototypeNames, defects: prototypeNamesDefects },
  D7: {
    run: (size) =>
      abusiveConnections(
        size === "ci" ? { slow: 200, frames: 20_000 } : { slow: 2_000, frames: 100_000 },
      ),
    defects: abusiveConnectionsDefects,
  },
  D8: { run: slowReaders, defects: slowReadersDefects },
  D9: { run: streamAccess, defects: streamAccessDefects },
};

async function fuzzing(size: Size): Promise<Row> {
  const count = size === "ci" ? 100_000 : 10_000_000;
  const { inputs, faultCount, hangs } = await fuzz({ seed: 1, count });
  const value = { faults: faultCount, hangs };
  return rowOf({ row: "D2", n: inputs, value, limit: { faults: 0, hangs: 0 } });
}

await runRows({ folder: "hostile", rows }, process.argv.slice(2));
