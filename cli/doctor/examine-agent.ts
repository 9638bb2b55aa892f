/** Looks at an agent through its metrics: its spool, its clock, its collector, and its sums. */
import { formatBytes, formatDurationMs, formatNoun } from "../terminal/format.ts";
import type { Examination, Finding, SpanSum } from "./finding.ts";
import { type MetricsText, parseMetrics } from "./prometheus-text.ts";
import { readText } from "./read-text.ts";

/** What an agent ignores, and what it still corrects. */
const offsetMsIgnored = 1_000;
const offsetMsCorrected = 300_000;
const msPerSecond = 1_000;

export async function examineAgent(url: string, stop: AbortSignal): Promise<Examination> {
  const answer = await readText(`${url}/metrics`, { stop });
  if (answer.status !== 200) {
    const detail = `does not answer at ${url}: ${answer.says}`;
    return { findings: [{ subject: "agent", state: "wrong", detail }], sums: [] };
  }
  const metrics = parseMetrics(answer.text);
  if (metrics.sum("brunt_agent_spans_received_total") === undefined) {
    const detail = `no agent, though something answers at ${url}`;
    return { findings: [{ subject: "agent", state: "wrong", detail }], sums: [] };
  }
  return {
    findings: [linkOf(url, metrics), clockOf(metrics), spoolOf(metrics)],
    sums: sumsOf(url, metrics),
  };
}

function linkOf(url: string, metrics: MetricsText): Finding {
  const isUp = metrics.sum("brunt_agent_collector_up") === 1;
  return isUp
    ? { subject: "agent", state: "well", detail: `answers at ${url} and reaches its collector` }
    : { subject: "agent", state: "wrong", detail: `at ${url} does not reach its collector` };
}

function clockOf(metrics: MetricsText): Finding {
  const offsetMs = (metrics.sum("brunt_agent_clock_offset_seconds") ?? 0) * msPerSecond;
  const size = Math.abs(offsetMs);
  const side = offsetMs < 0 ? "ahead of" : "behind";
  const detail = `the agent's is ${formatDurationMs(size)} ${side} the collector's`;
  if (size <= offsetMsIgnored) return { subject: "clock", state: "well", detail };
  if (size <= offsetMsCorrected) {
    return { subject: "clock", state: "look", detail: `${detail}, which is corrected` };
  }
  return { subject: "clock", state: "wrong", detail: `${detail}; set it` };
}

function spoolOf(metrics: MetricsText): Finding {
  const read = (name: string): number => metrics.sum(`brunt_agent_${name}`) ?? 0;
  const waiting = formatNoun(read("spool_records"), "record");
  const detail = `${waiting} of ${formatBytes(read("spool_bytes"))} not acknowledged`;
  if (read("spool_failing") > 0) {
    const why = `${detail}; its disk refuses, so they are in memory alone`;
    return { subject: "spool", state: "wrong", detail: why };
  }
  return { subject: "spool", state: "well", detail };
}

function sumsOf(of: string, metrics: MetricsText): SpanSum[] {
  const part = (name: string, metric: string) => ({
    name,
    spans: metrics.sum(`brunt_agent_${metric}`) ?? 0,
  });
  const sealed = part("sealed", "spans_sealed_total");
  const recovered = part("found in the spool", "spans_recovered_total");
  const received: SpanSum = {
    of,
    name: "received",
    total: part("received", "spans_received_total").spans,
    parts: [
      part("rejected", "spans_rejected_total"),
      part("lost with a worker", "worker_spans_lost_total"),
      part("in open windows", "spans_open"),
      sealed,
    ],
  };
  const held: SpanSum = {
    of,
    name: recovered.spans > 0 ? "sealed and found in the spool" : "sealed",
    total: sealed.spans + recovered.spans,
    parts: [
      part("acknowledged", "spans_acknowledged_total"),
      part("in the spool", "spool_spans"),
      part("declared lost", "spans_lost_total"),
    ],
  };
  return [received, held];
}
