/**
 * The rows of the scoreboard at the size of a check of every commit, compiled, since they start
 * processes of the product. What is a time is for `npm run chaos` and `npm run hostile` to judge on
 * a machine of their own, not for a test.
 */
import { execFileSync, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, test } from "vitest";
import type { Row } from "./scoreboard-row.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const timeoutMs = 300_000;
const times = /(Ms|Ratio)$/;
/** D4 compares times, which others on the machine may triple; the command judges it strictly. */
const slackOf = (name: Row["row"]): number => (name === "D4" ? 3 : 1);

beforeAll(() => {
  execFileSync(process.execPath, ["scripts/build.mjs"], { cwd: root, stdio: "ignore" });
}, timeoutMs);

/** What the row's program printed, and said beside it. */
async function printed(name: Row["row"]): Promise<{ readonly out: string; readonly said: string }> {
  const folder = name.startsWith("R") ? "chaos" : "hostile";
  const child = spawn(process.execPath, [`dist/test/${folder}/main.js`, "--ci", name], {
    cwd: root,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let [out, said] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    out += chunk;
  });
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
    said += chunk;
  });
  await new Promise((resolve) => child.once("close", resolve));
  return { out: out.trim(), said };
}

async function check(name: Row["row"]): Promise<void> {
  const { out, said } = await printed(name);
  if (said.includes(`${name}: left out`)) {
    process.stderr.write(said);
    return;
  }
  expect(out, said).toMatch(/^\{"row"/);
  process.stderr.write(`${out}\n`);
  const { value, limit, n } = JSON.parse(out) as Row;
  expect(n).toBeGreaterThan(0);
  for (const [what, most] of Object.entries(limit)) {
    const limited = most * slackOf(name);
    if (!times.test(what)) expect(value[what], what).toBeLessThanOrEqual(limited);
  }
}

type Named = readonly [Row["row"], string];

describe("scoreboard", () => {
  test.each<Named>([
    ["D1", "bodies that inflate to gigabytes"],
    ["D4", "keys that meet in one place"],
    ["D5", "sketches no agent made"],
    ["D8", "clients that never read"],
    ["R6", "damaged storage"],
  ])("%s: %s", check, timeoutMs);

  // These wait for windows to close more than they work.
  test.concurrent.each<Named>([
    ["R1", "agents killed"],
    ["R2", "collectors killed"],
    ["R3", "power cuts"],
    ["R5", "full disks"],
    ["R9", "repetition, copies and repeats"],
    ["R10", "brokers killed"],
    ["R12", "late spans and silent agents"],
    ["R14", "agents ended, and overloaded"],
    ["R15", "alerts whose targets are down"],
    ["D3", "keys never seen before"],
    ["D6", "names that mean something to every object"],
    ["D7", "connections that never finish, and floods"],
    ["D9", "strangers at the stream, and connections lost"],
  ])("%s: %s", check, timeoutMs);
});
