/** The runner's end of the line to one process; the other end is line.ts. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import type { Log } from "../base/log.ts";

export interface ChildSettings {
  readonly name: string;
  /** The module to run. */
  readonly file: URL;
  /** Loaded before it. */
  readonly preload?: URL;
  readonly environment: Readonly<Record<string, string>>;
  readonly log: Log;
}

export interface Child {
  readonly name: string;
  readonly pid: number;
  /** What it listens on; 0 when it does not. */
  readonly port: number;
  ask<T>(name: string, value?: unknown): Promise<T>;
  /** Closes the line, upon which the process says farewell and ends. */
  stop(): Promise<void>;
  /** Ends the process as a crash would. */
  kill(): Promise<void>;
}

interface Told {
  readonly ready?: true;
  readonly port?: number;
  readonly id?: number;
  readonly value?: unknown;
  readonly problem?: string;
}

type Pending = Map<number, { resolve(value: unknown): void; reject(error: Error): void }>;

const startMs = 60_000;
const stopMs = 3000;

/** Starts a process and waits until it serves. */
export async function startChild(settings: ChildSettings): Promise<Child> {
  const child = spawnChild(settings);
  const pending: Pending = new Map();
  let leaving = false;
  child.on("exit", (code, signal) => {
    for (const { reject } of pending.values()) reject(new Error(`${settings.name} has ended`));
    pending.clear();
    if (leaving) return;
    settings.log.error("a process of the shop ended", {
      process: settings.name,
      how: String(code ?? signal),
    });
  });
  const port = await readyPort(child, settings.name);
  child.on("message", (told: Told) => settle(pending, told));
  const leave = async (start: () => void): Promise<void> => {
    leaving = true;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, "exit");
    start();
    const timer = setTimeout(() => child.kill("SIGKILL"), stopMs);
    await gone;
    clearTimeout(timer);
  };
  let lastId = 0;
  return {
    name: settings.name,
    pid: child.pid ?? 0,
    port,
    ask: <T>(name: string, value?: unknown) =>
      new Promise<T>((resolve, reject) => {
        const id = ++lastId;
        if (!child.connected) return reject(new Error(`${settings.name} has ended`));
        pending.set(id, { resolve: resolve as (value: unknown) => void, reject });
        child.send({ id, name, value });
      }),
    stop: () => leave(() => child.connected && child.disconnect()),
    kill: () => leave(() => child.kill("SIGKILL")),
  };
}

function spawnChild({ name, file, preload, environment, log }: ChildSettings): ChildProcess {
  const inherited = Object.entries(process.env).filter(
    ([key]) => !key.startsWith("OTEL_") && key !== "NODE_OPTIONS",
  );
  const child = fork(file, {
    execArgv: preload === undefined ? [] : ["--import", preload.href],
    env: { ...Object.fromEntries(inherited), ...environment },
    stdio: ["ignore", "ignore", "pipe", "ipc"],
  });
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    log.warn("a process of the shop complains", { process: name, text: text.trim() });
  });
  return child;
}

/** The port a new process tells; rejects, and ends the process, when it does not come up. */
function readyPort(child: ChildProcess, name: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const fail = (why: string): void => {
      clearTimeout(timer);
      child.kill("SIGKILL");
      reject(new Error(`${name} did not start: ${why}`));
    };
    const timer = setTimeout(() => fail(`not ready in ${startMs} ms`), startMs);
    const onExit = (code: number | null): void => fail(`ended with ${code}`);
    child.once("error", (error) => fail(error.message));
    child.once("exit", onExit);
    child.once("message", (told: Told) => {
      clearTimeout(timer);
      child.off("exit", onExit);
      resolve(told.port ?? 0);
    });
  });
}

function settle(pending: Pending, { id, value, problem }: Told): void {
  const question = pending.get(id ?? 0);
  pending.delete(id ?? 0);
  if (problem === undefined) question?.resolve(value);
  else question?.reject(new Error(problem));
}
