/** One line of the scoreboard. */
export interface Row {
  readonly row: "D1" | "D2" | "D4" | "D5";
  /** Inputs tried. */
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
