/** A browser's WebSocket carries no token, so the page fetches a ticket with it first. */
import { authorization } from "./token.ts";

export type TicketAnswer =
  | { readonly kind: "ticket"; readonly ticket: string }
  /** The collector wants a token, or another one. */
  | { readonly kind: "locked" }
  | { readonly kind: "away" };

export async function fetchTicket(): Promise<TicketAnswer> {
  try {
    const headers = authorization();
    const response = await fetch("/api/v1/stream/tickets", { method: "POST", headers });
    if (response.status === 401 || response.status === 403) return { kind: "locked" };
    if (!response.ok) return { kind: "away" };
    const { ticket } = (await response.json()) as { readonly ticket: string };
    return { kind: "ticket", ticket };
  } catch {
    return { kind: "away" };
  }
}
