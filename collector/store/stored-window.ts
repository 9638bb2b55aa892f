/** A stored window, put together from the records of its file that are sound. */
import type { IncidentEvent } from "../decide.ts";
import { ContentsReader, type WindowContents } from "./contents.ts";
import {
  parseEvents,
  parseTable,
  recordsBesideBlocks,
  type SegmentMeta,
  type SegmentRecord,
} from "./segment-file.ts";

export interface StoredWindow {
  readonly meta: SegmentMeta;
  readonly events: readonly IncidentEvent[];
  readonly contents: WindowContents;
  /** Blocks that are damaged. */
  readonly lost: number;
}

export function assembleWindow(
  meta: SegmentMeta,
  records: readonly SegmentRecord[],
): { readonly window: StoredWindow; readonly missing: number } {
  const contents = new ContentsReader(meta.summary.windowStartMs);
  let events: readonly IncidentEvent[] = [];
  let blocks = 0;
  let expected = 0;
  for (const { kind, body } of records) {
    if (kind === "table") expected = parseTable(body).blocks.length;
    else if (kind === "events") events = parseEvents(body);
    else if (kind !== "meta" && contents.add(kind, body).ok) blocks++;
  }
  const lost = Math.max(0, expected - blocks);
  return {
    window: { meta, events, contents: contents.finish(), lost },
    missing: Math.max(0, expected + recordsBesideBlocks - records.length),
  };
}
