/** `npm run fuzz`: the fuzzer for as long as one likes; one JSON line at the end. */
import { parseArgs } from "node:util";
import { fuzz, settleEvery } from "./fuzz.ts";

const usage = `Usage: npm run fuzz -- [--count N] [--seed N]

Structure-aware mutants of OTLP in protobuf and JSON and of sketch batches, against the product and
a slow reference reader. Prints {"row":"D2","n":…} and ends with 1 when anything was wrong.

  --count N    inputs to try; 100,000 unless told
  --seed N     the same seed tries the same inputs
  --help       this text
`;

const progressEvery = 100_000;

const { values } = parseArgs({
  options: {
    count: { type: "string", default: "100000" },
    seed: { type: "string", default: "1" },
    help: { type: "boolean", default: false },
  },
});

if (values.help) {
  process.stdout.write(usage);
} else {
  const startMs = performance.now();
  const report = await fuzz({
    seed: Number(values.seed),
    count: Number(values.count),
    onProgress(inputs) {
      if (inputs % progressEvery >= settleEvery) return;
      const seconds = ((performance.now() - startMs) / 1_000).toFixed(0);
      process.stderr.write(`· ${inputs} inputs in ${seconds} s\n`);
    },
  });
  const { inputs, faults, faultCount, hangs, slowestMs, verdicts } = report;
  const value = { faults: faultCount, hangs, slowestMs: Math.round(slowestMs), verdicts };
  const pass = faultCount === 0 && hangs === 0;
  const row = { row: "D2", n: inputs, value, limit: { faults: 0, hangs: 0, slowestMs: 50 }, pass };
  process.stdout.write(`${JSON.stringify(row)}\n`);
  for (const fault of faults) process.stderr.write(`${fault}\n`);
  process.exitCode = pass ? 0 : 1;
}
