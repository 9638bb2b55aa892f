/**
 * Fields that Kubernetes does not know. Its schemas allow any, so a misspelt one passes them and is
 * dropped in silence; the same project's type declarations do not, and the compiler reads those.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { apiTypeOf, type Manifest } from "./manifests.ts";

const require = createRequire(import.meta.url);
const typescript = dirname(require.resolve("typescript/package.json"));
/** Below node_modules, where the declarations are found and nothing is committed. */
const cache = join(dirname(typescript), ".cache");

/** The compiler's complaints about the manifests as literals of their types. */
export function unknownFields(manifests: readonly Manifest[]): string[] {
  mkdirSync(cache, { recursive: true });
  const directory = mkdtempSync(join(cache, "brunt-manifests-"));
  try {
    writeFileSync(join(directory, "manifests.ts"), manifests.map(literalOf).join("\n"));
    writeFileSync(join(directory, "package.json"), `{"type":"module"}`);
    writeFileSync(join(directory, "tsconfig.json"), JSON.stringify(compilerConfig));
    return complaintsOf(directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

const compilerConfig = {
  compilerOptions: {
    noEmit: true,
    strict: true,
    skipLibCheck: true,
    module: "nodenext",
    lib: ["es2023"],
    types: [],
  },
  files: ["manifests.ts"],
};

function literalOf(manifest: Manifest, index: number): string {
  const module = apiTypeOf(manifest)?.module ?? "";
  const literal = JSON.stringify(manifest, undefined, 1);
  return `import type { I${manifest.kind} as T${index} } from "${module}";\n(${literal}) satisfies T${index};`;
}

function complaintsOf(directory: string): string[] {
  try {
    execFileSync(process.execPath, [join(typescript, "bin/tsc"), "-p", directory], {
      stdio: "pipe",
    });
    return [];
  } catch (error) {
    return String((error as { stdout?: unknown }).stdout)
      .split("\n")
      .filter((line) => line.includes("error"));
  }
}
