/** `brunt` compiled, as processes of its own under plain Node; types are checked elsewhere. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type ProcessText, readProcess } from "../processes/process-text.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

export interface BuiltBrunt {
  /** By default with a data directory of its own, so that it brings along nothing from others. */
  start(argv: readonly string[], dataDir?: string): BruntProcess;
  /** Ends what still runs and removes what was built. */
  remove(): Promise<void>;
}

export interface BruntProcess extends ProcessText {
  readonly child: ChildProcess;
  /** Every script the process has loaded, as URLs; Node's own begin with `node:`. */
  scripts(): Promise<readonly string[]>;
  /** SIGTERM; gives the exit code. */
  stop(): Promise<number | null>;
}

/** Compiles into a folder of its own below `dist/`, where Node finds the packages. */
export function buildBrunt(): BuiltBrunt {
  mkdirSync(join(root, "dist"), { recursive: true });
  const folder = mkdtempSync(join(root, "dist/test-"));
  const target = join(folder, "dist");
  const compiler = ["node_modules/typescript/bin/tsc", "-p", "tsconfig.build.json", "--noCheck"];
  execFileSync(process.execPath, [...compiler, "--outDir", target], { cwd: root });
  writeFileSync(join(folder, "package.json"), '{ "type": "module", "version": "0.0.0" }');
  const dataDir = mkdtempSync(join(tmpdir(), "brunt-built-"));
  const running: BruntProcess[] = [];
  return {
    start(argv, own = join(dataDir, String(running.length))) {
      const brunt = run([join(target, "cli/main.js"), ...argv, "--data-dir", own]);
      running.push(brunt);
      return brunt;
    },
    async remove() {
      for (const { child } of running) if (child.exitCode === null) child.kill("SIGKILL");
      rmSync(folder, { recursive: true });
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

/** Answers every message with the scripts that V8 knows by then; workers have other messages. */
const probe = `
import { Session } from "node:inspector";
import cluster from "node:cluster";
if (cluster.isPrimary) {
  process.on("message", () => {
    const session = new Session();
    const urls = [];
    session.connect();
    session.on("Debugger.scriptParsed", ({ params }) => urls.push(params.url));
    session.post("Debugger.enable", () => process.send(urls));
    session.disconnect();
  });
  process.channel?.unref();
}
`;

function run(argv: readonly string[]): BruntProcess {
  const preload = `data:text/javascript,${encodeURIComponent(probe)}`;
  const child = spawn(process.execPath, ["--import", preload, ...argv], {
    stdio: ["ignore", "pipe", "pipe", "ipc"],
  });
  const ended = once(child, "close").then(() => child.exitCode);
  return Object.assign(readProcess(child, ended), {
    child,
    async scripts() {
      child.send("scripts");
      const [urls] = await once(child, "message");
      return urls;
    },
    async stop() {
      child.kill("SIGTERM");
      return ended;
    },
  });
}
