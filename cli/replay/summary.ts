/** What a replay saw, told at its end. */
import type { IncidentDetail } from "../../wire/api-types.ts";
import { spansDecided, type WindowRecord } from "../demo/window-record.ts";
import {
  formatCount,
  formatDateTime,
  formatDurationMs,
  formatNoun,
  formatShare,
} from "../terminal/format.ts";
import { newestFirst } from "../terminal/order-incidents.ts";
import { type Canvas, renderIncident } from "../terminal/render-incident.ts";
import { printable } from "../terminal/terminal.ts";

export interface ReplayTotals {
  readonly fileCount: number;
  /** In the files. */
  readonly spans: number;
  readonly firstMs: number;
  readonly lastMs: number;
  readonly tookMs: number;
}

const edgesShownMax = 10;

export function renderSummary(record: WindowRecord, totals: ReplayTotals, canvas: Canvas): string {
  const { bold, cyan } = canvas.style;
  const seconds = Math.max(totals.tookMs, 1) / 1000;
  const label = (text: string): string => cyan(text.padEnd(11));
  const incidents = newestFirst(record.decider.incidents()).reverse();
  const head = [
    `${bold(
      `replayed ${formatNoun(totals.spans, "span")} of ${formatNoun(totals.fileCount, "file")}`,
    )} in ${formatDurationMs(totals.tookMs)} (${formatCount(totals.spans / seconds)} spans/s)`,
    `  ${label("event time")}${formatDateTime(totals.firstMs)} to ${formatDateTime(totals.lastMs)}`,
    `  ${label("decided")}${decidedText(record, totals)}`,
    `  ${label("keys")}${formatCount(record.keysMost)} in the fullest window`,
    `  ${label("incidents")}${incidents.length === 0 ? "none" : formatCount(incidents.length)}`,
  ];
  return [
    ...head,
    "",
    ...incidents.map((one) => incidentText(one, canvas)),
    ...edgeLines(record, canvas),
    "",
  ].join("\n");
}

/** Spans that are in no decided window are named, never passed over. */
function decidedText(record: WindowRecord, totals: ReplayTotals): string {
  const decided = spansDecided(record);
  const text = `${formatNoun(decided, "span")} in ${formatNoun(record.spans.size, "window")}`;
  const missing = totals.spans - decided;
  return missing === 0 ? text : `${text}; ${formatNoun(missing, "span")} refused as invalid`;
}

function incidentText(incident: IncidentDetail, canvas: Canvas): string {
  const moment = incident.status === "firing" ? "firing" : "resolved";
  return renderIncident({ incident, moment, hops: incident.graph.hops }, canvas);
}

function edgeLines(record: WindowRecord, { style }: Canvas): string[] {
  const calls = record.calls();
  if (calls.length === 0) return ["  no calls between services were seen"];
  const shown = calls.slice(0, edgesShownMax);
  const names = shown.map(({ caller, callee }) => `${printable(caller)} → ${printable(callee)}`);
  const counts = shown.map(({ count }) => formatCount(count));
  const width = widest(names);
  const countWidth = widest(counts);
  const title =
    calls.length > shown.length ? `busiest ${shown.length} of ${calls.length} edges` : "edges";
  return [
    `  ${style.bold(title)}`,
    ...shown.map(({ count, errors }, row) => {
      const name = (names[row] ?? "").padEnd(width);
      const calls = `${(counts[row] ?? "").padStart(countWidth)} calls`;
      return `  ${name}  ${style.dim(`${calls} · ${formatShare(errors / count)} failed`)}`;
    }),
  ];
}

function widest(texts: readonly string[]): number {
  return Math.max(...texts.map((text) => text.length));
}
