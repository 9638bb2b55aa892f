/**
 * What an HTTP/2 session may do besides calls. A broken one ends by itself, one that idles is asked
 * to go, and one that floods is cut off: every PING and SETTINGS is answered, so a sender of
 * nothing else makes work for free. Streams reset by the thousand are Node's own to stop.
 */
import { constants, type ServerHttp2Session } from "node:http2";
import type { Clock } from "../../base/clock.ts";
import type { Counter } from "../../base/meter.ts";

const idleTimeoutMs = 300_000;
const sessionWindowSize = 4 * 1_048_576;
/** A client that measures its round trip sends a few a second. */
const controlFramesMax = 200;
const countedMs = 1_000;

export interface SessionSettings {
  readonly clock: Clock;
  /** Sessions cut off. */
  readonly floods: Counter;
}

export function tendSession(session: ServerHttp2Session, { clock, floods }: SessionSettings): void {
  session.on("error", () => session.destroy());
  session.setTimeout(idleTimeoutMs, () => session.close());
  session.setLocalWindowSize(sessionWindowSize);
  let frames = 0;
  let sinceMs = clock.nowMs();
  const count = (): void => {
    const nowMs = clock.nowMs();
    if (nowMs - sinceMs >= countedMs) {
      frames = 0;
      sinceMs = nowMs;
    }
    frames++;
    if (frames <= controlFramesMax || session.destroyed) return;
    floods.add();
    session.destroy(undefined, constants.NGHTTP2_ENHANCE_YOUR_CALM);
  };
  session.on("ping", count);
  session.on("remoteSettings", count);
}
