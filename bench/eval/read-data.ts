/** Files of a data set, plain or gzipped. */
import { existsSync, readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";

/** @throws Error when there is neither the file nor the file with `.gz` behind it */
export function readBytes(path: string): Uint8Array {
  if (path.endsWith(".gz")) return gunzipSync(readFileSync(path));
  return existsSync(path) ? readFileSync(path) : gunzipSync(readFileSync(`${path}.gz`));
}

export function readText(path: string): string {
  return new TextDecoder().decode(readBytes(path));
}

export function readJson<T>(path: string): T {
  return JSON.parse(readText(path)) as T;
}

/** Rows of a CSV without quotes, by the names of its first line. */
export function readCsv(path: string): Record<string, string>[] {
  const [head = "", ...lines] = readText(path).trim().split(/\r?\n/);
  const names = head.split(",");
  return lines.map((line) => {
    const cells = line.split(",");
    return Object.fromEntries(names.map((name, at) => [name, cells[at] ?? ""]));
  });
}
