/**
 * The link to a collector over HTTP: `POST /api/v1/batches`, `GET /api/v1/thresholds`.
 *
 * What is not answered 200 is refused by the code in the answer's body; any network fault or timeout
 * may pass. Answers are read up to a bound and checked before use.
 */
import { Agent as HttpAgent, request as httpRequest } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { OperationalError } from "../../base/errors.ts";
import type { Problem } from "../../base/result.ts";
import {
  type CollectorLink,
  parseAck,
  parseNack,
  parseThresholds,
  refusalOf,
} from "../../wire/agent-link.ts";

export interface HttpLinkOptions {
  /** For one request, from connecting to the last byte of the answer. */
  readonly timeoutMs?: number;
  /** A bearer token, where the collector wants one. */
  readonly token?: string | undefined;
}

export interface HttpLink extends CollectorLink {
  /** Closes idle connections. */
  close(): void;
}

interface Answer {
  readonly status: number;
  readonly body: string;
  /** As the header says, in seconds; undefined when it does not. */
  readonly retryAfterMs: number | undefined;
}

const timeoutMsDefault = 10_000;
const answerBytesMax = 64 * 1_048_576;
/** As many as the sender has on their way, and one for thresholds. */
const connectionsMax = 5;
const msPerSecond = 1_000;

/** A link to the collector whose base address is `url`. */
export function createHttpLink(url: string, options: HttpLinkOptions = {}): HttpLink {
  const base = new URL(url);
  const secure = base.protocol === "https:";
  const agent = new (secure ? HttpsAgent : HttpAgent)({
    keepAlive: true,
    maxSockets: connectionsMax,
  });
  const call = (path: string, how: Pick<Exchange, "method" | "body" | "timeoutMs">) =>
    exchange(secure ? httpsRequest : httpRequest, {
      ...how,
      url: new URL(path, base),
      token: options.token,
      agent,
    });
  const { timeoutMs = timeoutMsDefault } = options;
  return {
    async send(batch, withinMs = timeoutMs) {
      const how = {
        method: "POST",
        body: batch,
        timeoutMs: Math.min(withinMs, timeoutMs),
      } as const;
      const ack = parseAck(bodyOf(await call("/api/v1/batches", how)));
      if (!ack.ok) throw malformed("acknowledgement", ack.error);
      return ack.value;
    },
    async thresholds() {
      const how = { method: "GET", timeoutMs } as const;
      const thresholds = parseThresholds(bodyOf(await call("/api/v1/thresholds", how)));
      if (!thresholds.ok) throw malformed("thresholds", thresholds.error);
      return thresholds.value;
    },
    close: () => agent.destroy(),
  };
}

interface Exchange {
  readonly url: URL;
  readonly timeoutMs: number;
  readonly token: string | undefined;
  readonly method: "GET" | "POST";
  readonly body?: Uint8Array;
  readonly agent: HttpAgent;
}

function exchange(send: typeof httpRequest, options: Exchange): Promise<Answer> {
  const { url, timeoutMs, token, method, body, agent } = options;
  return new Promise((resolve, reject) => {
    const outgoing = send(url, {
      agent,
      method,
      signal: AbortSignal.timeout(timeoutMs),
      headers: {
        accept: "application/json",
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined
          ? {}
          : {
              "content-type": "application/vnd.brunt.sketch-batch",
              "content-length": body.length,
            }),
      },
    });
    const failed = (cause: unknown): void => reject(unreachable(url, cause));
    outgoing.on("error", failed);
    outgoing.on("response", (incoming) => {
      const chunks: Buffer[] = [];
      let size = 0;
      incoming.on("error", failed);
      incoming.on("data", (chunk: Buffer) => {
        size += chunk.length;
        if (size > answerBytesMax) outgoing.destroy(new Error("the answer is too long"));
        else chunks.push(chunk);
      });
      incoming.on("end", () =>
        resolve({
          status: incoming.statusCode ?? 0,
          body: Buffer.concat(chunks).toString("utf8"),
          retryAfterMs: millisecondsOf(incoming.headers["retry-after"]),
        }),
      );
    });
    outgoing.end(body);
  });
}

function millisecondsOf(seconds: string | undefined): number | undefined {
  return /^\d{1,4}$/.test(seconds ?? "") ? Number(seconds) * msPerSecond : undefined;
}

function unreachable(url: URL, cause: unknown): OperationalError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new OperationalError(
    "COLLECTOR_UNREACHABLE",
    `cannot reach the collector at ${url.origin}: ${reason || "connection failed"}`,
    { retryable: true, cause },
  );
}

/** The JSON of a 200 answer. */
function bodyOf(answer: Answer): unknown {
  if (answer.status !== 200) throw unexpected(answer);
  return parseJson(answer.body);
}

/** What a refusal means stands in its body; without one, as from a proxy, nothing is given up. */
function unexpected({ status, body, retryAfterMs }: Answer): OperationalError {
  const nack = parseNack(parseJson(body));
  const says = `the collector answers ${status}`;
  if (nack.ok) return refusalOf({ ...nack.value, message: `${says}: ${nack.value.message}` });
  const code = status === 503 ? "OVERLOADED" : "COLLECTOR_UNREACHABLE";
  return new OperationalError(code, says, { retryable: true, retryAfterMs });
}

function malformed(what: string, problem: Problem): OperationalError {
  return new OperationalError(
    "COLLECTOR_UNREACHABLE",
    `the collector's ${what} cannot be read: ${problem.message}`,
    { retryable: true },
  );
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
