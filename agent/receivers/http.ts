/**
 * OTLP/HTTP on bare node:http: POST /v1/traces and /v1/metrics as protobuf or JSON, plain or gzip;
 * and what an operator asks of the same port: GET /metrics, /livez and /readyz.
 *
 * Bodies are held within a budget taken before a chunk is kept. Answers have the content type of
 * the request; refusals carry a google.rpc.Status. 400, 404, 405, 411, 413 and 415 are final, 503
 * asks to come back. Source: OTLP specification 1.x, "OTLP/HTTP".
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Counter, Meter } from "../../base/meter.ts";
import type { Problem } from "../../base/result.ts";
import { Body, type BodyLimits, type Taken } from "./body.ts";
import { inflate } from "./inflate.ts";
import { type Encoding, refusalBody, successBody } from "./otlp-answer.ts";
import { httpSignalOf, type Ingest, type Signal, signalHint, transcoders } from "./signals.ts";
import { atOnce, createTurns, type InTurn } from "./turns.ts";

export interface HttpReceiverOptions extends BodyLimits {
  readonly connectionsMax: number;
  readonly meter: Meter;
  readonly ingest: Ingest;
  /** The text of GET /metrics. */
  renderMetrics(): string | Promise<string>;
  /** Whether GET /readyz says yes. */
  isReady(): boolean;
  /** Why it does less than it should, which GET /readyz tells; undefined when all is well. */
  degraded(): string | undefined;
}

const headersTimeoutMs = 10_000;
const requestTimeoutMs = 15_000;
const keepAliveTimeoutMs = 60_000;
const checkIntervalMs = 1_000;
const retryAfterSeconds = 5;
const metricsType = "text/plain; version=0.0.4; charset=utf-8";
/** An answer may come before the body has; a client that sends on and on is cut off here. */
const discardedBytesMax = 32 * 1_048_576;

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: Uint8Array | string;
  readonly headers?: Readonly<Record<string, string>>;
}

export function createHttpReceiver(options: HttpReceiverOptions): Server {
  const shed = options.meter.counter(
    "brunt_agent_requests_shed_total",
    "Requests refused because the bytes in flight reached their bound.",
    { receiver: "http" },
  );
  const inTurn = createTurns();
  const server = createServer(
    { connectionsCheckingInterval: checkIntervalMs },
    (request, response) => {
      const path = (request.url ?? "").split("?", 1)[0] as string;
      const signal = httpSignalOf(path);
      if (signal !== undefined) receive(request, response, options, { signal, shed, inTurn });
      else if (path === "/metrics" && isRead(request))
        void answerMetrics(request, response, options);
      else answer(request, response, otherPath(request, path, options));
    },
  );
  server.headersTimeout = headersTimeoutMs;
  server.requestTimeout = requestTimeoutMs;
  server.keepAliveTimeout = keepAliveTimeoutMs;
  server.maxConnections = options.connectionsMax;
  return server;
}

/** Refuses what the headers already rule out, else reads the body. */
function receive(
  request: IncomingMessage,
  response: ServerResponse,
  options: HttpReceiverOptions,
  how: { readonly signal: Signal; readonly shed: Counter; readonly inTurn: InTurn },
): void {
  const { signal, shed, inTurn } = how;
  const encoding = encodingOf(request);
  const refusedEarly = headerRefusal(request, { encoding, signal }, options.bytesMax);
  if (refusedEarly !== undefined || encoding === undefined) {
    if (refusedEarly !== undefined) answer(request, response, refusedEarly);
    return;
  }
  const whenWhole = codingOf(request) === "identity" ? atOnce : inTurn;
  readBody(request, { options, whenWhole }, (outcome) => {
    if (outcome === "aborted") return;
    const content = answerTo(request, outcome, { encoding, signal, options });
    if (content.status === 503) shed.add();
    answer(request, response, content);
  });
}

/** The answer to a request that its headers rule out. */
function headerRefusal(
  request: IncomingMessage,
  { encoding, signal }: { readonly encoding: Encoding | undefined; readonly signal: Signal },
  bytesMax: number,
): Answer | undefined {
  if (request.method !== "POST") {
    return { ...refusal(405, "json", `use POST for /v1/${signal}`), headers: { allow: "POST" } };
  }
  if (encoding === undefined) {
    const hint = "content-type must be application/x-protobuf or application/json";
    return refusal(415, "json", hint);
  }
  const declared = Number(request.headers["content-length"] ?? 0);
  if (declared > bytesMax) {
    return refusal(413, encoding, `request of ${declared} bytes exceeds ${bytesMax}`);
  }
  return isFramed(request) ? undefined : refusal(411, encoding, "content-length is missing");
}

interface ExportContext {
  readonly encoding: Encoding;
  readonly signal: Signal;
  readonly options: HttpReceiverOptions;
}

function answerTo(
  request: IncomingMessage,
  outcome: Exclude<BodyOutcome, "aborted">,
  context: ExportContext,
): Answer {
  const { encoding, options } = context;
  if (outcome === "overloaded") return overloaded(encoding);
  if (outcome === "too large" || outcome === "too long") {
    return refusal(413, encoding, `request exceeds ${options.bytesMax} bytes`);
  }
  return exported(request, outcome, context);
}

type BodyOutcome = Uint8Array | Exclude<Taken, "kept"> | "aborted";

/** Reads the body within the budget and reports once; what it took is given back afterwards. */
function readBody(
  request: IncomingMessage,
  { options, whenWhole }: { readonly options: HttpReceiverOptions; readonly whenWhole: InTurn },
  report: (outcome: BodyOutcome) => void,
): void {
  const body = new Body(options);
  let open = true;
  let isWhole = false;
  const close = (outcome: BodyOutcome): void => {
    if (!open) return;
    open = false;
    try {
      report(outcome);
    } finally {
      body.close();
    }
  };
  const taken = body.expect(Number(request.headers["content-length"] ?? 0));
  if (taken !== "kept") {
    close(taken);
    return;
  }
  request.on("data", (chunk: Buffer) => {
    if (!open) return;
    const taken = body.add(chunk);
    if (taken !== "kept") close(taken);
  });
  request.on("end", () => {
    isWhole = true;
    whenWhole(() => {
      if (open) close(body.bytes());
    });
  });
  request.on("error", () => close("aborted"));
  // A request is closed as soon as all of it has been read.
  request.on("close", () => {
    if (!isWhole) close("aborted");
  });
}

function codingOf(request: IncomingMessage): string {
  return (request.headers["content-encoding"] ?? "identity").trim().toLowerCase();
}

/** The answer to a whole body: inflated, transcoded when JSON, reduced. */
function exported(request: IncomingMessage, body: Uint8Array, context: ExportContext): Answer {
  const { encoding, signal, options } = context;
  const inflated = inflate(body, codingOf(request), options);
  if (!inflated.ok) return refused(inflated.error, encoding);
  const protobuf = encoding === "json" ? transcoders[signal](inflated.value) : inflated;
  if (!protobuf.ok) return refused(protobuf.error, encoding);
  const result = options.ingest[signal](protobuf.value);
  if (!result.ok) return refused(result.error, encoding);
  const { rejected, message } = result.value;
  const outcome = { rejected, errorMessage: message };
  const sent = successBody(encoding, outcome, signal);
  return { status: 200, type: contentType(encoding), body: sent };
}

function refused(problem: Problem, encoding: Encoding): Answer {
  if (problem.code === "OVERLOADED") return overloaded(encoding);
  const status = statuses[problem.code] ?? 400;
  return refusal(status, encoding, problem.message);
}

const statuses: Readonly<Partial<Record<Problem["code"], number>>> = {
  OTLP_INVALID: 400,
  OTLP_TOO_LARGE: 413,
  UNSUPPORTED: 415,
};

function refusal(status: number, encoding: Encoding, message: string): Answer {
  return { status, type: contentType(encoding), body: refusalBody(encoding, { status, message }) };
}

function overloaded(encoding: Encoding): Answer {
  return {
    status: 503,
    type: contentType(encoding),
    headers: { "retry-after": String(retryAfterSeconds) },
    body: refusalBody(encoding, {
      status: 503,
      message: "too many bytes in flight, try again later",
      retryAfterMs: retryAfterSeconds * 1_000,
    }),
  };
}

function otherPath(request: IncomingMessage, path: string, options: HttpReceiverOptions): Answer {
  if (isRead(request) && path === "/livez")
    return { status: 200, type: "text/plain", body: "ok\n" };
  if (isRead(request) && path === "/readyz") return readiness(options);
  return refusal(404, encodingOf(request) ?? "json", signalHint(path));
}

function readiness({ isReady, degraded }: HttpReceiverOptions): Answer {
  const type = "text/plain";
  if (!isReady()) return { status: 503, type, body: "starting\n" };
  const problem = degraded();
  // Spans are taken all the same: who would not send them here any more would lose them.
  return { status: 200, type, body: problem === undefined ? "ok\n" : `degraded: ${problem}\n` };
}

function isRead({ method }: IncomingMessage): boolean {
  return method === "GET" || method === "HEAD";
}

/** Several workers have to be asked for their figures, one has its own at hand. */
async function answerMetrics(
  request: IncomingMessage,
  response: ServerResponse,
  options: HttpReceiverOptions,
): Promise<void> {
  const body = await options.renderMetrics();
  answer(request, response, { status: 200, type: metricsType, body });
}

function answer(request: IncomingMessage, response: ServerResponse, content: Answer): void {
  if (response.headersSent || response.destroyed) return;
  response.writeHead(content.status, {
    "content-type": content.type,
    "content-length": Buffer.byteLength(content.body),
    ...content.headers,
  });
  // Nothing in place of an empty body: head and end are one write then.
  const isEmpty = request.method === "HEAD" || content.body.length === 0;
  response.end(isEmpty ? undefined : content.body);
  discardRest(request);
}

/** Reads on without keeping anything, so the client comes to read its answer. */
function discardRest(request: IncomingMessage): void {
  if (request.complete) return;
  let discarded = 0;
  request.on("data", (chunk: Buffer) => {
    discarded += chunk.length;
    if (discarded > discardedBytesMax) request.destroy();
  });
}

function encodingOf(request: IncomingMessage): Encoding | undefined {
  const type = (request.headers["content-type"] ?? "").split(";", 1)[0]?.trim().toLowerCase();
  if (type === "application/x-protobuf") return "protobuf";
  return type === "application/json" ? "json" : undefined;
}

function contentType(encoding: Encoding): string {
  return encoding === "json" ? "application/json" : "application/x-protobuf";
}

/** A body without length or chunks has no end but the connection's. */
function isFramed(request: IncomingMessage): boolean {
  return (
    request.headers["content-length"] !== undefined ||
    request.headers["transfer-encoding"] !== undefined
  );
}
