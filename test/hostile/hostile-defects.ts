/** What the rows of attacks must tell: known ways to be hurt by one, in the compiled product. */
import type { RowDefect } from "../scoreboard-row.ts";

export const hostileDefects: readonly RowDefect[] = [];
