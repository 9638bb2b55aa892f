/**
 * The simulator as `npm run sim` runs it, compiled: many seeds with nothing wrong in a storm that
 * hurts, the same seed twice the same, and every known defect caught.
 */
import { execFile, execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, test } from "vitest";
import type { Row } from "../scoreboard-row.ts";
import { mutants } from "./mutants.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const seeds = 2_000;
const timeoutMs = 600_000;

interface Outcome {
  readonly line: string;
  readonly says: string;
}

beforeAll(() => {
  execFileSync(process.execPath, ["scripts/build.mjs"], { cwd: root, stdio: "ignore" });
}, timeoutMs);

function check(...args: readonly string[]): Promise<Outcome> {
  return new Promise((resolve) => {
    const options = { cwd: root, maxBuffer: 2 ** 28 };
    execFile(process.execPath, ["dist/test/sim/main.js", ...args], options, (_, stdout, stderr) =>
      resolve({ line: stdout.trim(), says: stderr }),
    );
  });
}

describe("R4, everything at once", () => {
  test(
    `${seeds} seeds: nothing counted twice, nothing lost undeclared`,
    async () => {
      const { line, says } = await check("--seeds", String(seeds));
      process.stderr.write(`${line}\n`);
      const { n, value, pass } = JSON.parse(line) as Row;
      expect({ n, pass }, says).toEqual({ n: seeds, pass: true });
      // A storm that hurts nothing tries nothing: so much of each, of every thousand seeds.
      const least = {
        ...{ crashes: 8_000, powerCuts: 4_000, partitions: 2_000, badDisks: 2_000 },
        ...{ clockJumps: 700, brokerKills: 600, applied: 200_000, declaredLost: 3_000 },
      };
      for (const [name, count] of Object.entries(least)) {
        expect(value[name], name).toBeGreaterThan((count * seeds) / 1_000);
      }
    },
    timeoutMs,
  );

  test(
    "a seed replays",
    async () => {
      const [once, again] = [await check("--seed", "7"), await check("--seed", "7")];
      expect(once.line.split("\n").length).toBeGreaterThan(1_000);
      expect(once).toEqual(again);
    },
    timeoutMs,
  );

  test(
    `${mutants.length} known defects are caught`,
    async () => {
      const { line, says } = await check("--mutants");
      process.stderr.write(`${line}\n`);
      expect(JSON.parse(line), says).toMatchObject({ n: mutants.length, pass: true });
    },
    timeoutMs,
  );
});
