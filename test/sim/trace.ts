/** What a single seed tells as it is replayed: one line for each thing that happens. */
import type { Log, LogFields } from "../../base/log.ts";
import { silentLog } from "../../base/log.ts";
import { decodeSketchBatch } from "../../wire/sketch-batch.ts";
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

/** A record in a line. */
export function describe(bytes: Uint8Array): string {
  const decoded = decodeSketchBatch(bytes);
  if (!decoded.ok) return decoded.error.message;
  const record = decoded.value;
  const { agent, kind, streamId, seq, streamSpans, watermarkMs } = record;
  const stream = streamId.slice(0, 6);
  const names = `${kind} ${seq} of stream ${stream}, ${agent}, ${streamSpans} spans so far`;
  const upTo = `up to ${watermarkMs}`;
  switch (record.kind) {
    case "window": {
      const { cube, counts } = record;
      return `${names}, ${upTo}: ${counts.spans} spans of ${cube.windowStartMs}`;
    }
    case "tombstone": {
      const lost = record.lost.map((each) => `${each.seq} (${each.spans} spans)`);
      return `${names}, ${upTo}: ${record.cause} ${lost.join(", ")}`;
    }
    case "gap":
      return `${names}, ${upTo}: from ${record.gapFromMs} to ${record.gapToMs}`;
    case "heartbeat":
      return `${names}, ${upTo}: holds from ${record.oldestSeq}`;
  }
}
