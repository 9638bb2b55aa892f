/** Looks at a collector through its API: does it take batches, who is silent, its ledger. */
import type { LedgerReport, StreamLedger } from "../../wire/api-types.ts";
import { authorization } from "../client/api-client.ts";
import { formatDateTime, formatNoun, formatShare } from "../terminal/format.ts";
import type { Examination, Finding, SpanSum } from "./finding.ts";
import { type MetricsText, parseMetrics } from "./prometheus-text.ts";
import { readText } from "./read-text.ts";

export interface CollectorAddress {
  readonly url: string;
  readonly token: string | undefined;
}

export interface CollectorExamination extends Examination {
  readonly ledger: LedgerReport | undefined;
}

/** Below this share of the usual traffic the collector ends no incident. */
const coverageMin = 0.95;
/** After this an agent is not expected any more, so what it has not sent will not come. */
const awaitedMs = 600_000;
const streamsShownMax = 10;

export async function examineCollector(
  { url, token }: CollectorAddress,
  { stop, nowMs }: { readonly stop: AbortSignal; readonly nowMs: number },
): Promise<CollectorExamination> {
  const read = (path: string) => readText(`${url}${path}`, { stop, headers: authorization(token) });
  const ready = await read("/readyz");
  if (ready.status !== 200) {
    const detail =
      ready.status === 0 ? `does not answer at ${url}: ${ready.says}` : `not ready: ${ready.says}`;
    return { findings: [finding("collector", "wrong", detail)], sums: [], ledger: undefined };
  }
  const [metrics, ledger] = await Promise.all([read("/metrics"), read("/api/v1/ledger")]);
  const refused = [metrics, ledger].find(({ status }) => status !== 200);
  if (refused !== undefined) {
    const detail = `takes batches at ${url}, but does not tell: ${refused.says}`;
    return { findings: [finding("collector", "wrong", detail)], sums: [], ledger: undefined };
  }
  const report = JSON.parse(ledger.text) as LedgerReport;
  const figures = parseMetrics(metrics.text);
  return {
    findings: [
      finding("collector", "well", `takes batches at ${url}`),
      silenceOf(figures),
      storeOf(figures),
      ...report.streams.flatMap((stream) => streamFinding(stream, nowMs)).slice(0, streamsShownMax),
    ],
    sums: [sumOf(report)],
    ledger: report,
  };
}

function finding(subject: string, state: Finding["state"], detail: string): Finding {
  return { subject, state, detail };
}

function silenceOf(metrics: MetricsText): Finding {
  const silent = metrics.sum("brunt_collector_silent_agents") ?? 0;
  const share = metrics.sum("brunt_collector_coverage_now_ratio") ?? 1;
  if (silent === 0) return finding("agents", "well", "all that are expected are heard");
  const detail = `${formatNoun(silent, "agent")} silent; the others carry ${formatShare(share)}`;
  return finding("agents", share < coverageMin ? "wrong" : "look", detail);
}

function storeOf(metrics: MetricsText): Finding {
  const corrupt = metrics.sum("brunt_collector_corrupt_records_total") ?? 0;
  const failures = metrics.sum("brunt_collector_save_failures_total") ?? 0;
  const told: string[] = [];
  if (corrupt > 0) told.push(`${formatNoun(corrupt, "damaged record")} skipped since the start`);
  if (failures > 0) told.push(`the disk refused ${formatNoun(failures, "window")}`);
  return told.length === 0
    ? finding("store", "well", "no damage met since the start")
    : finding("store", "look", told.join("; "));
}

function streamFinding(stream: StreamLedger, nowMs: number): Finding[] {
  const { agent, streamId, missing, heardMs, streamSpans, appliedSpans, lostSpans } = stream;
  const name = `agent ${agent} (stream ${streamId.slice(0, 8)})`;
  if (stream.forks > 0) {
    const detail = `two processes numbered records of ${name}, so its sums say nothing`;
    return [finding("ledger", "look", detail)];
  }
  if (!stream.accounted) {
    const lacks = streamSpans - appliedSpans - lostSpans;
    const detail =
      lacks > 0
        ? `${formatNoun(lacks, "span")} of ${name} are neither here nor declared lost`
        : `${formatNoun(-lacks, "span")} more than ${name} sealed`;
    return [finding("ledger", "wrong", detail)];
  }
  if (missing === 0) return [];
  const records = formatNoun(missing, "record");
  return nowMs - heardMs > awaitedMs
    ? [
        finding(
          "ledger",
          "wrong",
          `${records} of ${name} never came; it was heard last at ${formatDateTime(heardMs)}`,
        ),
      ]
    : [finding("ledger", "look", `${records} of ${name} are still to come`)];
}

/** What a complete stream lacks is a finding of its own, so here only an incomplete one's is left. */
function sumOf({ streams, totals }: LedgerReport): SpanSum {
  const open = (stream: StreamLedger): number =>
    stream.streamSpans - stream.appliedSpans - stream.lostSpans;
  const sum = (some: readonly StreamLedger[], read: (stream: StreamLedger) => number): number =>
    some.reduce((total, stream) => total + read(stream), 0);
  const forked = streams.filter(({ forks }) => forks > 0);
  const incomplete = streams.filter(({ forks, missing }) => forks === 0 && missing > 0);
  return {
    of: "collector",
    name: "sealed by agents",
    total: totals.streamSpans,
    parts: [
      { name: "applied", spans: totals.appliedSpans },
      { name: "declared lost", spans: totals.lostSpans },
      { name: "still to come", spans: sum(incomplete, (stream) => Math.max(0, open(stream))) },
      { name: "of forked streams, which are not compared", spans: sum(forked, open) },
    ],
  };
}
