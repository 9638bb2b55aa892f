/** Somebody who is told: a webhook or an Alertmanager in virtual time, well or not. */
import type { PostRequest, PostResult } from "../../collector/notify/http-post.ts";
import type { AlertMessage } from "../../wire/alerts.ts";

/** `lost` takes the message and never says so. */
export type Mood = "well" | "lost" | "reset" | "hanging" | number;

export interface Told {
  readonly atMs: number;
  /** The message's own, and those of its alerts. */
  readonly key: string;
  readonly alerts: readonly { readonly key: string; readonly text: string }[];
  /** It was answered 2xx. */
  readonly isAnswered: boolean;
}

export interface SimTarget {
  readonly url: string;
  mood: Mood;
  retryAfterMs: number | undefined;
  /** Every message it took, in order, and how many came at all. */
  readonly told: Told[];
  tries: number;
  /** What it answers; undefined when it never does. */
  take(request: Pick<PostRequest, "body" | "headers">, atMs: number): PostResult | undefined;
}

export function createSimTarget(url: string): SimTarget {
  const isWebhook = url.includes("hook");
  const told: Told[] = [];
  const target: SimTarget = {
    url,
    mood: "well",
    retryAfterMs: undefined,
    told,
    tries: 0,
    take({ body, headers }, atMs) {
      target.tries += 1;
      const { mood, retryAfterMs } = target;
      if (mood === "reset") return { kind: "failed", reason: "connection", detail: "ECONNRESET" };
      if (mood === "hanging") return undefined;
      if (typeof mood === "number") {
        return { kind: "answer", status: mood, retryAfterMs, text: "not now" };
      }
      const alerts = isWebhook ? alertsOfMessage(body) : alertsOfAlertmanager(body);
      const key = headers["idempotency-key"] ?? "";
      told.push({ atMs, key, alerts, isAnswered: mood === "well" });
      if (mood === "lost") return undefined;
      return { kind: "answer", status: 200, retryAfterMs: undefined, text: "" };
    },
  };
  return target;
}

function alertsOfMessage(body: string): Told["alerts"] {
  const { alerts } = JSON.parse(body) as AlertMessage;
  return alerts.map((alert) => ({ key: alert.key, text: JSON.stringify(alert) }));
}

/** Its end moves on with each repeat, so it is no part of what an alert says. */
function alertsOfAlertmanager(body: string): Told["alerts"] {
  const posted = JSON.parse(body) as readonly {
    readonly annotations: { readonly idempotency_key: string };
  }[];
  return posted.map(({ annotations }) => ({
    key: annotations.idempotency_key,
    text: JSON.stringify(annotations),
  }));
}
