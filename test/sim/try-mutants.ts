/** Runs the simulator on copies of the compiled product that have one known defect each. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { type SeededDefect, withDefect } from "../seeded-defect.ts";

export interface MutantOutcome {
  readonly name: string;
  readonly caught: boolean;
  /** Seeds run until it was caught, or all. */
  readonly seeds: number;
  /** The first thing that was wrong. */
  readonly says: string;
}

/** A defect that is not caught by so many seeds is not caught. */
const seedsMax = 50;
const atATime = 2;

/** Calls `onOutcome` as each is known; some are tried at a time. */
export async function tryMutants(
  mutants: readonly SeededDefect[],
  onOutcome: (outcome: MutantOutcome) => void,
): Promise<void> {
  const waiting = [...mutants];
  const tryNext = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const outcome = await withDefect(next, simulateIn);
      onOutcome({ name: next.name, ...outcome });
    }
  };
  await Promise.all(Array.from({ length: atATime }, tryNext));
}

/** @throws Error when the simulator of that copy does not come to an end */
function simulateIn(root: string): Promise<Omit<MutantOutcome, "name">> {
  const main = join(root, "dist", "test", "sim", "main.js");
  const args = [main, "--seeds", String(seedsMax), "--threads", "1", "--until-violation"];
  return new Promise((resolve, reject) => {
    execFile(process.execPath, args, (_, stdout, stderr) => {
      if (!stdout.startsWith("{")) {
        reject(new Error(`the simulator does not run: ${stderr}`));
        return;
      }
      const row = JSON.parse(stdout) as { n: number; value: { violated: number } };
      const says = stderr.split("\n")[1]?.trim() ?? "";
      resolve({ caught: row.value.violated > 0, seeds: row.n, says });
    });
  });
}
