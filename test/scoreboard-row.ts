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

/** Runs the rows asked for, or all: one JSON line each; the exit code is 1 when one fails. */
export async function runRows(
  rows: Readonly<Record<string, () => Promise<Row>>>,
  asked: readonly string[],
): Promise<void> {
  for (const [name, run] of Object.entries(rows)) {
    if (asked.length > 0 && !asked.includes(name)) continue;
    const row = await run();
    process.stdout.write(`${JSON.stringify(row)}\n`);
    if (!row.pass) process.exitCode = 1;
  }
}
