/** Where the program's own files lie: it runs from `dist/cli`, and in tests from `cli`. */
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const isSource = import.meta.url.endsWith(".ts");

/** The built user interface. */
export const uiDirectory = fileURLToPath(
  new URL(isSource ? "../dist/ui" : "../ui", import.meta.url),
);

export function readVersion(): string {
  const path = new URL(isSource ? "../package.json" : "../../package.json", import.meta.url);
  return (JSON.parse(readFileSync(path, "utf8")) as { version: string }).version;
}

/** How this very program is called again: by the launcher of a clone, or by its name. */
export const commandName = existsSync(
  new URL(isSource ? "../scripts/run.mjs" : "../../scripts/run.mjs", import.meta.url),
)
  ? "./brunt"
  : "brunt";
