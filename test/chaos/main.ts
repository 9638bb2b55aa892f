/**
 * `npm run chaos -- [--ci] [--defects] [R1] [R2] …`: faults against the product's own processes,
 * one JSON line a row; ends with 1 when one fails. `--ci` takes counts of a minute or two;
 * `--defects` shows that each row tells what it is there for. R4 is `npm run sim`.
 */
import { runRows, type ScoreboardRow } from "../scoreboard-row.ts";
import { agentKills, agentKillsDefects } from "./agent-kills.ts";
import { alertSinkDown, alertSinkDownDefects } from "./alert-sink-down.ts";
import { badLinks, badLinksDefects } from "./bad-links.ts";
import { brokerKills, brokerKillsDefects } from "./broker-kills.ts";
import { collectorKills, collectorKillsDefects } from "./collector-kills.ts";
import { corruptedStorage, corruptedStorageDefects } from "./corrupted-storage.ts";
import { fullDisks, fullDisksDefects } from "./full-disks.ts";
import { lateAndSilent, lateAndSilentDefects } from "./late-and-silent.ts";
import { inWorldOfItsOwn } from "./network-world.ts";
import { partitions, partitionsDefects } from "./partitions.ts";
import { powerCuts, powerCutsDefects } from "./power-cuts.ts";
import { repetition, repetitionDefects } from "./repetition.ts";
import { terminations, terminationsDefects } from "./terminations.ts";
import { wrongClocks, wrongClocksDefects } from "./wrong-clocks.ts";

const someFaults = { flips: 30, cuts: 30, pages: 10, exchanges: 10, copies: 10 };
const manyFaults = { flips: 1_000, cuts: 1_000, pages: 200, exchanges: 100, copies: 100 };
const ciAlerts = { kills: 5, seconds: 30, seed: 15 };

const rows: Readonly<Record<string, ScoreboardRow>> = {
  R1: {
    run: (size) => agentKills({ kills: size === "ci" ? 10 : 200, seed: 1 }),
    defects: agentKillsDefects,
  },
  R2: {
    run: (size) => collectorKills({ kills: size === "ci" ? 5 : 200, seed: 2 }),
    defects: collectorKillsDefects,
  },
  R3: {
    run: (size) => powerCuts({ rounds: size === "ci" ? 3 : 100, seed: 3 }),
    defects: powerCutsDefects,
  },
  R5: { run: fullDisks, defects: fullDisksDefects },
  R6: {
    run: (size) =>
      corruptedStorage(
        size === "ci"
          ? { store: someFaults, spool: someFaults, seed: 6 }
          : { store: manyFaults, spool: manyFaults, seed: 6 },
      ),
    defects: corruptedStorageDefects,
  },
  R7: {
    run: (size) =>
      inWorldOfItsOwn("R7", (world) =>
        partitions({ world, cutSeconds: size === "ci" ? [45] : [60, 600] }),
      ),
    defects: partitionsDefects,
  },
  R8: {
    run: (size) =>
      inWorldOfItsOwn("R8", (world) => badLinks({ world, secondsEach: size === "ci" ? 20 : 600 })),
    defects: badLinksDefects,
  },
  R9: {
    run: (size) =>
      repetition(
        size === "ci"
          ? { seconds: 20, delayMsMax: 5_000, seed: 9 }
          : { seconds: 600, delayMsMax: 60_000, seed: 9 },
      ),
    defects: repetitionDefects,
  },
  R10: {
    run: (size) => brokerKills({ kills: size === "ci" ? 5 : 50, seed: 10 }),
    defects: brokerKillsDefects,
  },
  R11: { run: wrongClocks, defects: wrongClocksDefects },
  R12: { run: lateAndSilent, defects: lateAndSilentDefects },
  R14: {
    run: (size) =>
      terminations(
        size === "ci"
          ? { terminations: 5, burstSeconds: 10, seed: 14 }
          : { terminations: 50, burstSeconds: 300, seed: 14 },
      ),
    defects: terminationsDefects,
  },
  R15: {
    run: (size) => alertSinkDown(size === "ci" ? ciAlerts : { kills: 50, seconds: 600, seed: 15 }),
    defects: alertSinkDownDefects,
  },
};

await runRows({ folder: "chaos", rows }, process.argv.slice(2));
