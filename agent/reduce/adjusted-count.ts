/**
 * How many spans a sampled span stands for: `ot=th:<hex>` in its trace state is the rejection
 * threshold T, and the count is 2^56 / (2^56 - T). Counts are integers of `unit`, so that sums are
 * exact in any order. Source: OpenTelemetry, TraceState probability sampling.
 */
import { adjustedUnit } from "../../sketch/cell.ts";
import { utf8Of } from "../../wire/any-value.ts";
import { type TraceTable, traceStateRange } from "../../wire/trace-table.ts";

const thresholdDigits = 14;
const countMax = 2 ** 20;

/** Of the span at `span` in the table's columns, in `adjustedUnit`. */
export function adjustedCountOf({ spans, bytes }: TraceTable, span: number): number {
  const start = spans[span + traceStateRange] as number;
  const end = spans[span + traceStateRange + 1] as number;
  return start === end ? adjustedUnit : adjustedCount(utf8Of(bytes, start, end), adjustedUnit);
}

/** Without a threshold, or with one that is malformed, a span stands for itself. */
export function adjustedCount(traceState: string, unit: number): number {
  const digits = thresholdOf(traceState);
  if (digits === "") return unit;
  const rejected = Number.parseInt(digits.padEnd(thresholdDigits, "0"), 16) / 2 ** 56;
  return Math.round(Math.min(countMax, 1 / (1 - rejected)) * unit);
}

function thresholdOf(traceState: string): string {
  const member = /(?:^|,)[ \t]*ot=([^,]*)/.exec(traceState)?.[1] ?? "";
  return /(?:^|;)th:([0-9a-f]{1,14})[ \t]*(?:;|$)/.exec(member)?.[1] ?? "";
}
