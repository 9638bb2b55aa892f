/** What the reducer counts about itself. */
import type { Counter, Meter } from "../../base/meter.ts";

export const rejectionReasons = ["past", "future", "crowded", "invalid"] as const;
export type RejectionReason = (typeof rejectionReasons)[number];

export function reducerMetrics(meter: Meter) {
  const rejected = (reason: string) =>
    meter.counter("brunt_agent_spans_rejected_total", "Spans not taken, by reason.", { reason });
  return {
    bytes: meter.counter("brunt_agent_otlp_bytes_total", "Bytes of OTLP requests, inflated."),
    requestsRefused: meter.counter(
      "brunt_agent_requests_undecodable_total",
      "OTLP requests refused because they do not decode or exceed a limit.",
    ),
    received: meter.counter(
      "brunt_agent_spans_received_total",
      "Spans of requests that decode: taken, or rejected.",
    ),
    accepted: meter.counter("brunt_agent_spans_accepted_total", "Spans taken."),
    rejected: {
      invalid: rejected("invalid"),
      past: rejected("past"),
      future: rejected("future"),
      crowded: rejected("crowded"),
    },
    late: meter.counter(
      "brunt_agent_spans_late_total",
      "Spans taken after their window was sealed.",
    ),
    folded: meter.counter(
      "brunt_agent_spans_folded_total",
      "Spans whose key was folded because of a limit.",
    ),
    repeated: meter.counter(
      "brunt_agent_spans_repeated_total",
      "Spans counted, but with an id seen before, so left out of pairing.",
    ),
    unremembered: meter.counter(
      "brunt_agent_pairing_overflow_total",
      "Spans counted, but left out of pairing because the memory of spans is full.",
    ),
    linksDropped: meter.counter(
      "brunt_agent_links_dropped_total",
      "Span links left out because of a limit.",
    ),
  };
}

export function workerSpansLost(meter: Meter): Counter {
  return meter.counter(
    "brunt_agent_worker_spans_lost_total",
    "Spans known to be lost because a worker ended before their window was sealed.",
  );
}

/** What became of a request. */
export interface Ingested {
  readonly accepted: number;
  readonly rejected: number;
  /** Why spans were rejected, for the sender; "" when none were. */
  readonly message: string;
}

/** What the sender is told; "" when nothing was refused. */
export function rejectionMessage(
  refused: Readonly<Record<RejectionReason, number>>,
  invalidReason: string,
): string {
  const says: Readonly<Record<RejectionReason, string>> = {
    past: "ended more than 48 hours ago",
    future: "end more than 30 seconds ahead of this clock",
    crowded: "belong to more old windows than are taken at a time",
    invalid: `are invalid, the first: ${invalidReason}`,
  };
  return rejectionReasons
    .filter((reason) => refused[reason] > 0)
    .map((reason) => `${refused[reason]} spans ${says[reason]}`)
    .join("; ");
}
