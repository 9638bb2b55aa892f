/** Compiles the shop, whose processes run under plain Node; types are checked elsewhere. */
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
const target = "dist/test-demo";

/** The URL of the compiled `demo/shop.ts`. */
export function buildDemo(): string {
  execFileSync(
    process.execPath,
    [
      "node_modules/typescript/bin/tsc",
      ...["-p", "tsconfig.build.json", "--noCheck", "--outDir", target],
    ],
    { cwd: root },
  );
  return new URL(`../../${target}/demo/shop.js`, import.meta.url).href;
}
