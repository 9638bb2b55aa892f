/** What the reducer of metrics counts about itself, and what it tells a sender. */
import type { Meter } from "../../base/meter.ts";
import type { Silence } from "./series-memory.ts";

export const pointRefusals = ["past", "future", "crowded", "invalid", "keys"] as const;
export type PointRefusal = (typeof pointRefusals)[number];

export function metricCounters(meter: Meter) {
  const rejected = (reason: PointRefusal) =>
    meter.counter("brunt_agent_metric_points_rejected_total", "Data points not taken, by reason.", {
      reason,
    });
  const silent = (reason: Silence) =>
    meter.counter(
      "brunt_agent_metric_points_silent_total",
      "Data points taken that say nothing by themselves, by reason.",
      { reason },
    );
  return {
    bytes: meter.counter("brunt_agent_otlp_bytes_total", "Bytes of OTLP requests, inflated."),
    requestsRefused: meter.counter(
      "brunt_agent_requests_undecodable_total",
      "OTLP requests refused because they do not decode or exceed a limit.",
    ),
    retried: meter.counter(
      "brunt_agent_requests_retried_total",
      "Requests that had been taken a moment before, and were only answered again.",
    ),
    received: meter.counter(
      "brunt_agent_metric_points_received_total",
      "Data points of requests that decode: taken, or rejected.",
    ),
    rejected: {
      past: rejected("past"),
      future: rejected("future"),
      crowded: rejected("crowded"),
      invalid: rejected("invalid"),
      keys: rejected("keys"),
    },
    silent: {
      first: silent("first"),
      reset: silent("reset"),
      repeated: silent("repeated"),
      unfollowed: silent("unfollowed"),
      instant: silent("instant"),
    },
    values: meter.counter(
      "brunt_agent_metric_values_dropped_total",
      "Values left out as they are not finite, or weigh more than 2^53.",
    ),
  };
}

export type PointRefusals = Record<PointRefusal, number>;

/** What the sender is told; "" when nothing was refused. */
export function pointRejectionMessage(refused: PointRefusals, firstFault: string): string {
  const says: Readonly<Record<PointRefusal, string>> = {
    past: "are more than 48 hours old",
    future: "are more than 30 seconds ahead of this clock",
    crowded: "belong to more old windows than are taken at a time",
    invalid: `are invalid, the first: ${firstFault}`,
    keys: "are of more metrics than a window has room for (metricKeysMax)",
  };
  return pointRefusals
    .filter((reason) => refused[reason] > 0)
    .map((reason) => `${refused[reason]} data points ${says[reason]}`)
    .join("; ");
}
