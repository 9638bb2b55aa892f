/**
 * `npm run chaos -- [--ci] [R1] [R2] …`: faults against the product's own processes, one JSON line
 * a row; ends with 1 when one fails. `--ci` takes counts that fit a check of every commit.
 */
import type { Row } from "../scoreboard-row.ts";
import { agentKills } from "./agent-kills.ts";
import { badLinks } from "./bad-links.ts";
import { collectorKills } from "./collector-kills.ts";
import { fullDisks } from "./full-disks.ts";
import { lateAndSilent } from "./late-and-silent.ts";
import { currentWorld, type NetworkWorld, runInside } from "./network-world.ts";
import { partitions } from "./partitions.ts";
import { powerCuts } from "./power-cuts.ts";
import { repetition } from "./repetition.ts";
import { terminations } from "./terminations.ts";
import { wrongClocks } from "./wrong-clocks.ts";

interface Entry {
  readonly row: Row["row"];
  /** Needs a network that can be broken; not a part of a short check. */
  readonly isWorldOfItsOwn?: boolean;
  /** Takes minutes, so not a part of a short check. */
  readonly isLong?: boolean;
  /** Undefined when the machine cannot do it, which has been said. */
  run(size: "ci" | "whole"): Promise<Row | undefined>;
}

const entries: readonly Entry[] = [
  { row: "R1", run: (size) => agentKills({ kills: size === "ci" ? 10 : 200, seed: 1 }) },
  { row: "R2", run: (size) => collectorKills({ kills: size === "ci" ? 5 : 200, seed: 2 }) },
  {
    row: "R3",
    run: (size) => powerCuts({ rounds: size === "ci" ? 3 : 100, seed: 3 }),
  },
  { row: "R5", run: fullDisks },
  {
    row: "R7",
    isWorldOfItsOwn: true,
    run: () => partitions({ world: worldOrThrow(), cutSeconds: [60, 600] }),
  },
  {
    row: "R8",
    isWorldOfItsOwn: true,
    run: () => badLinks({ world: worldOrThrow(), secondsEach: 600 }),
  },
  {
    row: "R9",
    run: (size) =>
      repetition(
        size === "ci"
          ? { seconds: 30, delayMsMax: 5_000, seed: 9 }
          : { seconds: 600, delayMsMax: 60_000, seed: 9 },
      ),
  },
  { row: "R11", isLong: true, run: wrongClocks },
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
for (const { row, run, isWorldOfItsOwn = false, isLong = false } of entries) {
  if (asked.length > 0 && !asked.includes(row)) continue;
  if (isLong && size === "ci") continue;
  if (isWorldOfItsOwn && currentWorld() === undefined) {
    if (size === "whole" && (runInside(row) ?? 0) !== 0) process.exitCode = 1;
    continue;
  }
  const result = await run(size);
  if (result === undefined) continue;
  process.stdout.write(`${JSON.stringify(result)}\n`);
  if (!result.pass) process.exitCode = 1;
}

function worldOrThrow(): NetworkWorld {
  const world = currentWorld();
  if (world === undefined) throw new Error("this row runs in a network of its own");
  return world;
}
