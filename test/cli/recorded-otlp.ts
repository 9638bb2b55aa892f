/** OTLP/JSON made here: two services calling each other, so that every number is known. */
import { transcodeOtlpJson } from "../../wire/otlp-json.ts";

export const recordingStartMs = Date.parse("2024-05-01T12:00:00Z");

interface CallOptions {
  /** How many calls, one a `stepMs`. */
  readonly count: number;
  readonly stepMs: number;
  readonly firstId?: number;
  /** From `recordingStartMs` to the first call. */
  readonly offsetMs?: number;
}

/** Each call is a client span in `web` and the server span in `api` it caused. */
export function callsAsJson({ count, stepMs, firstId = 1, offsetMs = 0 }: CallOptions): object {
  const calls = Array.from({ length: count }, (_, index) => ({
    id: firstId + index,
    atMs: recordingStartMs + offsetMs + index * stepMs,
  }));
  const client = calls.map(({ id, atMs }) =>
    span({ id: id * 2, parent: 0, trace: id, kind: 3, startMs: atMs, endMs: atMs + 20 }),
  );
  const server = calls.map(({ id, atMs }) =>
    span({
      id: id * 2 + 1,
      parent: id * 2,
      trace: id,
      kind: 2,
      startMs: atMs + 2,
      endMs: atMs + 12,
    }),
  );
  return { resourceSpans: [resourceSpans("web", client), resourceSpans("api", server)] };
}

export function asProtobuf(request: object): Uint8Array {
  const bytes = transcodeOtlpJson(Buffer.from(JSON.stringify(request)));
  if (!bytes.ok) throw new Error(bytes.error.message);
  return bytes.value;
}

interface SpanOptions {
  readonly id: number;
  readonly parent: number;
  readonly trace: number;
  readonly kind: number;
  readonly startMs: number;
  readonly endMs: number;
}

function span({ id, parent, trace, kind, startMs, endMs }: SpanOptions): object {
  return {
    traceId: hex(trace, 32),
    spanId: hex(id, 16),
    ...(parent === 0 ? {} : { parentSpanId: hex(parent, 16) }),
    name: "GET /things",
    kind,
    startTimeUnixNano: `${startMs}000000`,
    endTimeUnixNano: `${endMs}000000`,
  };
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, "0");
}

function resourceSpans(service: string, spans: readonly object[]): object {
  return {
    resource: { attributes: [{ key: "service.name", value: { stringValue: service } }] },
    scopeSpans: [{ scope: { name: "test" }, spans }],
  };
}
