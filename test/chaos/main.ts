/**
 * `npm run chaos -- [--ci] [--defects] [R1] [R2] …`: faults against the product's own processes,
 * one JSON line a row; ends with 1 when one fails. `--ci` takes counts of a minute or two;
 * `--defects` shows that each row tells what it is there for. R4 is `npm run sim`.
 */
import { type RunRow, runRows } from "../scoreboard-row.ts";
import { agentKills } from "./agent-kills.ts";
import { alertSinkDown } from "./alert-sink-down.ts";
import { badLinks } from "./bad-links.ts";
import { brokerKills } from "./broker-kills.ts";
import { chaosDefects } from "./chaos-defects.ts";
import { collectorKills } from "./collector-kills.ts";
import { corruptedStorage } from "./corrupted-storage.ts";
import { fullDisks } from "./full-disks.ts";
import { lateAndSilent } from "./late-and-silent.ts";
import { inWorldOfItsOwn } from "./network-world.ts";
import { partitions } from "./partitions.ts";
import { powerCuts } from "./power-cuts.ts";
import { repetition } from "./repetition.ts";
import { terminations } from "./terminations.ts";
import { wrongClocks } from "./wrong-clocks.ts";

const ciAlerts = { kills: 5, seconds: 30, seed: 15 };

const rows: Readonly<Record<string, RunRow>> = {
  R1: (size) => agentKills({ kills: size === "ci" ? 10 : 200, seed: 1 }),
  R2: (size) => collectorKills({ kills: size === "ci" ? 5 : 200, seed: 2 }),
  R3: (size) => powerCuts({ rounds: size === "ci" ? 3 : 100, seed: 3 }),
  R5: fullDisks,
  R6: (size) =>
    corruptedStorage(
      size === "ci"
        ? { flips: 30, cuts: 30, pages: 10, exchanges: 10, copies: 10, seed: 6 }
        : { flips: 1_000, cuts: 1_000, pages: 200, exchanges: 100, copies: 100, seed: 6 },
    ),
  R7: (size) =>
    inWorldOfItsOwn("R7", (world) =>
      partitions({ world, cutSeconds: size === "ci" ? [30] : [60, 600] }),
    ),
  R8: (size) =>
    inWorldOfItsOwn("R8", (world) => badLinks({ world, secondsEach: size === "ci" ? 20 : 600 })),
  R9: (size) =>
    repetition(
      size === "ci"
        ? { seconds: 30, delayMsMax: 5_000, seed: 9 }
        : { seconds: 600, delayMsMax: 60_000, seed: 9 },
    ),
  R10: (size) => brokerKills({ kills: size === "ci" ? 5 : 50, seed: 10 }),
  R11: wrongClocks,
  R12: lateAndSilent,
  R14: (size) =>
    terminations(
      size === "ci"
        ? { terminations: 5, burstSeconds: 10, seed: 14 }
        : { terminations: 50, burstSeconds: 300, seed: 14 },
    ),
  R15: (size) => alertSinkDown(size === "ci" ? ciAlerts : { kills: 50, seconds: 600, seed: 15 }),
};

await runRows({ folder: "chaos", rows, defects: chaosDefects }, process.argv.slice(2));
