/** `npm run sim`: seeds of the simulator on all cores; one JSON line at the end. */
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { type Row, rowOf } from "../scoreboard-row.ts";
import { mutants } from "./mutants.ts";
import { runSeeds } from "./run-seeds.ts";
import { type SimFigures, type SimResult, simStartMs, simulate } from "./sim.ts";
import { createTrace } from "./trace.ts";
import { tryMutants } from "./try-mutants.ts";

const usage = `Usage: npm run sim -- [--seeds N] [--from N] | --seed N | --mutants

Agents, a broker and a collector, all of the production code, in virtual time under lost, repeated
and late messages, partitions, kills, power cuts, disks that refuse and clocks that jump. An oracle
that knows every input judges: nothing counted twice, nothing lost but what was declared. Prints
{"row":"R4","n":…} and ends with 1 when a seed is violated.

  --seeds N     seeds to run; 2,000 unless told
  --from N      the first of them; 1 unless told
  --seed N      replays one and tells everything that happens in it
  --mutants     puts known defects into copies of the product, and tells which are not caught
  --threads N   threads; as many as there are cores unless told
  --until-violation   stops at the first seed that is violated
  --help        this text
`;

const progressEvery = 1_000;
const failuresShown = 20;

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "2000" },
    from: { type: "string", default: "1" },
    seed: { type: "string" },
    mutants: { type: "boolean", default: false },
    threads: { type: "string", default: String(availableParallelism()) },
    "until-violation": { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

if (values.help) process.stdout.write(usage);
else if (values.seed !== undefined) await replay(Number(values.seed));
else if (values.mutants) await runMutants();
else await runAll();

async function replay(seed: number): Promise<void> {
  const trace = createTrace(simStartMs, (line) => process.stdout.write(`${line}\n`));
  const result = await simulate({ seed, trace });
  process.stdout.write(`${JSON.stringify(result.figures)}\n`);
  showFailure(result);
  if (result.violations.length > 0) process.exitCode = 1;
}

async function runAll(): Promise<void> {
  const startMs = performance.now();
  const sums: { -readonly [name in keyof SimFigures]?: number } = {};
  let seeds = 0;
  let violated = 0;
  const range = {
    from: Number(values.from),
    count: Number(values.seeds),
    threads: Number(values.threads),
    untilViolation: values["until-violation"],
  };
  await runSeeds(range, (result) => {
    seeds++;
    if (result.violations.length > 0 && violated++ < failuresShown) showFailure(result);
    for (const name of Object.keys(result.figures) as (keyof SimFigures)[]) {
      sums[name] = (sums[name] ?? 0) + result.figures[name];
    }
    if (seeds % progressEvery !== 0) return;
    const seconds = ((performance.now() - startMs) / 1_000).toFixed(0);
    process.stderr.write(`· ${seeds} seeds in ${seconds} s, ${violated} violated\n`);
  });
  const value = { violated, ...sums };
  print(rowOf({ row: "R4", n: seeds, value, limit: { violated: 0 } }));
}

async function runMutants(): Promise<void> {
  let uncaught = 0;
  await tryMutants(mutants, ({ name, caught, seeds, says }) => {
    if (!caught) uncaught++;
    const verdict = caught ? `caught by seed ${seeds}: ${says}` : `not caught by ${seeds} seeds`;
    process.stderr.write(`${name}: ${verdict}\n`);
  });
  const limit = { uncaught: 0 };
  print(rowOf({ row: "R4", n: mutants.length, value: { uncaught }, limit }));
}

function showFailure({ seed, violations }: SimResult): void {
  if (violations.length === 0) return;
  process.stderr.write(`seed ${seed} is violated; replay it with: npm run sim -- --seed ${seed}\n`);
  for (const violation of violations) process.stderr.write(`  ${violation}\n`);
}

function print(row: Row): void {
  process.stdout.write(`${JSON.stringify(row)}\n`);
  if (!row.pass) process.exitCode = 1;
}
