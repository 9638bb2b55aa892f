/**
 * The whole check, from a fresh clone on: install, build, lint, types, every test. Goes on after a
 * failed step, so that one run tells everything; the last line is the tests' own count.
 */

import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ensureDebianPackages } from "./debian.mjs";
import { ensureBuilt, ensureInstalled } from "./setup.mjs";
import { root, runQuietly, StepError, step } from "./steps.mjs";

const bin = (path) => join(root, "node_modules", path);
const failedSteps = [];

async function attempt(title, work) {
  try {
    await work();
    return true;
  } catch (error) {
    if (!(error instanceof StepError)) throw error;
    process.stderr.write(`${error.message}\n`);
    failedSteps.push(title);
    return false;
  }
}

const node = (title, ...args) =>
  attempt(title, () => step(title, () => runQuietly(process.execPath, args)));

/** The Node the image ships; the tests run on it too, beside the oldest Node we promise. */
const shippedNode = "24.9.0";

/** The program of `shippedNode`, fetched where its package exists; undefined elsewhere. */
async function ensureShippedNode() {
  if (Number(process.versions.node.split(".")[0]) >= 24) return undefined;
  const name = `node-${process.platform}-${process.arch}`;
  const folder = join(root, "dist", "node");
  const program = join(folder, "node_modules", name, "bin", "node");
  if (existsSync(program)) return program;
  try {
    await step(`fetch node ${shippedNode}`, async () => {
      mkdirSync(folder, { recursive: true });
      const args = ["install", "--no-save", "--prefix", folder, `${name}@${shippedNode}`];
      await runQuietly("npm", args);
    });
    return program;
  } catch (error) {
    if (!(error instanceof StepError)) throw error;
    process.stderr.write(
      `${error.message}\n· no node ${shippedNode} here: tests run on one Node\n`,
    );
    return undefined;
  }
}

/**
 * Runs vitest in the foreground and returns what its JSON report counted.
 * @param {string} program the Node to run it on
 * @param {readonly string[]} which
 */
async function runTests(program, which = []) {
  const folder = mkdtempSync(join(tmpdir(), "brunt-test-"));
  const report = join(folder, "report.json");
  const args = [
    "run",
    "--reporter=default",
    "--reporter=json",
    `--outputFile.json=${report}`,
    ...which,
  ];
  try {
    await new Promise((resolve, reject) => {
      const child = spawn(program, [bin("vitest/vitest.mjs"), ...args], {
        cwd: root,
        stdio: "inherit",
      });
      child.on("error", reject);
      child.on("close", (code, signal) => {
        if (code !== 0) failedSteps.push(`tests (${code ?? signal})`);
        resolve();
      });
    });
    return countsOf(JSON.parse(readFileSync(report, "utf8")));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A file that fails before its first test counts as one failure. */
function countsOf(report) {
  const unloaded = report.testResults.filter(
    (file) => file.status === "failed" && file.assertionResults.length === 0,
  );
  return { passed: report.numPassedTests, failed: report.numFailedTests + unloaded.length };
}

const ready = (await attempt("install", ensureInstalled)) && (await attempt("build", ensureBuilt));
let counts = { passed: 0, failed: 0 };
if (ready || existsSync(bin("vitest"))) {
  await ensureDebianPackages();
  await node("lint", bin("@biomejs/biome/bin/biome"), "check", ".");
  const tsc = bin("typescript/bin/tsc");
  await node("types", tsc, "--noEmit", "-p", "tsconfig.json");
  if (existsSync(join(root, "ui/tsconfig.json"))) {
    await node("types of ui", tsc, "--noEmit", "-p", "ui/tsconfig.json");
  }
  counts = await runTests(process.execPath);
  const shipped = await ensureShippedNode();
  if (shipped !== undefined) {
    process.stdout.write(`\nonce more on node ${shippedNode}\n`);
    const again = await runTests(shipped, ["--project", "product"]);
    counts = { passed: counts.passed + again.passed, failed: counts.failed + again.failed };
  }
}
if (failedSteps.length > 0) {
  process.exitCode = 1;
  process.stdout.write(`failed steps: ${failedSteps.join(", ")}\n`);
}
process.stdout.write(`${counts.passed} passed, ${counts.failed} failed\n`);
