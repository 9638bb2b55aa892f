/**
 * OTLP/gRPC on bare node:http2, without TLS: unary calls of TraceService/Export and of
 * MetricsService/Export by hand.
 *
 * A call is one HTTP/2 stream: a POST whose body is one message, framed by a byte that says whether
 * it is compressed and four bytes of length. The answer is a message and the trailers grpc-status
 * and grpc-message; a refusal is trailers alone. Source: gRPC over HTTP2, and OTLP 1.x, "OTLP/gRPC".
 */
import {
  constants,
  createServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from "node:http2";
import type { Clock } from "../../base/clock.ts";
import type { Counter, Meter } from "../../base/meter.ts";
import type { Problem } from "../../base/result.ts";
import { encodeRpcStatus } from "../../wire/otlp-response.ts";
import { Body, type BodyLimits, type Taken } from "./body.ts";
import { inflate } from "./inflate.ts";
import { successBody } from "./otlp-answer.ts";
import { grpcSignalOf, type Ingest, type Signal, signalHint } from "./signals.ts";
import { tendSession } from "./tend-session.ts";
import { atOnce, createTurns, type InTurn } from "./turns.ts";

export interface GrpcReceiverOptions extends BodyLimits {
  readonly connectionsMax: number;
  readonly clock: Clock;
  readonly meter: Meter;
  readonly ingest: Ingest;
}

/** The codes of gRPC that are answered here. */
const grpcCodes = {
  OK: 0,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  RESOURCE_EXHAUSTED: 8,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
} as const;

type GrpcCode = keyof typeof grpcCodes;

interface Refusal {
  readonly code: GrpcCode;
  readonly message: string;
  readonly retryAfterMs?: number;
}

const frameHeaderSize = 5;
const bodyTimeoutMs = 15_000;
const retryAfterMsDefault = 5_000;
const streamsPerSessionMax = 16;
const streamWindowSize = 1_048_576;
const headerListSizeMax = 16_384;
const sessionMemoryMebibytesMax = 16;
const acceptEncoding = "identity,gzip";

export function createGrpcReceiver(options: GrpcReceiverOptions): Http2Server {
  const shed = options.meter.counter(
    "brunt_agent_requests_shed_total",
    "Requests refused because the bytes in flight reached their bound.",
    { receiver: "grpc" },
  );
  const inTurn = createTurns();
  const server = createServer({
    maxSessionMemory: sessionMemoryMebibytesMax,
    settings: {
      maxConcurrentStreams: streamsPerSessionMax,
      initialWindowSize: streamWindowSize,
      maxHeaderListSize: headerListSizeMax,
    },
  });
  server.maxConnections = options.connectionsMax;
  const floods = options.meter.counter(
    "brunt_agent_sessions_flooding_total",
    "HTTP/2 sessions cut off because they sent control frames and nothing else.",
  );
  server.on("session", (session) => tendSession(session, { clock: options.clock, floods }));
  server.on("stream", (stream, headers) => {
    stream.on("error", () => stream.close(constants.NGHTTP2_CANCEL));
    receive(stream, headers, options, { shed, inTurn });
  });
  return server;
}

function receive(
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  options: GrpcReceiverOptions,
  { shed, inTurn }: { readonly shed: Counter; readonly inTurn: InTurn },
): void {
  const type = headers["content-type"] ?? "";
  const path = headers[":path"] ?? "";
  const signal = grpcSignalOf(path);
  if (headers[":method"] !== "POST" || !type.startsWith("application/grpc")) {
    stream.respond({ ":status": 415 }, { endStream: true });
    stream.close(constants.NGHTTP2_NO_ERROR);
  } else if (signal === undefined) {
    respond(stream, { code: "UNIMPLEMENTED", message: signalHint(path) });
  } else {
    const encoding = String(headers["grpc-encoding"] ?? "identity");
    const whenWhole = encoding === "identity" ? atOnce : inTurn;
    readBody(stream, { options, whenWhole }, (outcome) => {
      if (outcome === "aborted") return;
      const answer = answerTo(outcome, { encoding, signal }, options);
      if ("code" in answer && answer.code === "UNAVAILABLE") shed.add();
      respond(stream, answer);
    });
  }
}

interface Call {
  readonly encoding: string;
  readonly signal: Signal;
}

function answerTo(
  outcome: Exclude<BodyOutcome, "aborted">,
  call: Call,
  options: GrpcReceiverOptions,
): Uint8Array | Refusal {
  switch (outcome) {
    case "overloaded":
      return overloaded("too many bytes in flight, try again later");
    case "too large":
      return { code: "RESOURCE_EXHAUSTED", message: `message exceeds ${options.bytesMax} bytes` };
    case "too long":
      return { code: "INTERNAL", message: "call holds more than its one message" };
    case "too slow":
      return {
        code: "DEADLINE_EXCEEDED",
        message: `message did not arrive within ${bodyTimeoutMs} ms`,
      };
    default:
      return exported(outcome, call, options);
  }
}

type BodyOutcome = Uint8Array | Exclude<Taken, "kept"> | "too slow" | "aborted";

/** Reads the body within the budget and reports once; what it took is given back afterwards. */
function readBody(
  stream: ServerHttp2Stream,
  { options, whenWhole }: { readonly options: GrpcReceiverOptions; readonly whenWhole: InTurn },
  report: (outcome: BodyOutcome) => void,
): void {
  const body = new Body({ ...options, bytesMax: options.bytesMax + frameHeaderSize });
  let open = true;
  let isFirst = true;
  const cancelTimeout = options.clock.after(bodyTimeoutMs, () => close("too slow"));
  const close = (outcome: BodyOutcome): void => {
    if (!open) return;
    open = false;
    cancelTimeout();
    try {
      report(outcome);
    } finally {
      body.close();
    }
  };
  stream.on("data", (chunk: Buffer) => {
    if (!open) return;
    const announced = isFirst && chunk.length >= frameHeaderSize ? announce(body, chunk) : "kept";
    isFirst = false;
    const taken = announced === "kept" ? body.add(chunk) : announced;
    if (taken !== "kept") close(taken);
  });
  stream.on("end", () => {
    whenWhole(() => {
      if (open) close(body.bytes());
    });
  });
  stream.on("close", () => close("aborted"));
}

/** A frame says its length in front. */
function announce(body: Body, firstChunk: Buffer): Taken {
  return body.expect(frameHeaderSize + firstChunk.readUInt32BE(1));
}

function exported(
  body: Uint8Array,
  { encoding, signal }: Call,
  options: GrpcReceiverOptions,
): Uint8Array | Refusal {
  const framed = unframe(body, encoding, options);
  if (!(framed instanceof Uint8Array)) return framed;
  const result = options.ingest[signal](framed);
  if (!result.ok) return refusalOf(result.error);
  const { rejected, message } = result.value;
  return successBody("protobuf", { rejected, errorMessage: message }, signal);
}

/** The one message of a unary call. */
function unframe(
  body: Uint8Array,
  encoding: string,
  options: GrpcReceiverOptions,
): Uint8Array | Refusal {
  if (body.length < frameHeaderSize) {
    return { code: "INTERNAL", message: `call of ${body.length} bytes holds no message` };
  }
  const length = new DataView(body.buffer, body.byteOffset).getUint32(1);
  if (length !== body.length - frameHeaderSize) {
    const held = body.length - frameHeaderSize;
    return { code: "INTERNAL", message: `message of ${length} bytes in a call of ${held}` };
  }
  const message = body.subarray(frameHeaderSize);
  if (body[0] === 0) {
    const plain = inflate(message, "identity", options);
    return plain.ok ? plain.value : refusalOf(plain.error);
  }
  if (body[0] !== 1 || encoding === "identity") {
    return {
      code: "INTERNAL",
      message: "message is compressed, but grpc-encoding does not say how",
    };
  }
  const inflated = inflate(message, encoding, options);
  return inflated.ok ? inflated.value : refusalOf(inflated.error);
}

function overloaded(message: string): Refusal {
  return { code: "UNAVAILABLE", message, retryAfterMs: retryAfterMsDefault };
}

function refusalOf(problem: Problem): Refusal {
  if (problem.code === "OVERLOADED") return overloaded(problem.message);
  const code = codes[problem.code] ?? "INVALID_ARGUMENT";
  return { code, message: problem.message };
}

const codes: Readonly<Partial<Record<Problem["code"], GrpcCode>>> = {
  OTLP_INVALID: "INVALID_ARGUMENT",
  OTLP_TOO_LARGE: "RESOURCE_EXHAUSTED",
  UNSUPPORTED: "UNIMPLEMENTED",
};

function respond(stream: ServerHttp2Stream, answer: Uint8Array | Refusal): void {
  if (stream.destroyed || stream.headersSent) return;
  if (answer instanceof Uint8Array) succeed(stream, answer);
  else refuse(stream, answer);
}

function succeed(stream: ServerHttp2Stream, answer: Uint8Array): void {
  stream.respond(
    {
      ":status": 200,
      "content-type": "application/grpc",
      "grpc-accept-encoding": acceptEncoding,
    },
    { waitForTrailers: true },
  );
  stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
  const frame = new Uint8Array(frameHeaderSize + answer.length);
  new DataView(frame.buffer).setUint32(1, answer.length);
  frame.set(answer, frameHeaderSize);
  stream.end(frame);
}

/** Trailers alone; the rest of the body is not read. */
function refuse(stream: ServerHttp2Stream, refusal: Refusal): void {
  const code = grpcCodes[refusal.code];
  const { message, retryAfterMs } = refusal;
  stream.respond(
    {
      ":status": 200,
      "content-type": "application/grpc",
      "grpc-accept-encoding": acceptEncoding,
      "grpc-status": String(code),
      "grpc-message": percentEncode(message),
      ...(retryAfterMs === undefined
        ? {}
        : { "grpc-status-details-bin": base64(encodeRpcStatus({ code, message, retryAfterMs })) }),
    },
    { endStream: true },
  );
  stream.close(constants.NGHTTP2_NO_ERROR);
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64");
}

/** Bytes of UTF-8 outside printable ASCII, and the percent sign, as %XX. */
function percentEncode(message: string): string {
  return [...Buffer.from(message, "utf8")]
    .map((byte) =>
      byte >= 0x20 && byte <= 0x7e && byte !== 0x25
        ? String.fromCharCode(byte)
        : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`,
    )
    .join("");
}
