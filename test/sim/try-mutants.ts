/**
 * Puts one defect at a time into a copy of the compiled product and runs the simulator on it, in a
 * process of its own.
 */
import { execFile } from "node:child_process";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Mutant, Patch } from "./mutants.ts";

export interface MutantOutcome {
  readonly name: string;
  readonly caught: boolean;
  /** Seeds run until it was caught, or all. */
  readonly seeds: number;
  /** The first thing that was wrong. */
  readonly says: string;
}

/** A defect that is not caught by so many seeds is not caught. */
export const mutantSeeds = 50;

const compiled = fileURLToPath(new URL("../..", import.meta.url));
const folders = ["base", "sketch", "wire", "detectors", "dependency-graph", "agent", "collector"];
const timeoutMs = 120_000;

/** Tries `width` of them at a time. */
export async function tryMutants(
  mutants: readonly Mutant[],
  width: number,
): Promise<readonly MutantOutcome[]> {
  const outcomes: MutantOutcome[] = [];
  const waiting = [...mutants.entries()];
  const worker = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      outcomes[next[0]] = await tryMutant(next[1]);
    }
  };
  await Promise.all(Array.from({ length: width }, worker));
  return outcomes;
}

async function tryMutant({ name, patches }: Mutant): Promise<MutantOutcome> {
  // Beside the compiled code, so that Node finds the packages and that they are ES modules.
  const copy = await mkdtemp(join(compiled, "mutant-"));
  try {
    for (const folder of folders) {
      await cp(join(compiled, folder), join(copy, folder), { recursive: true });
    }
    await cp(join(compiled, "test/sim"), join(copy, "test/sim"), { recursive: true });
    await cp(join(compiled, "test/scoreboard-row.js"), join(copy, "test/scoreboard-row.js"));
    for (const patch of patches) await apply(copy, patch);
    return { name, ...(await run(copy)) };
  } finally {
    await rm(copy, { recursive: true });
  }
}

/** @throws Error when the text to be replaced is not there exactly once */
async function apply(folder: string, { file, find, replace }: Patch): Promise<void> {
  const path = join(folder, file);
  const parts = (await readFile(path, "utf8")).split(find);
  if (parts.length !== 2) {
    throw new Error(`${file} has ${parts.length - 1} times, not once: ${find}`);
  }
  await writeFile(path, parts.join(replace));
}

function run(folder: string): Promise<Omit<MutantOutcome, "name">> {
  const main = join(folder, "test/sim/main.js");
  const args = [main, "--seeds", String(mutantSeeds), "--threads", "1", "--until-violation"];
  return new Promise((resolve, reject) => {
    execFile(process.execPath, args, { timeout: timeoutMs }, (error, stdout, stderr) => {
      const line = stdout.trim();
      if (!line.startsWith("{")) {
        reject(new Error(`the simulator does not run: ${error?.message ?? ""} ${stderr}`));
        return;
      }
      const row = JSON.parse(line) as { n: number; value: { violated: number } };
      const says = stderr.split("\n")[1]?.trim() ?? "";
      resolve({ caught: row.value.violated > 0, seeds: row.n, says });
    });
  });
}
