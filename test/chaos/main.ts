/**
 * `npm run chaos -- [--ci] [R1] [R2] …`: faults against the product's own processes, one JSON line
 * a row; ends with 1 when one fails. `--ci` takes counts that fit a check of every commit.
 */
import type { Row } from "../scoreboard-row.ts";
import { agentKills } from "./agent-kills.ts";
import { collectorKills } from "./collector-kills.ts";
import { lateAndSilent } from "./late-and-silent.ts";
import { terminations } from "./terminations.ts";

interface Entry {
  readonly row: Row["row"];
  run(size: "ci" | "whole"): Promise<Row>;
}

const entries: readonly Entry[] = [
  { row: "R1", run: (size) => agentKills({ kills: size === "ci" ? 10 : 200, seed: 1 }) },
  { row: "R2", run: (size) => collectorKills({ kills: size === "ci" ? 5 : 200, seed: 2 }) },
  { row: "R12", run: lateAndSilent },
  {
    row: "R14",
    run: (size) =>
      terminations(
        size === "ci"
          ? { terminations: 5, burstSeconds: 10, seed: 14 }
          : { terminations: 50, burstSeconds: 300, seed: 14 },
      ),
  },
];

const asked = process.argv.slice(2).filter((argument) => argument !== "--ci");
const size = process.argv.includes("--ci") ? "ci" : "whole";
for (const { row, run } of entries) {
  if (asked.length > 0 && !asked.includes(row)) continue;
  const result = await run(size);
  process.stdout.write(`${JSON.stringify(result)}\n`);
  if (!result.pass) process.exitCode = 1;
}
