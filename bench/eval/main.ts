/** `npm run eval`: the product's own functions on public data sets; one table a benchmark. */
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { writeDocs } from "../docs.ts";
import { flatten, renderText, type Table } from "../table.ts";
import { benchmarks } from "./benchmarks.ts";

const dataDefault = "../shared/data";

const usage = `Usage: npm run eval -- [--data DIR] [--json FILE] [--docs] [--seed N] [benchmark…]

Runs detection, isolation and blame on recorded data with labels, with one configuration for all of
it, and prints for each benchmark the score, its 95 % interval, what others reach on the same files,
time and memory. What is not in the folder is left out, and said.

  --data DIR   folder of the data sets; ${dataDefault} unless told
  --json FILE  write the figures as one flat JSON object {"benchmark.metric": number}
  --docs       write the tables into docs/evaluation.md
  --seed N     other cases where a benchmark draws its own; 1 unless told
  --help       this text

Benchmarks:
${benchmarks.map(({ name, title }) => `  ${name.padEnd(12)} ${title}`).join("\n")}
`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    data: { type: "string", default: dataDefault },
    json: { type: "string" },
    docs: { type: "boolean", default: false },
    seed: { type: "string", default: "1" },
    help: { type: "boolean", default: false },
  },
});

const unknown = positionals.filter((name) => !benchmarks.some((one) => one.name === name));
if (values.help) process.stdout.write(usage);
else if (unknown.length > 0) {
  process.stderr.write(`there is no benchmark ${unknown.join(", ")}; see --help\n`);
  process.exitCode = 2;
} else await run();

async function run(): Promise<void> {
  const tables: Table[] = [];
  for (const { name, title, folder, measure } of benchmarks) {
    if (positionals.length > 0 && !positionals.includes(name)) continue;
    const data = folder === undefined ? "" : join(values.data, folder);
    if (folder !== undefined && !existsSync(data)) {
      process.stderr.write(`· ${name}: left out, there is no ${data}\n`);
      continue;
    }
    process.stderr.write(`· ${name} …\n`);
    try {
      const table = { area: name, title, figures: await measure(data, Number(values.seed)) };
      tables.push(table);
      process.stdout.write(`\n${renderText(table)}`);
    } catch (cause) {
      // The figures of the others are worth having; that some are missing is told by the exit code.
      process.stderr.write(`· ${name}: ${cause instanceof Error ? cause.stack : String(cause)}\n`);
      process.exitCode = 1;
    }
  }
  if (values.json !== undefined) {
    writeFileSync(values.json, `${JSON.stringify(flatten(tables), undefined, 2)}\n`);
  }
  if (values.docs) writeDocs("docs/evaluation.md", tables);
}
