/** The world outside: clock, disk, terminals, environment, chance, signals. Made once, in main. */
import { randomBytes } from "node:crypto";
import type { Clock } from "../base/clock.ts";
import type { Disk } from "../base/disk.ts";
import { nodeDisk } from "./node-disk.ts";
import { createTerminal, type Terminal } from "./terminal/terminal.ts";

export interface System {
  readonly clock: Clock;
  readonly disk: Disk;
  readonly stdout: Terminal;
  readonly stderr: Terminal;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Aborts on the first SIGINT or SIGTERM. */
  readonly stop: AbortSignal;
  randomBytes(size: number): Uint8Array;
}

/** Exit codes of sysexits.h and of shells, as services and scripts expect them. */
export const exitCodes = { ok: 0, failure: 1, usage: 2, badConfig: 78, interrupted: 130 } as const;

// setTimeout counts in a signed 32-bit integer; beyond it a timer would fire at once.
const delayMsMax = 2 ** 31 - 1;

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  after(delayMs, run) {
    const timer = setTimeout(run, Math.min(delayMs, delayMsMax));
    return () => clearTimeout(timer);
  },
};

export function createSystem(): System {
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => {
      // The second signal is from somebody who does not want to wait for the flush.
      if (stop.signal.aborted) process.exit(exitCodes.interrupted);
      stop.abort();
    });
  }
  // A reader that went away (`brunt watch | head`) is the end of the job, not a failure.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(exitCodes.ok);
    throw error;
  });
  return {
    clock: systemClock,
    disk: nodeDisk,
    stdout: createTerminal(process.stdout, process.env),
    stderr: createTerminal(process.stderr, process.env),
    environment: process.env,
    stop: stop.signal,
    randomBytes: (size) => new Uint8Array(randomBytes(size)),
  };
}

/** Numbers uniform in [0, 1), for the jitter of pauses. */
export function chanceOf({ randomBytes }: Pick<System, "randomBytes">): () => number {
  return () => {
    const bytes = randomBytes(4);
    return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0) / 2 ** 32;
  };
}

/** Resolves when `signal` aborts. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

/** Resolves after `delayMs`, or as soon as `signal` aborts. */
export function sleep(clock: Clock, delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const end = (): void => {
      cancel();
      signal.removeEventListener("abort", end);
      resolve();
    };
    const cancel = clock.after(delayMs, end);
    signal.addEventListener("abort", end, { once: true });
  });
}
