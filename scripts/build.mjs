/** Installs packages and builds `dist/` and `dist/ui`, each only when something has changed. */
import { ensureBuilt, ensureInstalled } from "./setup.mjs";
import { runMain } from "./steps.mjs";

await runMain(async () => {
  await ensureInstalled();
  await ensureBuilt();
});
