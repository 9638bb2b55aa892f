/**
 * One POST over HTTP or HTTPS, to an address that was looked up once and found allowed.
 *
 * The connection goes to the very address that was judged, so a name that resolves differently a
 * moment later leads nowhere else. Redirects are answers like any other. Bounds: ten seconds from
 * the look-up to the end of the answer, and `answerBytesMax` of its body.
 */
import { lookup } from "node:dns/promises";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { isIP, connect as tcpConnect } from "node:net";
import type { Duplex } from "node:stream";
import { connect as tlsConnect } from "node:tls";
import type { Clock } from "../../base/clock.ts";

export interface PostRequest {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly isAllowed: (host: string, address: string) => boolean;
  readonly signal: AbortSignal;
}

export type PostResult =
  | {
      readonly kind: "answer";
      readonly status: number;
      readonly retryAfterMs: number | undefined;
      /** The start of the body. */
      readonly text: string;
    }
  | {
      readonly kind: "failed";
      readonly reason: "address" | "connection" | "timeout";
      readonly detail: string;
    };

/** Never rejects. */
export type Post = (request: PostRequest) => Promise<PostResult>;

export interface Target {
  readonly address: string;
  readonly port: number;
  readonly host: string;
  readonly secure: boolean;
}

export interface HttpPostOptions {
  readonly clock: Clock;
  /** Every address of a name, best first. */
  readonly resolve?: (host: string) => Promise<readonly string[]>;
  readonly connect?: (target: Target) => Duplex;
}

const timeoutMs = 10_000;
const answerBytesMax = 64 * 1_024;
const retryAfterMsMax = 300_000;

export function createHttpPost(options: HttpPostOptions): Post {
  const { clock, resolve = resolveHost, connect = connectTo } = options;
  return (request) =>
    new Promise((settle) => {
      const stop = new AbortController();
      const end = (result: PostResult): void => {
        cancel();
        request.signal.removeEventListener("abort", abandon);
        settle(result);
        stop.abort();
      };
      const abandon = (): void => end(failed("connection", "stopping"));
      const cancel = clock.after(timeoutMs, () =>
        end(failed("timeout", `no answer within ${timeoutMs} ms`)),
      );
      if (request.signal.aborted) return abandon();
      request.signal.addEventListener("abort", abandon);
      chooseTarget(request, resolve)
        .then((target) => {
          if (stop.signal.aborted) return;
          if ("kind" in target) return end(target);
          exchange({ request, socket: connect(target), stop: stop.signal, clock, end });
        })
        .catch((cause: unknown) => end(failed("connection", reasonOf(cause))));
    });
}

async function chooseTarget(
  { url, isAllowed }: PostRequest,
  resolve: (host: string) => Promise<readonly string[]>,
): Promise<Target | PostResult> {
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const secure = url.protocol === "https:";
  const port = Number(url.port || (secure ? 443 : 80));
  let addresses: readonly string[];
  try {
    addresses = isIP(host) === 0 ? await resolve(host) : [host];
  } catch (cause) {
    return failed("connection", `cannot look up ${host}: ${reasonOf(cause)}`);
  }
  const address = addresses.find((candidate) => isAllowed(host, candidate));
  if (address !== undefined) return { address, port, host, secure };
  const what = addresses.length === 0 ? "no address" : `only ${addresses.join(", ")}`;
  return failed("address", `${host} has ${what}; list it in collector.allowedTargets to allow it`);
}

interface Exchange {
  readonly request: PostRequest;
  readonly socket: Duplex;
  readonly stop: AbortSignal;
  readonly clock: Clock;
  readonly end: (result: PostResult) => void;
}

function exchange({ request, socket, stop, clock, end }: Exchange): void {
  const { url, headers, body } = request;
  const bytes = Buffer.from(body);
  const outgoing = httpRequest({
    method: "POST",
    path: `${url.pathname}${url.search}`,
    headers: {
      host: url.host,
      ...authorizationOf(url),
      ...headers,
      "content-length": bytes.length,
    },
    createConnection: () => socket,
  });
  // Whatever happens to it after the answer is of no interest.
  socket.on("error", () => {});
  stop.addEventListener("abort", () => {
    outgoing.destroy();
    socket.destroy();
  });
  outgoing.on("error", (cause) => end(failed("connection", reasonOf(cause))));
  outgoing.on("response", (response) => readAnswer(response, { clock, end }));
  outgoing.end(bytes);
}

/** The status is the answer; a body that breaks off or never ends takes nothing from it. */
function readAnswer(
  response: IncomingMessage,
  { clock, end }: Pick<Exchange, "clock" | "end">,
): void {
  const chunks: Buffer[] = [];
  let size = 0;
  const finish = (): void =>
    end({
      kind: "answer",
      status: response.statusCode ?? 0,
      retryAfterMs: retryAfterOf(response.headers["retry-after"], clock.nowMs()),
      text: Buffer.concat(chunks).toString("utf8", 0, answerBytesMax),
    });
  const cancel = clock.after(bodyMsMax, finish);
  response.on("data", (chunk: Buffer) => {
    chunks.push(chunk);
    size += chunk.length;
    if (size >= answerBytesMax) finish();
  });
  response.on("error", finish);
  response.on("close", () => {
    cancel();
    finish();
  });
}

/** An answer's body is worth waiting for no longer. */
const bodyMsMax = 1_000;

/** Seconds or an HTTP date; RFC 9110, 10.2.3. */
function retryAfterOf(header: string | undefined, nowMs: number): number | undefined {
  if (header === undefined) return undefined;
  const ms = /^\d+$/.test(header) ? Number(header) * 1_000 : Date.parse(header) - nowMs;
  return Number.isFinite(ms) ? Math.min(Math.max(0, ms), retryAfterMsMax) : undefined;
}

function authorizationOf({ username, password }: URL): Readonly<Record<string, string>> {
  if (username === "" && password === "") return {};
  const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { authorization: `Basic ${Buffer.from(pair).toString("base64")}` };
}

/** IPv4 first: a host without a route for IPv6 is commoner than one without IPv4. */
async function resolveHost(host: string): Promise<readonly string[]> {
  const found = await lookup(host, { all: true });
  return found.sort((a, b) => a.family - b.family).map(({ address }) => address);
}

function connectTo({ address, port, host, secure }: Target): Duplex {
  if (!secure) return tcpConnect({ host: address, port });
  return tlsConnect({ host: address, port, servername: isIP(host) === 0 ? host : "" });
}

function failed(reason: "address" | "connection" | "timeout", detail: string): PostResult {
  return { kind: "failed", reason, detail };
}

function reasonOf(cause: unknown): string {
  const { code, message } = cause as NodeJS.ErrnoException;
  return code ?? message;
}
