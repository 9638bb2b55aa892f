/** `brunt` compiled, as a process of its own that is watched, killed and started again. */
import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type ProcessText, readProcess } from "./process-text.ts";

export interface BruntProcess extends ProcessText {
  readonly child: ChildProcess;
  readonly pid: number;
  /** Resident memory now. */
  rssBytes(): number;
  /** Resolves when it has ended. */
  kill(signal: "SIGKILL" | "SIGTERM"): Promise<void>;
  /** Its exit code once it ends; undefined when a signal ended it. */
  readonly ended: Promise<number | undefined>;
}

export interface BruntOptions {
  readonly environment?: Readonly<Record<string, string>>;
  /** Before the program. */
  readonly nodeOptions?: readonly string[];
  /** In place of Node: what starts it, such as `ip netns exec`. */
  readonly wrapper?: readonly string[];
  /** A compiled program of the tests, in place of `brunt`. */
  readonly program?: string;
}

/** Whatever happens to this program, none of its processes stays behind. */
const running = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

const main = fileURLToPath(new URL("../../cli/main.js", import.meta.url));
const bytesPerPage = 4_096;

export function startBrunt(argv: readonly string[], options: BruntOptions = {}): BruntProcess {
  const { environment = {}, nodeOptions = [], wrapper = [], program = main } = options;
  const line = [...wrapper, process.execPath, ...nodeOptions, program, ...argv];
  const child = spawn(line[0] as string, line.slice(1), {
    env: { ...process.env, ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  running.add(child);
  const ended = new Promise<number | undefined>((resolve) => {
    child.once("close", (code) => {
      running.delete(child);
      resolve(code ?? undefined);
    });
  });
  return Object.assign(readProcess(child, ended), {
    child,
    pid: child.pid as number,
    ended,
    rssBytes: () => rssOf(child.pid as number),
    async kill(signal: "SIGKILL" | "SIGTERM") {
      child.kill(signal);
      await ended;
    },
  });
}

/** The port a process says it listens on, by the field's name in its log. */
export async function portOf(brunt: BruntProcess, field: string): Promise<number> {
  return Number((await brunt.says(new RegExp(`"${field}":(\\d+)`)))[1]);
}

function rssOf(pid: number): number {
  const pages = readFileSync(`/proc/${pid}/statm`, "utf8").split(" ")[1];
  return Number(pages) * bytesPerPage;
}
