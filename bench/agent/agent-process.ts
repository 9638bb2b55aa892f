/** `brunt agent` as a process of its own, as users start it, with a probe inside. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Usage } from "./probe.ts";

export interface AgentProcess {
  readonly ports: { readonly http: number; readonly grpc: number };
  /** From the start of the process until it said that it is up. */
  readonly readyMs: number;
  usage(): Promise<Usage>;
  /** Ends it as a service manager would; it sends what it has first. */
  stop(): Promise<void>;
}

export interface AgentProcessOptions {
  readonly collectorUrl: string;
  /** Fields of its configuration, as BRUNT_AGENT_… variables. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Before the program; for a profiler. */
  readonly nodeOptions?: readonly string[];
  /** False leaves the probe out, for the time it takes to start. */
  readonly probed?: boolean;
}

const main = fileURLToPath(new URL("../../cli/main.js", import.meta.url));
const probe = new URL("./probe.js", import.meta.url).href;
/** As the DaemonSet starts it; see deploy/kubernetes/agent.yaml. */
const daemonSetOptions = [
  "--semi-space-growth-factor=1",
  "--no-parallel-scavenge",
  "--no-concurrent-marking",
  "--no-concurrent-array-buffer-sweeping",
];
const startMsMax = 10_000;

export async function startAgentProcess(options: AgentProcessOptions): Promise<AgentProcess> {
  const { collectorUrl, environment = {}, nodeOptions = [], probed = true } = options;
  const dataDir = mkdtempSync(join(tmpdir(), "brunt-bench-"));
  const startMs = performance.now();
  const child = spawn(
    process.execPath,
    [
      ...daemonSetOptions,
      ...nodeOptions,
      ...(probed ? ["--import", probe] : []),
      ...[main, "agent", "--collector", collectorUrl, "--data-dir", dataDir],
      ...["--grpc-port", "0", "--http-port", "0"],
    ],
    {
      env: { ...process.env, ...environment },
      stdio: ["ignore", "pipe", "pipe", ...(probed ? (["ipc"] as const) : [])],
    },
  );
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  const ports = await untilUp(child);
  const readyMs = performance.now() - startMs;
  return {
    ports,
    readyMs,
    usage: () => ask(child),
    async stop() {
      child.kill("SIGTERM");
      await ended;
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

/** Its ports, from the line of its log, once it has said on stdout that it is up. */
function untilUp(child: ChildProcess): Promise<{ http: number; grpc: number }> {
  let log = "";
  let said = "";
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`the agent is not up: ${log}`)), startMsMax);
    const look = (): void => {
      const http = /"httpPort":(\d+)/.exec(log)?.[1];
      const grpc = /"grpcPort":(\d+)/.exec(log)?.[1];
      if (!said.includes("agent is up") || http === undefined || grpc === undefined) return;
      clearTimeout(timer);
      resolve({ http: Number(http), grpc: Number(grpc) });
    };
    child.stdout?.on("data", (chunk: Buffer) => {
      said += chunk.toString();
      look();
    });
    child.stderr?.on("data", (chunk: Buffer) => {
      log += chunk.toString();
      look();
    });
    child.once("close", (code) => {
      clearTimeout(timer);
      reject(new Error(`the agent ended with ${code}: ${log}`));
    });
  });
}

function ask(child: ChildProcess): Promise<Usage> {
  return new Promise((resolve, reject) => {
    const lost = (): void => reject(new Error("the agent has ended"));
    child.once("close", lost);
    child.once("message", (usage) => {
      child.off("close", lost);
      resolve(usage as Usage);
    });
    child.send("usage");
  });
}
