/** A system whose terminals are memory: what a command prints is there to be read. */
import { createPrng } from "../../base/prng.ts";
import { nodeDisk } from "../../cli/node-disk.ts";
import { type System, systemClock } from "../../cli/system.ts";
import { plainStyle, type Terminal } from "../../cli/terminal/terminal.ts";

export interface MemorySystem extends System {
  /** What was written to stdout and to stderr so far. */
  readonly out: () => string;
  readonly err: () => string;
  /** What SIGINT does. */
  interrupt(): void;
}

export function createMemorySystem(
  environment: Readonly<Record<string, string>> = {},
): MemorySystem {
  const prng = createPrng(7);
  const stop = new AbortController();
  const stdout = createMemoryTerminal();
  const stderr = createMemoryTerminal();
  return {
    clock: systemClock,
    disk: nodeDisk,
    stdout,
    stderr,
    environment,
    stop: stop.signal,
    randomBytes: (size) => Uint8Array.from({ length: size }, () => prng.integer(256)),
    out: stdout.text,
    err: stderr.text,
    interrupt: () => stop.abort(),
  };
}

export function createMemoryTerminal(): Terminal & { text(): string } {
  let written = "";
  return {
    write(text) {
      written += text;
    },
    columns: 100,
    isTty: false,
    style: plainStyle,
    text: () => written,
  };
}
