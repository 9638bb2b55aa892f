/** What a single seed tells as it is replayed: one line for each thing that happens. */
import type { Log, LogFields } from "../../base/log.ts";
import { silentLog } from "../../base/log.ts";
import type { Scheduler } from "./scheduler.ts";

export type Trace = (nowMs: number, who: string, what: string) => void;

export function createTrace(startMs: number, write: (line: string) => void): Trace {
  return (nowMs, who, what) =>
    write(`${((nowMs - startMs) / 1_000).toFixed(4).padStart(10)}  ${who.padEnd(10)} ${what}`);
}

/** The log of a process, as part of the trace. */
export function createSimLog(trace: Trace | undefined, scheduler: Scheduler, who: string): Log {
  if (trace === undefined) return silentLog;
  const line =
    (level: string) =>
    (message: string, fields: LogFields = {}): void => {
      const says = Object.entries(fields).map(([name, value]) => `${name}=${value}`);
      trace(scheduler.nowMs, who, [`${level}: ${message}`, ...says].join(" "));
    };
  return { info: line("info"), warn: line("warn"), error: line("error") };
}
