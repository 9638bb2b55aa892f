/** Ids of a span and of what it links to, from the request's bytes to the memory of spans. */
import {
  firstLink,
  linkWords,
  parentIdAt,
  spanIdAt,
  spanWords,
  type TraceTable,
  traceIdAt,
} from "../../wire/trace-table.ts";
import type { RememberedSpan } from "../pairing/remembered-span.ts";
import type { SpanSink } from "../pairing/span-sink.ts";
import { traceHash } from "../pairing/trace-hash.ts";

/** A consumer that links to more messages is paired with the first ones. */
const linksPerSpanMax = 128;

export function readIds(table: TraceTable, span: number, row: RememberedSpan): void {
  const { spans, view } = table;
  const spanId = spans[span + spanIdAt] as number;
  const parentId = spans[span + parentIdAt] as number;
  row.idHigh = view.getInt32(spanId);
  row.idLow = view.getInt32(spanId + 4);
  row.parentHigh = parentId === 0 ? 0 : view.getInt32(parentId);
  row.parentLow = parentId === 0 ? 0 : view.getInt32(parentId + 4);
  row.trace = hashAt(view, spans[span + traceIdAt] as number);
}

/** Gives the newest span of the memory its links; gives how many are left out. */
export function linkSpan(table: TraceTable, span: number, memory: SpanSink): number {
  const { spans, links, view } = table;
  const first = spans[span + firstLink] as number;
  const linkCount = (spans[span + spanWords + firstLink] as number) - first;
  const count = Math.min(linkCount, linksPerSpanMax);
  let kept = 0;
  for (let at = first * linkWords; kept < count; kept++, at += linkWords) {
    const trace = hashAt(view, links[at] as number);
    const spanId = links[at + 1] as number;
    if (!memory.link(view.getInt32(spanId), view.getInt32(spanId + 4), trace)) break;
  }
  return linkCount - kept;
}

function hashAt(view: DataView, traceId: number): number {
  return traceHash(view.getInt32(traceId + 8), view.getInt32(traceId + 12));
}
