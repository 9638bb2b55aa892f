/**
 * Alertmanager's API, version 2. It forgets an alert at its `endsAt`, so alerts that fire are sent
 * again and again with an end that moves on; several messages may fail before one is taken as
 * resolved. Which Alertmanager it is the operator says, so its address may be an internal one.
 *
 * Source: https://prometheus.io/docs/alerting/latest/clients/
 */
import type { Clock } from "../../base/clock.ts";
import type { AttributeValue, Estimate } from "../../wire/api-types.ts";
import { anyAddress } from "./address-guard.ts";
import type { Post } from "./http-post.ts";
import { type LabelledAlert, type Notifier, outcomeOf } from "./notifier.ts";
import { notifierId } from "./webhook.ts";

export interface AlertmanagerOptions {
  readonly name: string;
  /** With the path it is served under, without `/api/v2`. */
  readonly url: string;
  readonly post: Post;
  readonly clock: Clock;
}

const repeatEveryMs = 60_000;
const endsAfterMs = 5 * repeatEveryMs;

export function createAlertmanager({ name, url, post, clock }: AlertmanagerOptions): Notifier {
  const target = new URL(url);
  target.pathname = `${target.pathname.replace(/\/+$/, "")}/api/v2/alerts`;
  return {
    name,
    target: target.host,
    id: notifierId("alertmanager", url),
    repeatEveryMs,
    async send({ key, alerts }, signal) {
      const endsAtMs = clock.nowMs() + endsAfterMs;
      const body = JSON.stringify(alerts.map((item) => postableAlert(item, endsAtMs)));
      const headers = { "content-type": "application/json", "idempotency-key": key };
      return outcomeOf(await post({ url: target, headers, body, isAllowed: anyAddress, signal }));
    },
  };
}

function postableAlert({ alert, labels }: LabelledAlert, endsAtMs: number) {
  const { startedAtMs, resolvedAtMs } = alert;
  return {
    labels: withoutEmpty(labels),
    annotations: withoutEmpty(annotationsOf(alert)),
    startsAt: new Date(startedAtMs).toISOString(),
    // An end before the start is refused.
    endsAt: new Date(Math.max(startedAtMs, resolvedAtMs ?? endsAtMs)).toISOString(),
  };
}

function annotationsOf({
  title,
  cause,
  customers,
  combinations,
  entries,
  key,
}: LabelledAlert["alert"]): Readonly<Record<string, string>> {
  return {
    summary: title,
    cause: cause.kind === "none" ? "inconclusive" : `${cause.name} (${cause.verdict})`,
    reason: cause.reason,
    customers: customers === null ? "" : estimateText(customers),
    where: combinations.map(({ attributes }) => attributesText(attributes)).join("; "),
    entries: entries
      .map(
        ({ service, operation, count, bad }) => `${service} ${operation}: ${bad} of ${count} bad`,
      )
      .join("; "),
    idempotency_key: key,
  };
}

function estimateText({ value, low, high }: Estimate): string {
  const [middle, least, most] = [value, low, high].map((part) => String(Math.round(part)));
  return least === most ? `${middle}` : `${middle} (${least} to ${most})`;
}

function attributesText(attributes: readonly AttributeValue[]): string {
  return attributes.map(({ dimension, value }) => `${dimension}=${value}`).join(", ");
}

/** Alertmanager takes an empty value for an absent one. */
function withoutEmpty(texts: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(texts).filter(([, text]) => text !== ""));
}
