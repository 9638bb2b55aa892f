/** GET of the collector's API; what went wrong comes back as a sentence. */

import { authorization } from "./token.ts";

export type Fetched<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly message: string };

export async function fetchJson<T>(path: string, signal: AbortSignal): Promise<Fetched<T>> {
  try {
    const headers = { accept: "application/json", ...authorization() };
    const response = await fetch(path, { signal, headers });
    const body: unknown = await response.json();
    if (response.ok) return { ok: true, value: body as T };
    return { ok: false, message: messageOf(body) ?? `the collector answers ${response.status}` };
  } catch {
    return { ok: false, message: "the collector does not answer" };
  }
}

function messageOf(body: unknown): string | undefined {
  const message = (body as { message?: unknown } | null)?.message;
  return typeof message === "string" ? message : undefined;
}
