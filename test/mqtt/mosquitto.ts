/** Debian's Mosquitto as a process of its own: started, ended, killed, started again. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "../processes/wait.ts";

const program = "/usr/sbin/mosquitto";
const startMsMax = 15_000;

export const hasMosquitto = existsSync(program);
if (!hasMosquitto) process.stderr.write("· no mosquitto here: tests with it are skipped\n");

export interface MosquittoOptions {
  /** Whether it saves sessions, and what waits in them, to disk. */
  readonly persistence?: boolean;
  /** More lines of its configuration; `listener` is not among them. */
  readonly lines?: readonly string[];
}

export interface Mosquitto {
  readonly port: number;
  /** What it has logged. */
  readonly log: string;
  /** Starts it as it was, or from now on with or without persistence. */
  start(persistence?: boolean): Promise<void>;
  end(signal: "SIGTERM" | "SIGKILL"): Promise<void>;
  /** Ends it and removes what it kept. */
  remove(): Promise<void>;
}

/** One that is not started yet. */
export async function createMosquitto(options: MosquittoOptions = {}): Promise<Mosquitto> {
  const { lines = [] } = options;
  const folder = mkdtempSync(join(tmpdir(), "brunt-mosquitto-"));
  const port = await freePort();
  const config = join(folder, "mosquitto.conf");
  const ownLines = [
    `listener ${port} 127.0.0.1`,
    // It would become a user that may not read what we wrote.
    ...(process.getuid?.() === 0 ? ["user root"] : []),
    ...(lines.some((line) => /^(allow_anonymous|require_certificate)/.test(line))
      ? []
      : ["allow_anonymous true"]),
    "log_dest stderr",
    `persistence_location ${folder}/`,
  ];
  let isPersistent = options.persistence ?? false;
  let child: ChildProcess | undefined;
  let log = "";
  const end = async (signal: "SIGTERM" | "SIGKILL"): Promise<void> => {
    const ending = child;
    child = undefined;
    if (ending === undefined) return;
    const closed = new Promise((resolve) => ending.once("close", resolve));
    if (ending.exitCode === null && ending.signalCode === null) {
      ending.kill(signal);
      await closed;
    }
  };
  return {
    port,
    get log() {
      return log;
    },
    async start(persistence = isPersistent) {
      isPersistent = persistence;
      const text = [...ownLines, `persistence ${persistence}`, ...lines, ""].join("\n");
      writeFileSync(config, text);
      const started = spawn(program, ["-c", config], { stdio: ["ignore", "ignore", "pipe"] });
      child = started;
      started.stderr.setEncoding("utf8").on("data", (text: string) => {
        log += text;
      });
      await until(
        `mosquitto on ${port}`,
        () => {
          if (started.exitCode !== null) throw new Error(`mosquitto ended: ${log}`);
          return answers(port);
        },
        { withinMs: startMsMax },
      );
    },
    end,
    async remove() {
      await end("SIGKILL");
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
