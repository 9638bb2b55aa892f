/**
 * `npm run bench`: one table an area. A whole run writes its tables into docs/performance.md;
 * `--json FILE` writes the figures as one flat object.
 */
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { type Area, areas } from "./areas.ts";
import { writeDocs } from "./docs.ts";
import { flatten, renderText, type Table } from "./table.ts";

const usage = `Usage: npm run bench -- [--json FILE] [--docs] [area…]

Measures this machine, one table an area, medians over runs. Where there are rivals they ran in
turns with ours in the same process; "(3x)" beside one says its figure is three times ours.

  --json FILE  write the figures as one flat JSON object {"area.metric": number}
  --docs       write the tables into docs/performance.md; a whole run does so without being asked
  --help       this text

Areas:
${areas.map(({ name, about }) => `  ${name.padEnd(12)} ${about}`).join("\n")}
`;

async function main(): Promise<number> {
  const { values, positionals } = parse();
  if (values.help) {
    process.stdout.write(usage);
    return 0;
  }
  const unknown = positionals.filter((name) => !areas.some((area) => area.name === name));
  if (unknown.length > 0) {
    process.stderr.write(`there is no area ${unknown.join(", ")}; see --help\n`);
    return 2;
  }
  const chosen = areas.filter(({ name }) => positionals.length === 0 || positionals.includes(name));
  const tables = await measure(chosen);
  if (values.json !== undefined) {
    writeFileSync(values.json, `${JSON.stringify(flatten(tables), undefined, 2)}\n`);
  }
  if (values.docs || positionals.length === 0) writeDocs("docs/performance.md", tables);
  return 0;
}

async function measure(chosen: readonly Area[]): Promise<Table[]> {
  const tables: Table[] = [];
  for (const area of chosen) {
    const startMs = performance.now();
    process.stderr.write(`· ${area.name} …\n`);
    const table = await area.measure();
    tables.push(table);
    const seconds = ((performance.now() - startMs) / 1_000).toFixed(0);
    process.stdout.write(`\n${renderText(table)}(${seconds} s)\n`);
  }
  return tables;
}

function parse() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        json: { type: "string" },
        docs: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    });
  } catch (cause) {
    process.stderr.write(`${(cause as Error).message}; see --help\n`);
    process.exit(2);
  }
}

process.exitCode = await main();
