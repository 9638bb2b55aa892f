/** Answers to OTLP requests in either encoding. */
import {
  type ExportOutcome,
  encodeExportResponse,
  encodeExportResponseJson,
  encodeRpcStatus,
  encodeRpcStatusJson,
} from "../../wire/otlp-response.ts";
import type { Signal } from "./signals.ts";

export type Encoding = "protobuf" | "json";

/** The export response of the signal; empty when everything was taken. */
export function successBody(
  encoding: Encoding,
  outcome: ExportOutcome,
  signal: Signal,
): Uint8Array {
  return encoding === "json"
    ? encodeExportResponseJson(outcome, signal)
    : encodeExportResponse(outcome);
}

/** gRPC's code for an HTTP status, by google.rpc.Code's own mapping. */
const rpcCodes: ReadonlyMap<number, number> = new Map([
  [404, 5],
  [405, 12],
  [413, 8],
  [415, 12],
  [503, 14],
]);
const invalidArgument = 3;

/** A google.rpc.Status for an HTTP refusal; `retryAfterMs` where coming back may help. */
export function refusalBody(
  encoding: Encoding,
  refusal: { status: number; message: string; retryAfterMs?: number },
): Uint8Array {
  const code = rpcCodes.get(refusal.status) ?? invalidArgument;
  const status = { code, message: refusal.message, retryAfterMs: refusal.retryAfterMs };
  return encoding === "json" ? encodeRpcStatusJson(status) : encodeRpcStatus(status);
}
