/**
 * Brings a clone to where it can run: packages installed from the lockfile, `dist/` compiled,
 * `dist/ui` built. Each part leaves a stamp, the fingerprint of what it was made from, and does
 * nothing while that still holds. Needs only Node and npm.
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { root, runQuietly, StepError, step } from "./steps.mjs";

const nodeMinimum = [20, 20, 2];
const nodeFolders = [
  "base",
  "sketch",
  "wire",
  "detectors",
  "dependency-graph",
  "agent",
  "collector",
  "cli",
  "demo",
  "bench",
  "test/chaos",
  "test/fuzz",
  "test/hostile",
  "test/processes",
  "test/sim",
  "test/wire",
];
const installStamp = "node_modules/.brunt-installed";
const nodeStamp = "dist/.stamp-node";
const uiStamp = "dist/.stamp-ui";

const at = (path) => join(root, path);
const readText = (path) => (existsSync(at(path)) ? readFileSync(at(path), "utf8") : "");

/** Installs packages when they are missing or package-lock.json has changed since. */
export async function ensureInstalled() {
  checkNode();
  const wanted = createHash("sha256").update(readText("package-lock.json")).digest("hex");
  if (readText(installStamp) === wanted) return;
  if (!isInstalledAsLocked()) await step("install packages", () => npm(["ci", "--no-progress"]));
  writeFileSync(at(installStamp), wanted);
}

/** Compiles to `dist/` and builds the user interface, each when its sources have changed. */
export async function ensureBuilt() {
  const sources = fingerprint([...nodeFolders, "tsconfig.json", "tsconfig.build.json"]);
  await rebuild(nodeStamp, sources, "compile", () =>
    runQuietly(process.execPath, [
      at("node_modules/typescript/bin/tsc"),
      "-p",
      "tsconfig.build.json",
    ]),
  );
  if (!existsSync(at("ui/vite.config.ts"))) return;
  await rebuild(uiStamp, fingerprint(["ui", "wire/api-types.ts"]), "build user interface", () =>
    runQuietly(process.execPath, [
      at("node_modules/vite/bin/vite.js"),
      "build",
      "ui",
      "--outDir",
      at("dist/ui"),
      "--emptyOutDir",
    ]),
  );
}

async function rebuild(stamp, sources, title, work) {
  const wanted = `${sources} ${readText(installStamp)}`;
  if (readText(stamp) === wanted) return;
  await step(title, work);
  mkdirSync(dirname(at(stamp)), { recursive: true });
  writeFileSync(at(stamp), wanted);
}

function checkNode() {
  const have = process.versions.node.split(".").map(Number);
  const first = nodeMinimum.findIndex((part, index) => part !== have[index]);
  if (first >= 0 && have[first] < nodeMinimum[first]) {
    throw new StepError(
      `node ${process.versions.node} is too old; brunt needs ${nodeMinimum.join(".")} or newer`,
    );
  }
}

/**
 * Whether npm's own record of what it installed agrees with the lockfile, so that a tree installed
 * by hand is not installed twice. Optional packages may be absent: they are bound to a platform.
 */
function isInstalledAsLocked() {
  const record = readText("node_modules/.package-lock.json");
  if (record === "") return false;
  const installed = JSON.parse(record).packages;
  const locked = Object.entries(JSON.parse(readText("package-lock.json")).packages);
  return locked.every(([path, entry]) => {
    const found = installed[path];
    return path === "" || (found === undefined ? entry.optional : found.version === entry.version);
  });
}

/** npm as it was called, or the one on the path. */
function npm(args) {
  const script = process.env.npm_execpath;
  return script?.endsWith(".js")
    ? runQuietly(process.execPath, [script, ...args])
    : runQuietly("npm", args);
}

/** Changes whenever a file below `paths` is added, removed or written. */
function fingerprint(paths) {
  const hash = createHash("sha256");
  for (const path of paths) addToHash(hash, path);
  return hash.digest("hex");
}

function addToHash(hash, path) {
  if (!existsSync(at(path))) return;
  const entry = statSync(at(path));
  if (!entry.isDirectory()) {
    hash.update(`${path} ${entry.size} ${entry.mtimeMs}\n`);
    return;
  }
  for (const name of readdirSync(at(path)).sort()) {
    if (name !== "node_modules") addToHash(hash, `${path}/${name}`);
  }
}
