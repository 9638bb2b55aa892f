/**
 * The collector's event stream over a WebSocket, for as long as wanted: after a lost connection it
 * comes back and asks for what followed the last number it saw. What cannot be had any more
 * arrives as the stream's own `gap` message; nothing is skipped in silence.
 */
import { WebSocket } from "ws";
import { type Clock, every } from "../../base/clock.ts";
import type { StreamMessage } from "../../wire/api-types.ts";
import { sleep } from "../system.ts";
import { authorization } from "./api-client.ts";

export interface FollowOptions {
  /** Base address of the collector, http or https. */
  readonly url: string;
  /** A bearer token, where the collector wants one. */
  readonly token: string | undefined;
  /** The last event number already known; undefined starts at the newest. */
  readonly since: number | undefined;
  readonly clock: Clock;
  readonly stop: AbortSignal;
  onMessage(message: StreamMessage): void;
  onLost(loss: Loss): void;
}

export interface Loss {
  readonly reason: string;
  readonly retryMs: number;
  /** False while no connection has stood yet. */
  readonly wasConnected: boolean;
}

const retryMsMin = 500;
const retryMsMax = 10_000;
const pingMs = 15_000;
const messageBytesMax = 16 * 2 ** 20;

interface Position {
  since: number | undefined;
  epoch: string | undefined;
  connected: boolean;
}

/** Resolves when `stop` aborts. */
export async function followStream(options: FollowOptions): Promise<void> {
  const position: Position = { since: options.since, epoch: undefined, connected: false };
  let retryMs = retryMsMin;
  while (!options.stop.aborted) {
    const wasConnected = position.connected;
    position.connected = false;
    const reason = await followOnce(options, position);
    if (options.stop.aborted) return;
    if (position.connected) retryMs = retryMsMin;
    options.onLost({ reason, retryMs, wasConnected: wasConnected || position.connected });
    await sleep(options.clock, retryMs, options.stop);
    retryMs = Math.min(retryMs * 2, retryMsMax);
  }
}

/** One connection, from the handshake to why it ended. */
function followOnce(options: FollowOptions, position: Position): Promise<string> {
  return new Promise((resolve) => {
    let reason = "connection closed";
    let answered = true;
    const socket = new WebSocket(streamUrl(options.url, position), {
      headers: authorization(options.token),
      maxPayload: messageBytesMax,
      handshakeTimeout: pingMs,
    });
    const end = (): void => socket.terminate();
    // A peer that vanished without a word leaves the socket open for ever; silence ends it.
    const cancelPing = every(options.clock, pingMs, () => {
      if (!answered) {
        reason = `no answer for ${pingMs / 1000} s`;
        return end();
      }
      answered = false;
      if (socket.readyState === WebSocket.OPEN) socket.ping();
    });
    options.stop.addEventListener("abort", end, { once: true });
    socket.on("pong", () => {
      answered = true;
    });
    socket.on("message", (data) => {
      answered = true;
      accept(String(data), { options, position });
    });
    socket.on("error", (error: NodeJS.ErrnoException) => {
      reason = error.code ?? error.message;
    });
    socket.on("close", () => {
      cancelPing();
      options.stop.removeEventListener("abort", end);
      resolve(reason);
    });
  });
}

function accept(
  text: string,
  { options, position }: { options: FollowOptions; position: Position },
): void {
  const message = JSON.parse(text) as StreamMessage;
  if (message.type === "hello") {
    position.connected = true;
    // A collector that numbers anew has nothing that followed our number, and says so by a gap.
    const anew = position.epoch !== undefined && position.epoch !== message.epoch;
    if (anew || position.since === undefined) position.since = message.nextSeq - 1;
    position.epoch = message.epoch;
  } else if (message.type === "gap") {
    position.since = message.toSeq;
  } else {
    position.since = message.seq;
  }
  options.onMessage(message);
}

function streamUrl(base: string, { since, epoch }: Position): string {
  const url = new URL(`${base}/api/v1/stream`);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  if (since !== undefined) url.searchParams.set("since", String(since));
  if (since !== undefined && epoch !== undefined) url.searchParams.set("epoch", epoch);
  return url.href;
}
