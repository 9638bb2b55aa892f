/** Structured logging: one JSON object a line, written by whoever owns the output. */
import type { Clock } from "./clock.ts";

export type LogFields = Readonly<Record<string, string | number | boolean>>;

export interface Log {
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

export function createLog(writeLine: (line: string) => void, clock: Clock): Log {
  const write = (level: string, message: string, fields: LogFields = {}): void =>
    writeLine(
      JSON.stringify({ time: new Date(clock.nowMs()).toISOString(), level, message, ...fields }),
    );
  return {
    info: (message, fields) => write("info", message, fields),
    warn: (message, fields) => write("warn", message, fields),
    error: (message, fields) => write("error", message, fields),
  };
}

export const silentLog: Log = { info() {}, warn() {}, error() {} };
