import { ProtobufTraceSerializer } from "@opentelemetry/otlp-transformer";
import { describe, expect, test } from "vitest";
import {
  encodeExportResponse,
  encodeExportResponseJson,
  encodeRpcStatus,
  encodeRpcStatusJson,
} from "../../wire/otlp-response.ts";
import { encodeFields, hexOf, message, text, varint } from "./proto-tree.ts";

const parsed = (bytes: Uint8Array): unknown => JSON.parse(new TextDecoder().decode(bytes));

describe("export responses", () => {
  test("full success is an empty message", () => {
    const outcome = { rejected: 0, errorMessage: "" };
    expect(encodeExportResponse(outcome)).toHaveLength(0);
    expect(parsed(encodeExportResponseJson(outcome, "traces"))).toEqual({});
  });

  test.each([
    [1, "trace_id is all zero"],
    [300, "größer ".repeat(40)],
    [2 ** 40, ""],
    [0, "a warning"],
  ])("%d rejected, in OpenTelemetry's own reading", (rejected, errorMessage) => {
    const outcome = { rejected, errorMessage };
    const decoded = ProtobufTraceSerializer.deserializeResponse(encodeExportResponse(outcome));
    expect(Number(decoded.partialSuccess?.rejectedSpans ?? 0)).toBe(rejected);
    expect(decoded.partialSuccess?.errorMessage ?? "").toBe(errorMessage);
    expect(parsed(encodeExportResponseJson(outcome, "traces"))).toEqual({
      partialSuccess: { rejectedSpans: String(rejected), errorMessage },
    });
    expect(parsed(encodeExportResponseJson(outcome, "metrics"))).toEqual({
      partialSuccess: { rejectedDataPoints: String(rejected), errorMessage },
    });
  });
});

describe("refusals", () => {
  const type = "type.googleapis.com/google.rpc.RetryInfo";

  test("one that must not be retried has no details", () => {
    const status = { code: 3, message: "malformed", retryAfterMs: undefined };
    expect(hexOf(encodeRpcStatus(status))).toBe(
      hexOf(encodeFields([varint(1, 3), text(2, "malformed")])),
    );
    expect(parsed(encodeRpcStatusJson(status))).toEqual({ code: 3, message: "malformed" });
  });

  test.each([
    [1_500, [varint(1, 1), varint(2, 500_000_000)], "1.5s"],
    [30_000, [varint(1, 30)], "30s"],
    [0, [], "0s"],
  ])("one to be retried after %d ms says so", (retryAfterMs, duration, asText) => {
    const status = { code: 14, message: "busy", retryAfterMs };
    const details = message(3, text(1, type), message(2, message(1, ...duration)));
    expect(hexOf(encodeRpcStatus(status))).toBe(
      hexOf(encodeFields([varint(1, 14), text(2, "busy"), details])),
    );
    expect(parsed(encodeRpcStatusJson(status))).toEqual({
      code: 14,
      message: "busy",
      details: [{ "@type": type, retryDelay: asText }],
    });
  });
});
