/**
 * What an OTLP receiver answers, as protobuf and as JSON: the export response with its partial
 * success, and for a refusal google.rpc.Status, with RetryInfo only where a retry may help.
 *
 *   ExportTraceServiceResponse{1 partial_success{1 rejected_spans int64, 2 error_message}}
 *   ExportMetricsServiceResponse{1 partial_success{1 rejected_data_points int64, 2 error_message}}
 *   Status{1 code, 2 message, 3 details: Any{1 type_url, 2 value}}
 *   RetryInfo{1 retry_delay: Duration{1 seconds, 2 nanos}}
 *
 * Source: opentelemetry.io/docs/specs/otlp; google/rpc/status.proto and error_details.proto.
 */
import { ProtoWriter } from "./proto-writer.ts";

/** An empty `errorMessage` and nothing rejected is full success, and an empty message. */
export interface ExportOutcome {
  /** Spans, or data points. */
  readonly rejected: number;
  readonly errorMessage: string;
}

/** What OTLP/JSON calls the count of what was rejected. */
const rejectedNames = { traces: "rejectedSpans", metrics: "rejectedDataPoints" } as const;

/** A refusal; `retryAfterMs` is undefined where the same request would fail again. */
export interface RpcStatus {
  /** gRPC status code. */
  readonly code: number;
  readonly message: string;
  readonly retryAfterMs: number | undefined;
}

const retryInfoType = "type.googleapis.com/google.rpc.RetryInfo";
const utf8 = new TextEncoder();

export function encodeExportResponse(outcome: ExportOutcome): Uint8Array {
  const writer = new ProtoWriter();
  if (!isFullSuccess(outcome)) {
    const mark = writer.open(1);
    if (outcome.rejected > 0) writer.integer(1, outcome.rejected);
    if (outcome.errorMessage !== "") writer.text(2, outcome.errorMessage);
    writer.close(mark);
  }
  return writer.finish();
}

/** As JSON, where a 64-bit integer is a string. */
export function encodeExportResponseJson(
  outcome: ExportOutcome,
  signal: keyof typeof rejectedNames,
): Uint8Array {
  if (isFullSuccess(outcome)) return utf8.encode("{}");
  const { rejected, errorMessage } = outcome;
  const partialSuccess = { [rejectedNames[signal]]: String(rejected), errorMessage };
  return utf8.encode(JSON.stringify({ partialSuccess }));
}

export function encodeRpcStatus(status: RpcStatus): Uint8Array {
  const writer = new ProtoWriter();
  if (status.code !== 0) writer.integer(1, status.code);
  if (status.message !== "") writer.text(2, status.message);
  if (status.retryAfterMs !== undefined) {
    const any = writer.open(3);
    writer.text(1, retryInfoType);
    const value = writer.open(2);
    writeRetryInfo(writer, status.retryAfterMs);
    writer.close(value);
    writer.close(any);
  }
  return writer.finish();
}

function writeRetryInfo(writer: ProtoWriter, retryAfterMs: number): void {
  const seconds = Math.floor(retryAfterMs / 1000);
  const nanos = Math.floor((retryAfterMs - seconds * 1000) * 1e6);
  const delay = writer.open(1);
  if (seconds > 0) writer.integer(1, seconds);
  if (nanos > 0) writer.integer(2, nanos);
  writer.close(delay);
}

/** As JSON, where an Any is an object with its type and a Duration is seconds with an "s". */
export function encodeRpcStatusJson(status: RpcStatus): Uint8Array {
  const { code, message, retryAfterMs } = status;
  const details =
    retryAfterMs === undefined
      ? {}
      : { details: [{ "@type": retryInfoType, retryDelay: `${retryAfterMs / 1000}s` }] };
  return utf8.encode(JSON.stringify({ code, message, ...details }));
}

function isFullSuccess(outcome: ExportOutcome): boolean {
  return outcome.rejected === 0 && outcome.errorMessage === "";
}
