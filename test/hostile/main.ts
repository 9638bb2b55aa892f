/** `npm run hostile -- [D1] [D2] …`: one JSON line a row; ends with 1 when one fails. */
import { fuzz } from "../fuzz/fuzz.ts";
import { type Row, rowOf } from "../scoreboard-row.ts";
import { decompressionBombs } from "./decompression-bombs.ts";
import { hashFlooding } from "./hash-flooding.ts";
import { hostileSketches } from "./hostile-sketches.ts";
import { prototypeNames } from "./prototype-names.ts";

const mutants = 100_000;

const rows: Readonly<Record<string, () => Promise<Row>>> = {
  D1: decompressionBombs,
  async D2() {
    const { inputs, faultCount, hangs } = await fuzz({ seed: 1, count: mutants });
    const value = { faults: faultCount, hangs };
    return rowOf({ row: "D2", n: inputs, value, limit: { faults: 0, hangs: 0 } });
  },
  D4: hashFlooding,
  D5: hostileSketches,
  D6: prototypeNames,
};

const asked = process.argv.slice(2);
for (const [name, run] of Object.entries(rows)) {
  if (asked.length > 0 && !asked.includes(name)) continue;
  const row = await run();
  process.stdout.write(`${JSON.stringify(row)}\n`);
  if (!row.pass) process.exitCode = 1;
}
