/** `npm run hostile -- [D1] [D2] …`: one JSON line a row; ends with 1 when one fails. */
import { fuzz } from "../fuzz/fuzz.ts";
import { type Row, rowOf, runRows } from "../scoreboard-row.ts";
import { abusiveConnections } from "./abusive-connections.ts";
import { cardinalityBomb } from "./cardinality-bomb.ts";
import { decompressionBombs } from "./decompression-bombs.ts";
import { hashFlooding } from "./hash-flooding.ts";
import { hostileSketches } from "./hostile-sketches.ts";
import { prototypeNames } from "./prototype-names.ts";
import { slowReaders } from "./slow-readers.ts";
import { streamAccess } from "./stream-access.ts";

const mutants = 100_000;

const rows: Readonly<Record<string, () => Promise<Row>>> = {
  D1: decompressionBombs,
  async D2() {
    const { inputs, faultCount, hangs } = await fuzz({ seed: 1, count: mutants });
    const value = { faults: faultCount, hangs };
    return rowOf({ row: "D2", n: inputs, value, limit: { faults: 0, hangs: 0 } });
  },
  D3: () => cardinalityBomb({ keys: 300_000, seconds: 90 }),
  D4: hashFlooding,
  D5: hostileSketches,
  D6: prototypeNames,
  D7: () => abusiveConnections({ slow: 2_000, frames: 100_000 }),
  D8: slowReaders,
  D9: streamAccess,
};

await runRows(rows, process.argv.slice(2));
