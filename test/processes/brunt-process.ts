/** `brunt` compiled, as a process of its own that is watched, killed and started again. */
import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

export interface BruntProcess {
  readonly child: ChildProcess;
  readonly pid: number;
  /** What it has printed and logged so far, or the end of it. */
  readonly text: string;
  /** Resolves with the first match in what it prints; rejects when it ends before. */
  says(pattern: RegExp): Promise<RegExpExecArray>;
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
const textMax = 2 ** 20;
const bytesPerPage = 4_096;

export function startBrunt(argv: readonly string[], options: BruntOptions = {}): BruntProcess {
  const { environment = {}, nodeOptions = [], wrapper = [], program = main } = options;
  const line = [...wrapper, process.execPath, ...nodeOptions, program, ...argv];
  const child = spawn(line[0] as string, line.slice(1), {
    env: { ...process.env, ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  running.add(child);
  let text = "";
  const listeners = new Set<() => void>();
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (chunk: string) => {
      text = (text + chunk).slice(-textMax);
      for (const listener of [...listeners]) listener();
    });
  }
  const ended = new Promise<number | undefined>((resolve) => {
    child.once("close", (code) => {
      running.delete(child);
      resolve(code ?? undefined);
    });
  });
  return {
    child,
    pid: child.pid as number,
    ended,
    get text() {
      return text;
    },
    says: (pattern) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const match = pattern.exec(text);
          if (match === null) return;
          listeners.delete(look);
          resolve(match);
        };
        listeners.add(look);
        void ended.then(() => reject(new Error(`it ended before it said ${pattern}: ${text}`)));
        look();
      }),
    rssBytes: () => rssOf(child.pid as number),
    async kill(signal) {
      child.kill(signal);
      await ended;
    },
  };
}

/** The port a process says it listens on, by the field's name in its log. */
export async function portOf(brunt: BruntProcess, field: string): Promise<number> {
  return Number((await brunt.says(new RegExp(`"${field}":(\\d+)`)))[1]);
}

function rssOf(pid: number): number {
  const pages = readFileSync(`/proc/${pid}/statm`, "utf8").split(" ")[1];
  return Number(pages) * bytesPerPage;
}
