/** What the rows of faults must tell: known ways to break a promise, in the compiled product. */
import type { RowDefect } from "../scoreboard-row.ts";

export const chaosDefects: readonly RowDefect[] = [];
