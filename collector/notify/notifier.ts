/**
 * What every notifier is: a name, and a function that sends alerts and says what came of it. It
 * knows whether a failure may pass; when to try again is decided by its delivery.
 */
import type { Alert } from "../../wire/alerts.ts";
import type { PostResult } from "./http-post.ts";

/** Why alerts were not taken; the values of a metric's label. */
export type Reason =
  | "address"
  | "client_error"
  | "connection"
  | "redirect"
  | "server_error"
  | "throttled"
  | "timeout"
  | "too_large";

export type Outcome =
  | { readonly kind: "delivered" }
  | {
      readonly kind: "retry";
      readonly reason: Reason;
      readonly detail: string;
      /** When the target asked to be left alone until. */
      readonly retryAfterMs?: number | undefined;
    }
  /** Will not be taken however often it is sent. */
  | { readonly kind: "refused"; readonly reason: Reason; readonly detail: string };

export type Labels = Readonly<Record<string, string>>;

/** An alert with the labels its incident has had since it first fired. */
export interface LabelledAlert {
  readonly alert: Alert;
  readonly labels: Labels;
}

/** Several alerts that go out together. */
export interface Message {
  readonly key: string;
  readonly alerts: readonly LabelledAlert[];
}

export interface Notifier {
  /** In metrics and logs, such as `webhook-1`. */
  readonly name: string;
  /** The host it sends to; the rest of an address may be secret. */
  readonly target: string;
  /** Equal after a restart, wherever it stands in the configuration. */
  readonly id: string;
  /** How often its target must hear that an alert still fires; undefined when once is enough. */
  readonly repeatEveryMs: number | undefined;
  /** Never rejects. */
  send(message: Message, signal: AbortSignal): Promise<Outcome>;
}

/** What an answer over HTTP means. */
export function outcomeOf(result: PostResult): Outcome {
  if (result.kind === "failed") {
    return { kind: "retry", reason: result.reason, detail: result.detail };
  }
  const { status, retryAfterMs } = result;
  if (status >= 200 && status < 300) return { kind: "delivered" };
  const detail = `status ${status} ${result.text.slice(0, detailSizeMax)}`.trim();
  if (status === 408 || status === 429) {
    return { kind: "retry", reason: "throttled", detail, retryAfterMs };
  }
  if (status === 413) return { kind: "refused", reason: "too_large", detail };
  if (status >= 400 && status < 500) return { kind: "refused", reason: "client_error", detail };
  if (status >= 300 && status < 400) return { kind: "refused", reason: "redirect", detail };
  return { kind: "retry", reason: "server_error", detail, retryAfterMs };
}

/** Of an answer's text in the log. */
const detailSizeMax = 200;
