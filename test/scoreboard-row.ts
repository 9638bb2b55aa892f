/** What the programs of the scoreboard print, and the programs' common command line. */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { type SeededDefect, withDefect } from "./seeded-defect.ts";

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
  const pass = Object.keys(row.limit).every((name) => isKept(row, name));
  return { ...row, pass };
}

function isKept({ value, limit }: Omit<Row, "pass">, name: string): boolean {
  return (value[name] ?? NaN) <= (limit[name] ?? NaN);
}

/** `ci` takes counts that fit a check of every commit. */
export type Size = "ci" | "whole";

/** Gives undefined when this machine cannot do it, which has then been said. */
export type RunRow = (size: Size) => Promise<Row | undefined>;

/** A defect that a row must tell, by a value above its limit; or because there is no row at all. */
export interface RowDefect extends SeededDefect {
  readonly caughtBy: string;
}

/** What is caught by a program that ends without its line. */
export const noRow = "no row";

export interface Scoreboard {
  /** Of `dist/test/`, where the rows' program lies. */
  readonly folder: "chaos" | "hostile";
  readonly rows: Readonly<Record<string, ScoreboardRow>>;
}

export interface ScoreboardRow {
  readonly run: RunRow;
  readonly defects: readonly RowDefect[];
}

/**
 * Runs the rows that the arguments name, or all, one JSON line each; `--ci` makes them short, and
 * `--defects` tries their seeded defects, one line each, in place of the product. The exit code is
 * 1 when a row fails, or a defect is not caught.
 */
export async function runRows(
  { folder, rows }: Scoreboard,
  argv: readonly string[],
): Promise<void> {
  const asked = argv.filter((argument) => !argument.startsWith("--"));
  const size: Size = argv.includes("--ci") ? "ci" : "whole";
  for (const [name, { run, defects }] of Object.entries(rows)) {
    if (asked.length > 0 && !asked.includes(name)) continue;
    if (argv.includes("--defects")) {
      for (const defect of defects) await tryDefect(folder, name, defect);
      continue;
    }
    const row = await run(size);
    if (row !== undefined) print(row, row.pass);
  }
}

async function tryDefect(
  folder: Scoreboard["folder"],
  name: string,
  defect: RowDefect,
): Promise<void> {
  const { name: what, caughtBy } = defect;
  const out = await withDefect(defect, (root) => outputOf(root, folder, name));
  const line = out.split("\n").find((text) => text.startsWith('{"row"'));
  const row = line === undefined ? undefined : (JSON.parse(line) as Row);
  const caught = row === undefined ? caughtBy === noRow : !isKept(row, caughtBy);
  const figures = { value: row?.value[caughtBy], limit: row?.limit[caughtBy] };
  print({ row: name, defect: what, caughtBy, ...figures, caught }, caught);
}

function outputOf(root: string, folder: Scoreboard["folder"], name: string): Promise<string> {
  const program = join(root, "dist", "test", folder, "main.js");
  const child = spawn(process.execPath, [program, "--ci", name], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  let out = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    out += chunk;
  });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", () => resolve(out));
  });
}

function print(line: object, isWell: boolean): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
  if (!isWell) process.exitCode = 1;
}
