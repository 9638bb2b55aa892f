/**
 * One line per step, with the time it took. Nothing is printed for a step that has nothing to do;
 * a command's own output is shown only when it fails.
 */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("..", import.meta.url));

/** A step that failed, with what its command printed. */
export class StepError extends Error {}

/**
 * Runs `work` under a title on stderr, so that stdout stays the command's own.
 * @param {string} title
 * @param {() => Promise<void>} work
 */
export async function step(title, work) {
  const startedMs = performance.now();
  const live = process.stderr.isTTY;
  if (live) process.stderr.write(`· ${title} …`);
  const close = (mark) => {
    const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
    process.stderr.write(`${live ? "\r\u001b[K" : ""}${mark} ${title} (${seconds} s)\n`);
  };
  try {
    await work();
    close("✓");
  } catch (error) {
    close("✗");
    throw error;
  }
}

/**
 * Runs a program in the project's root and gathers what it prints.
 * @param {string} program
 * @param {readonly string[]} args
 * @throws {StepError} when it cannot start or ends with a code other than 0
 */
export function runQuietly(program, args) {
  return new Promise((resolve, reject) => {
    const chunks = [];
    const child = spawn(program, args, { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
    child.stdout.on("data", (chunk) => chunks.push(chunk));
    child.stderr.on("data", (chunk) => chunks.push(chunk));
    child.on("error", (error) =>
      reject(new StepError(`cannot start ${program}: ${error.message}`)),
    );
    child.on("close", (code, signal) => {
      if (code === 0) return resolve();
      const printed = Buffer.concat(chunks).toString().trimEnd();
      reject(
        new StepError(`${printed}\n${[program, ...args].join(" ")} ended with ${code ?? signal}`),
      );
    });
  });
}

/** Runs `main` and turns a failed step into its message and exit code 1. */
export async function runMain(main) {
  try {
    await main();
  } catch (error) {
    if (!(error instanceof StepError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  }
}
