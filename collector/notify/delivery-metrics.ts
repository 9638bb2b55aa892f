/** What a delivery counts. */
import type { Meter } from "../../base/meter.ts";
import type { Alert } from "../../wire/alerts.ts";
import type { Notifier, Outcome } from "./notifier.ts";

export interface DeliveryMetrics {
  /** A message had this outcome. */
  answered(outcome: Outcome): void;
  /** Alerts were taken or refused for good. */
  settled(alerts: readonly Alert[], kind: "delivered" | "refused"): void;
}

export interface DeliveryGauges {
  readonly pending: () => number;
  readonly isFailing: () => boolean;
}

export function createDeliveryMetrics(
  meter: Meter,
  { name }: Notifier,
  { pending, isFailing }: DeliveryGauges,
): DeliveryMetrics {
  const notifier = name;
  meter.gauge("brunt_notifier_pending", "alerts that wait to be told", pending, { notifier });
  meter.gauge(
    "brunt_notifier_up",
    "1 unless its last message failed or was refused",
    () => (isFailing() ? 0 : 1),
    { notifier },
  );
  return {
    answered(outcome) {
      meter.counter(...messages, { notifier, result: outcome.kind }).add();
      if (outcome.kind === "delivered") return;
      meter.counter(...failures, { notifier, reason: outcome.reason }).add();
    },
    settled(settledAlerts, result) {
      for (const { state } of settledAlerts) {
        meter.counter(...alerts, { notifier, state, result }).add();
      }
    },
  };
}

const messages = [
  "brunt_notifier_messages_total",
  "messages by what came of them: delivered, refused for good, or to be tried again",
] as const;
const failures = ["brunt_notifier_failures_total", "messages that were not taken, by why"] as const;
const alerts = [
  "brunt_notifier_alerts_total",
  "alerts that a notifier's target has taken or refused, once each",
] as const;
