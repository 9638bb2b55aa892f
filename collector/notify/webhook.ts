/** A webhook: alerts as JSON, in the schema of `AlertMessage`, to any address that is allowed. */
import { createHash } from "node:crypto";
import type { AlertMessage } from "../../wire/alerts.ts";
import type { AddressGuard } from "./address-guard.ts";
import type { Post } from "./http-post.ts";
import { type Notifier, outcomeOf } from "./notifier.ts";

export interface WebhookOptions {
  readonly name: string;
  readonly url: string;
  readonly post: Post;
  readonly isAllowed: AddressGuard;
}

export function createWebhook({ name, url, post, isAllowed }: WebhookOptions): Notifier {
  const target = new URL(url);
  return {
    name,
    target: target.host,
    id: notifierId("webhook", url),
    repeatEveryMs: undefined,
    async send({ key, alerts }, signal) {
      const message: AlertMessage = { version: 1, key, alerts: alerts.map(({ alert }) => alert) };
      const headers = { "content-type": "application/json", "idempotency-key": key };
      const body = JSON.stringify(message);
      return outcomeOf(await post({ url: target, headers, body, isAllowed, signal }));
    },
  };
}

/** Names a notifier by its address without storing the address, which may hold a secret. */
export function notifierId(kind: string, url: string): string {
  return createHash("sha256").update(`${kind} ${url}`).digest("hex").slice(0, 16);
}
