/** What a sender counts. */
import type { Meter } from "../../base/meter.ts";

export function createSenderMetrics(meter: Meter, isUp: () => number) {
  meter.gauge("brunt_agent_collector_up", "1 while the collector takes what is sent.", isUp);
  return {
    sent: meter.counter("brunt_agent_records_sent_total", "Records acknowledged."),
    bytes: meter.counter("brunt_agent_sent_bytes_total", "Bytes of records acknowledged."),
    retried: meter.counter(
      "brunt_agent_send_failures_total",
      "Times the collector did not take something, and all was kept for later.",
    ),
  };
}
