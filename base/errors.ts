/**
 * Every code an error can carry. `docs/errors.md` gives cause and remedy for each; a test keeps
 * the two equal.
 */
export const errorCodes = {
  ADDRESS_IN_USE: "a port is taken by another process",
  BATCH_INVALID: "a sketch batch does not decode",
  BATCH_TOO_LARGE: "a sketch batch exceeds its byte limit",
  BATCH_VERSION: "a sketch batch is of a version this collector does not know",
  COLLECTOR_UNREACHABLE: "the agent cannot reach its collector",
  CONFIG_INVALID: "a configuration field is missing, unknown or out of range",
  HASH_KEY_MISMATCH: "two agents hash customers with different keys",
  INTERNAL: "the program broke one of its own rules",
  NOT_FOUND: "no such incident, service or route",
  NOT_READY: "the collector is still recovering what it stored",
  ORIGIN_REFUSED: "a browser asks from another origin, or under a host name not served here",
  OTLP_INVALID: "an OTLP request does not decode",
  OTLP_TOO_LARGE: "an OTLP request exceeds a limit",
  OVERLOADED: "work in flight has reached its bound; try again later",
  PERMISSION_DENIED: "the token is good, but not for this",
  QUERY_INVALID: "a query parameter is unknown or out of range",
  SILENCES_FULL: "there are as many silences as are kept",
  SILENCE_INVALID: "a silence has no matcher, no end, or one out of range",
  SKETCH_INVALID: "a sketch does not decode or breaks its own laws",
  STORE_CORRUPT: "a stored record fails its checksum",
  STORE_LOCKED: "another process has the data directory",
  STORE_WRITE: "the store cannot write",
  STREAM_FORKED: "two agents send different batches under one stream and sequence number",
  UNAUTHENTICATED: "no token, or one that is unknown, revoked or past its end",
  STREAM_GAPS: "a stream has more holes than the collector keeps track of",
  UNSUPPORTED: "the content type, encoding or signal is not served here",
} as const;

export type ErrorCode = keyof typeof errorCodes;

export interface OperationalErrorOptions {
  readonly retryable?: boolean;
  readonly cause?: unknown;
  /** How long to wait before trying again, where the other side said so. */
  readonly retryAfterMs?: number | undefined;
}

/** A broken world: disk, network, another process. */
export class OperationalError extends Error {
  readonly code: ErrorCode;
  readonly retryable: boolean;
  readonly retryAfterMs: number | undefined;

  constructor(code: ErrorCode, message: string, options: OperationalErrorOptions = {}) {
    super(message, { cause: options.cause });
    this.name = "OperationalError";
    this.code = code;
    this.retryable = options.retryable ?? false;
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** A broken program: the condition cannot be false, whatever the input. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(`assertion failed: ${message}`);
}
