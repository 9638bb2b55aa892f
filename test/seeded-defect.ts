/**
 * Puts known defects into copies of the compiled product, to see whether a check tells: one that
 * passes whatever is broken checks nothing.
 */
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** Text of a compiled file that stands there exactly once, and what stands there instead. */
export interface Patch {
  /** Below `dist/`, such as `agent/spool/spool.js`. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

export interface SeededDefect {
  readonly name: string;
  readonly patches: readonly Patch[];
}

const root = fileURLToPath(new URL("../..", import.meta.url));

/**
 * Calls `use` with the folder of a copy that has the defect, laid out as a clone that is built.
 * @throws Error when a text to be replaced does not stand there exactly once
 */
export async function withDefect<T>(
  { patches }: SeededDefect,
  use: (root: string) => Promise<T>,
): Promise<T> {
  const copy = mkdtempSync(join(tmpdir(), "brunt-defect-"));
  try {
    cpSync(join(root, "dist"), join(copy, "dist"), {
      recursive: true,
      filter: (path) => path !== join(root, "dist", "node"),
    });
    for (const name of ["node_modules", "package.json"]) {
      symlinkSync(join(root, name), join(copy, name));
    }
    for (const patch of patches) apply(join(copy, "dist"), patch);
    return await use(copy);
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

function apply(dist: string, { file, find, replace }: Patch): void {
  const path = join(dist, file);
  const parts = readFileSync(path, "utf8").split(find);
  if (parts.length !== 2) {
    throw new Error(`${file} has ${parts.length - 1} times, not once: ${find}`);
  }
  writeFileSync(path, parts.join(replace));
}
