/** Our log on stderr: one readable line for a person at a terminal, JSON for everything else. */
import type { Clock } from "../../base/clock.ts";
import { createLog, type Log, type LogFields } from "../../base/log.ts";
import { formatTime } from "./format.ts";
import { printable, type Terminal } from "./terminal.ts";

export function createTerminalLog(terminal: Terminal, clock: Clock): Log {
  if (!terminal.isTty) return createLog((line) => terminal.write(`${line}\n`), clock);
  const { dim, yellow, red } = terminal.style;
  const write = (level: string, message: string, fields: LogFields = {}): void => {
    const rest = Object.entries(fields).map(([name, value]) => `${name}=${value}`);
    const tail = rest.length === 0 ? "" : dim(` ${printable(rest.join(" "))}`);
    terminal.write(`${dim(formatTime(clock.nowMs()))} ${level}${printable(message)}${tail}\n`);
  };
  return {
    info: (message, fields) => write("", message, fields),
    warn: (message, fields) => write(yellow("warning: "), message, fields),
    error: (message, fields) => write(red("error: "), message, fields),
  };
}
