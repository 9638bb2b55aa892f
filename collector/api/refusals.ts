/** How the API says no: one shape, `{code, message}`, and one status for each code. */
import type { FastifyReply } from "fastify";
import { type ErrorCode, OperationalError } from "../../base/errors.ts";
import type { Problem } from "../../base/result.ts";

const statuses: { readonly [Code in ErrorCode]?: number } = {
  BATCH_INVALID: 400,
  BATCH_TOO_LARGE: 413,
  BATCH_VERSION: 415,
  HASH_KEY_MISMATCH: 409,
  NOT_FOUND: 404,
  NOT_READY: 503,
  ORIGIN_REFUSED: 403,
  PERMISSION_DENIED: 403,
  OVERLOADED: 503,
  QUERY_INVALID: 400,
  SILENCES_FULL: 409,
  SILENCE_INVALID: 400,
  SKETCH_INVALID: 400,
  STORE_WRITE: 503,
  STREAM_FORKED: 409,
  STREAM_GAPS: 412,
  UNAUTHENTICATED: 401,
  UNSUPPORTED: 415,
};
const msPerSecond = 1_000;
const retryAfterMsDefault = 5_000;

export function statusOf(code: ErrorCode): number {
  return statuses[code] ?? 500;
}

export function sendProblem(reply: FastifyReply, problem: Problem): FastifyReply {
  const status = statusOf(problem.code);
  const { code, message, retryAfterMs = retryAfterMsDefault } = problem;
  if (status === 503) reply.header("retry-after", String(Math.ceil(retryAfterMs / msPerSecond)));
  if (status === 401) reply.header("www-authenticate", "Bearer");
  return reply
    .code(status)
    .type("application/json; charset=utf-8")
    .send(status === 503 ? { code, message, retryAfterMs } : { code, message });
}

interface RequestError extends Error {
  readonly code?: string;
  readonly statusCode?: number;
  readonly validation?: readonly { instancePath?: string; params?: Record<string, unknown> }[];
}

/** What went wrong with a request, in our words; undefined when the fault is ours. */
export function problemOf(error: RequestError, bodyBytesMax: number): Problem | undefined {
  if (error instanceof OperationalError) {
    const { code, message, retryAfterMs } = error;
    return { code, message, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
  }
  if (error.validation !== undefined) {
    return { code: "QUERY_INVALID", message: validationMessage(error) };
  }
  switch (error.code) {
    case "FST_ERR_CTP_BODY_TOO_LARGE":
      return { code: "BATCH_TOO_LARGE", message: `the body exceeds ${bodyBytesMax} bytes` };
    case "FST_ERR_CTP_INVALID_MEDIA_TYPE":
      return { code: "UNSUPPORTED", message: "the content type is not taken here" };
    case "FST_ERR_CTP_INVALID_CONTENT_LENGTH":
      return { code: "BATCH_INVALID", message: "the body is not as long as content-length says" };
    default:
      return (error.statusCode ?? 500) < 500
        ? { code: "QUERY_INVALID", message: error.message }
        : undefined;
  }
}

function validationMessage(error: RequestError): string {
  const unknown = error.validation?.[0]?.params?.additionalProperty;
  return unknown === undefined
    ? error.message
    : `the query parameter ${JSON.stringify(unknown)} is not known`;
}
