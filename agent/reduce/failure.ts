/**
 * Whether a span failed. Its status decides where it is set: ERROR failed, OK did not. Where it is
 * unset the protocol's own code decides:
 *
 *   HTTP  5xx on both sides; 4xx on a client, which sent what the server refused
 *   gRPC  any code but OK and CANCELLED on a client (cancelling is a client's choice); on a server
 *         those that are the server's fault
 *
 * `error.type` alone is no failure: conventions ask for a status beside it.
 */
import { firstOf, type SpanFacts } from "./attributes.ts";

const statusOk = 1;
const statusError = 2;

const grpcNames = [
  "OK",
  "CANCELLED",
  "UNKNOWN",
  "INVALID_ARGUMENT",
  "DEADLINE_EXCEEDED",
  "NOT_FOUND",
  "ALREADY_EXISTS",
  "PERMISSION_DENIED",
  "RESOURCE_EXHAUSTED",
  "FAILED_PRECONDITION",
  "ABORTED",
  "OUT_OF_RANGE",
  "UNIMPLEMENTED",
  "INTERNAL",
  "UNAVAILABLE",
  "DATA_LOSS",
  "UNAUTHENTICATED",
];

const grpcServerFailures: ReadonlySet<string> = new Set([
  "UNKNOWN",
  "DEADLINE_EXCEEDED",
  "UNIMPLEMENTED",
  "INTERNAL",
  "UNAVAILABLE",
  "DATA_LOSS",
]);

export function failedOf(facts: SpanFacts): boolean {
  if (facts.statusCode === statusError) return true;
  if (facts.statusCode === statusOk) return false;
  return rpcFailed(facts) || httpFailed(facts);
}

function httpFailed(facts: SpanFacts): boolean {
  if (facts.kind !== "client" && facts.kind !== "server") return false;
  const status = Number(firstOf(facts, "http.response.status_code", "http.status_code"));
  return status >= (facts.kind === "client" ? 400 : 500) && status < 600;
}

function rpcFailed(facts: SpanFacts): boolean {
  if (facts.kind !== "client" && facts.kind !== "server") return false;
  const code = firstOf(
    facts,
    "rpc.status_code",
    "rpc.response.status_code",
    "rpc.grpc.status_code",
  );
  const name = grpcNames[Number(code || Number.NaN)] ?? code.toUpperCase();
  if (facts.kind === "server") return grpcServerFailures.has(name);
  return name !== "OK" && name !== "CANCELLED" && grpcNames.includes(name);
}
