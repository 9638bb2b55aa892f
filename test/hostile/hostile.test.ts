/**
 * The rows run compiled, as `npm run hostile` does, since D1 needs an agent's process. What is a
 * time (how long a loop stands still) is for that command to judge, not for a test.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, test } from "vitest";
import type { Row } from "./row.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const timeoutMs = 120_000;
const times = /Ms$/;
/** D4 compares times, which others on the machine may triple; the command judges it strictly. */
const slackOf = (name: Row["row"]): number => (name === "D4" ? 3 : 1);

beforeAll(() => {
  execFileSync(process.execPath, ["scripts/build.mjs"], { cwd: root, stdio: "ignore" });
}, timeoutMs);

function check(name: Row["row"]): Row {
  const main = "dist/test/hostile/main.js";
  const { stdout, stderr } = spawnSync(process.execPath, [main, name], {
    cwd: root,
    encoding: "utf8",
  });
  const line = stdout.trim();
  expect(line, stderr).toMatch(/^\{"row"/);
  return JSON.parse(line) as Row;
}

describe("hostile input", () => {
  test.each<[Row["row"], string]>([
    ["D1", "bodies that inflate to gigabytes"],
    ["D4", "keys that meet in one place"],
    ["D5", "sketches no agent made"],
  ])(
    "%s: %s",
    (name) => {
      const { value, limit, n } = check(name);
      expect(n).toBeGreaterThan(0);
      for (const [what, most] of Object.entries(limit)) {
        const limited = most * slackOf(name);
        if (!times.test(what)) expect(value[what], what).toBeLessThanOrEqual(limited);
      }
    },
    timeoutMs,
  );
});
