/**
 * The collector's event stream for as long as the page is open.
 *
 *   connecting ──hello──▶ live ──closed──▶ reconnecting ──▶ connecting …
 *       └──401──▶ locked ──token──▶ connecting
 *
 * It comes back with the last number it saw, so nothing is skipped in silence. Where events are
 * gone that no snapshot covers, it connects afresh, which brings a new snapshot.
 */
import type { StreamMessage } from "../../../wire/api-types.ts";
import { type Board, type BoardAction, isStaleAfter } from "../state/board.ts";
import { fetchTicket } from "./stream-ticket.ts";

export interface StreamLinkOptions {
  readonly board: () => Board;
  readonly dispatch: (action: BoardAction) => void;
}

const retryMsMin = 500;
const retryMsMax = 10_000;

export interface StreamFollower {
  /** The page has a token now. */
  unlock(): void;
  close(): void;
}

export function followStream(options: StreamLinkOptions): StreamFollower {
  return new StreamLink(options);
}

const protocol = "brunt.v1";

class StreamLink implements StreamFollower {
  readonly #options: StreamLinkOptions;
  #socket: WebSocket | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isAsking = false;
  #isClosed = false;
  #attempt = 0;
  #afresh = false;

  constructor(options: StreamLinkOptions) {
    this.#options = options;
    window.addEventListener("online", this.#retryNow);
    document.addEventListener("visibilitychange", this.#retryNow);
    void this.#connect();
  }

  unlock(): void {
    this.#options.dispatch({ type: "link", link: { phase: "connecting" } });
    void this.#connect();
  }

  close(): void {
    this.#isClosed = true;
    window.removeEventListener("online", this.#retryNow);
    document.removeEventListener("visibilitychange", this.#retryNow);
    clearTimeout(this.#timer);
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.close();
  }

  async #connect(): Promise<void> {
    if (this.#isAsking) return;
    this.#isAsking = true;
    const answer = await fetchTicket();
    this.#isAsking = false;
    if (this.#isClosed) return;
    if (answer.kind === "ticket") this.#open(answer.ticket);
    else if (answer.kind === "away") this.#retryLater();
    else this.#options.dispatch({ type: "link", link: { phase: "locked" } });
  }

  #open(ticket: string): void {
    const socket = new WebSocket(this.#url(), [protocol, `ticket.${ticket}`]);
    this.#socket = socket;
    socket.addEventListener("message", ({ data }) => {
      if (socket === this.#socket) this.#accept(JSON.parse(String(data)) as StreamMessage);
    });
    socket.addEventListener("close", () => {
      if (socket === this.#socket) this.#retryLater();
    });
  }

  #url(): string {
    const url = new URL("/api/v1/stream", window.location.href);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    const { lastSeq, epoch } = this.#options.board();
    if (lastSeq !== undefined && !this.#afresh) url.searchParams.set("since", String(lastSeq));
    if (lastSeq !== undefined && epoch !== undefined && !this.#afresh) {
      url.searchParams.set("epoch", epoch);
    }
    return url.href;
  }

  #accept(message: StreamMessage): void {
    if (message.type === "hello") {
      this.#attempt = 0;
      this.#afresh = false;
    }
    const isStale = message.type === "gap" && isStaleAfter(this.#options.board(), message);
    this.#options.dispatch({ type: "message", message });
    if (!isStale) return;
    this.#afresh = true;
    this.#socket?.close();
  }

  #retryLater(): void {
    this.#socket = undefined;
    this.#attempt += 1;
    this.#options.dispatch({
      type: "link",
      link: { phase: "reconnecting", attempt: this.#attempt },
    });
    // Half of the delay is chance, so that many pages do not come back at one instant.
    const delayMs = Math.min(retryMsMin * 2 ** (this.#attempt - 1), retryMsMax);
    const waitMs = delayMs / 2 + Math.random() * (delayMs / 2);
    this.#timer = setTimeout(() => void this.#connect(), waitMs);
  }

  /** Somebody looks again, or the network is back: no reason to wait any longer. */
  #retryNow = (): void => {
    const isLocked = this.#options.board().link.phase === "locked";
    if (this.#socket !== undefined || document.visibilityState === "hidden" || isLocked) return;
    clearTimeout(this.#timer);
    void this.#connect();
  };
}
