/** Puts tables into a page of docs/, each between its own pair of markers. */
import { readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { renderMarkdown, type Table } from "./table.ts";

/** @throws Error when the page has no place for one of the tables */
export function writeDocs(page: string, tables: readonly Table[]): void {
  let text = readFileSync(page, "utf8");
  for (const table of tables) {
    text = replaceBetween(text, table.area, `${renderMarkdown(table)}\n${machine()}\n`);
  }
  writeFileSync(page, text);
}

/** Replaces what stands between `<!-- bench:name -->` and `<!-- /bench:name -->`. */
function replaceBetween(text: string, name: string, content: string): string {
  const open = `<!-- bench:${name} -->`;
  const start = text.indexOf(open);
  const end = text.indexOf(`<!-- /bench:${name} -->`);
  if (start < 0 || end < start) throw new Error(`the page has no place for ${name}`);
  return `${text.slice(0, start + open.length)}\n\n${content}\n${text.slice(end)}`;
}

/** The machine as a class of machines. */
function machine(): string {
  const cores = cpus();
  const model = (cores[0]?.model ?? "unknown processor").replace(/ \d+-Core Processor.*$/, "");
  return `Measured on ${cores.length} cores, ${model.trim()}, Node ${process.version}.`;
}
