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
