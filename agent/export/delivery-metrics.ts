/** What became of sealed spans, counted; and gauges of what is held. */
import type { Counter, Meter } from "../../base/meter.ts";
import { type LossCause, lossCauses } from "../../wire/lost-records.ts";

/** `shutdown`: held in memory alone when the process ended, so that no one could be told. */
export type LossReason = LossCause | "shutdown";

export interface DeliveryMetrics {
  readonly sealed: Counter;
  readonly recovered: Counter;
  readonly acknowledged: Counter;
  readonly lost: Readonly<Record<LossReason, Counter>>;
  readonly recordsLost: Readonly<Record<LossReason, Counter>>;
  readonly forked: Counter;
  readonly thresholdFailures: Counter;
}

/** Everything `brunt_agent_spans_lost_total` may have as its reason. */
export const lossReasons: readonly LossReason[] = [...lossCauses, "shutdown"];

export function createDeliveryMetrics(meter: Meter): DeliveryMetrics {
  const byReason = (name: string, help: string): Readonly<Record<LossReason, Counter>> =>
    Object.fromEntries(
      lossReasons.map((reason) => [reason, meter.counter(name, help, { reason })]),
    ) as Record<LossReason, Counter>;
  return {
    sealed: meter.counter("brunt_agent_spans_sealed_total", "Spans of windows that were sealed."),
    recovered: meter.counter(
      "brunt_agent_spans_recovered_total",
      "Spans that the spool held from an earlier process.",
    ),
    acknowledged: meter.counter(
      "brunt_agent_spans_acknowledged_total",
      "Spans of records that the collector has.",
    ),
    lost: byReason("brunt_agent_spans_lost_total", "Spans of records declared lost, by reason."),
    recordsLost: byReason("brunt_agent_records_lost_total", "Records declared lost, by reason."),
    forked: meter.counter(
      "brunt_agent_streams_renewed_total",
      "Times a new stream was begun, as the collector knew the old one otherwise.",
    ),
    thresholdFailures: meter.counter(
      "brunt_agent_thresholds_failed_total",
      "Failed reads of thresholds.",
    ),
  };
}
