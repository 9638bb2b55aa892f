/**
 * The link to a collector over HTTP: `POST /api/v1/batches`, `GET /api/v1/thresholds`.
 *
 * 400, 409 and 413 mean this batch will never be taken; any other answer but 200, and any network
 * fault or timeout, may pass. Answers are read up to a bound and checked before use.
 */
import { Agent as HttpAgent, request as httpRequest, type RequestOptions } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { type ErrorCode, OperationalError } from "../../base/errors.ts";
import type { Problem } from "../../base/result.ts";
import { type CollectorLink, parseAck, parseThresholds } from "../../wire/agent-link.ts";

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
}

const timeoutMsDefault = 10_000;
const answerBytesMax = 64 * 1_048_576;
const messageCharactersMax = 500;
const refusals: ReadonlyMap<number, ErrorCode> = new Map([
  [400, "BATCH_INVALID"],
  [409, "STREAM_FORKED"],
  [413, "BATCH_TOO_LARGE"],
]);

/** A link to the collector whose base address is `url`. */
export function createHttpLink(url: string, options: HttpLinkOptions = {}): HttpLink {
  const base = new URL(url);
  const secure = base.protocol === "https:";
  const agent = new (secure ? HttpsAgent : HttpAgent)({ keepAlive: true, maxSockets: 2 });
  const call = (path: string, method: string, body?: Uint8Array): Promise<Answer> =>
    exchange(secure ? httpsRequest : httpRequest, {
      url: new URL(path, base),
      timeoutMs: options.timeoutMs ?? timeoutMsDefault,
      token: options.token,
      body,
      request: { agent, method },
    });
  return {
    async send(batch) {
      const ack = parseAck(bodyOf(await call("/api/v1/batches", "POST", batch)));
      if (!ack.ok) throw malformed("acknowledgement", ack.error);
      return ack.value;
    },
    async thresholds() {
      const thresholds = parseThresholds(bodyOf(await call("/api/v1/thresholds", "GET")));
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
  readonly body: Uint8Array | undefined;
  readonly request: RequestOptions;
}

function exchange(send: typeof httpRequest, options: Exchange): Promise<Answer> {
  const { url, timeoutMs, token, body } = options;
  return new Promise((resolve, reject) => {
    const outgoing = send(url, {
      ...options.request,
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
        resolve({ status: incoming.statusCode ?? 0, body: Buffer.concat(chunks).toString("utf8") }),
      );
    });
    outgoing.end(body);
  });
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

function unexpected(answer: Answer): OperationalError {
  const code = refusals.get(answer.status);
  const says = messageIn(answer.body);
  const message = `the collector answers ${answer.status}${says === "" ? "" : `: ${says}`}`;
  return code === undefined
    ? new OperationalError(
        answer.status === 503 ? "OVERLOADED" : "COLLECTOR_UNREACHABLE",
        message,
        {
          retryable: true,
        },
      )
    : new OperationalError(code, message);
}

function messageIn(body: string): string {
  const parsed = parseJson(body);
  if (typeof parsed !== "object" || parsed === null || !("message" in parsed)) return "";
  return typeof parsed.message === "string" ? parsed.message.slice(0, messageCharactersMax) : "";
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
