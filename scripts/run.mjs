/** `brunt` from a clone: installs and builds what is missing, then becomes the command itself. */
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { ensureBuilt, ensureInstalled } from "./setup.mjs";
import { root, runMain } from "./steps.mjs";

await runMain(async () => {
  await ensureInstalled();
  await ensureBuilt();
  const main = join(root, "dist/cli/main.js");
  // In this very process, so that signals and the exit code need no passing on.
  process.argv[1] = main;
  await import(pathToFileURL(main).href);
});
