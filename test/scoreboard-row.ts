/** One line of the scoreboard: what was done to the product, and what came of it. */
export interface Row {
  /** R for faults, D for attacks. */
  readonly row: `${"R" | "D"}${number}`;
  /** Inputs, faults or messages tried. */
  readonly n: number;
  readonly value: Readonly<Record<string, number>>;
  readonly limit: Readonly<Record<string, number>>;
  readonly pass: boolean;
}

/** Passes when no value exceeds its limit; a limit without a value is a fault. */
export function rowOf(row: Omit<Row, "pass">): Row {
  const pass = Object.entries(row.limit).every(
    ([name, limit]) => (row.value[name] ?? NaN) <= limit,
  );
  return { ...row, pass };
}

/** `ci` takes counts that fit a check of every commit. */
export type Size = "ci" | "whole";

/** Gives undefined when this machine cannot do it, which has then been said. */
export type RunRow = (size: Size) => Promise<Row | undefined>;

/**
 * Runs the rows that the arguments name, or all; `--ci` makes them short. One JSON line each; the
 * exit code is 1 when one fails.
 */
export async function runRows(
  rows: Readonly<Record<string, RunRow>>,
  argv: readonly string[],
): Promise<void> {
  const asked = argv.filter((argument) => argument !== "--ci");
  const size: Size = argv.includes("--ci") ? "ci" : "whole";
  for (const [name, run] of Object.entries(rows)) {
    if (asked.length > 0 && !asked.includes(name)) continue;
    const row = await run(size);
    if (row === undefined) continue;
    process.stdout.write(`${JSON.stringify(row)}\n`);
    if (!row.pass) process.exitCode = 1;
  }
}
