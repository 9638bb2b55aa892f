/**
 * Recorded OTLP traces as validated protobuf requests. Content decides the format, not the name:
 *
 *   json        one ExportTraceServiceRequest (or TracesData) as OTLP/JSON
 *   json-lines  one of them a line, as the Collector's file exporter writes
 *   protobuf    one request, or several, each after its length in 4 bytes, big-endian
 *
 * Any of them may be gzipped. Requests of metrics or logs are left out and counted.
 */
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { fail, ok, type Result } from "../../base/result.ts";
import { transcodeOtlpJson } from "../../wire/otlp-json.ts";
import {
  defaultTraceLimits,
  type TraceLimits,
  validateTraces,
} from "../../wire/validate-traces.ts";

export const recordedFormats = ["auto", "json", "json-lines", "protobuf"] as const;
export type RecordedFormat = (typeof recordedFormats)[number];

export interface Recording {
  readonly requests: readonly Uint8Array[];
  readonly spans: number;
  /** Requests that carry no traces. */
  readonly otherSignals: number;
}

/** One inflated file. */
const fileBytesMax = 2 ** 30;
/** A file is one request to us where live traffic has many; its bytes bound it already. */
const limits: TraceLimits = {
  ...defaultTraceLimits,
  spansMax: 2 ** 26,
  attributesMax: 2 ** 28,
  elementsMax: 2 ** 28,
};
const newline = 0x0a;

/** The requests of a file, or the first problem with its place. */
export function readRecording(path: string, format: RecordedFormat): Result<Recording, string> {
  const content = readContent(path);
  if (!content.ok) return content;
  const bytes = content.value;
  const actual = format === "auto" ? detectFormat(bytes) : format;
  const parts = actual === "protobuf" ? protobufParts(bytes) : jsonParts(bytes, actual);
  const requests: Uint8Array[] = [];
  let spans = 0;
  let otherSignals = 0;
  for (const [index, part] of parts.entries()) {
    if (actual !== "protobuf" && isOtherSignal(part)) {
      otherSignals++;
      continue;
    }
    const request = actual === "protobuf" ? ok(part) : transcodeOtlpJson(part, limits);
    const valid = request.ok ? validateTraces(request.value, limits) : request;
    if (!request.ok || !valid.ok) {
      const place = parts.length === 1 ? "" : ` request ${index + 1}:`;
      return fail(`${path}:${place} ${valid.ok ? "" : valid.error.message}`);
    }
    requests.push(request.value);
    spans += valid.value.spans;
  }
  return ok({ requests, spans, otherSignals });
}

function readContent(path: string): Result<Uint8Array, string> {
  let content: Uint8Array;
  try {
    content = readFileSync(path);
  } catch (error) {
    return fail(`cannot read ${path}: ${(error as Error).message}`);
  }
  if (startsWith(content, [0x28, 0xb5, 0x2f, 0xfd])) {
    return fail(`${path} is compressed with zstd; unpack it first`);
  }
  if (!startsWith(content, [0x1f, 0x8b])) return ok(content);
  try {
    return ok(gunzipSync(content, { maxOutputLength: fileBytesMax }));
  } catch (error) {
    const limit = `; at most ${fileBytesMax / 2 ** 20} MiB unpacked are read`;
    return fail(`cannot unpack ${path}: ${(error as Error).message}${limit}`);
  }
}

function startsWith(bytes: Uint8Array, magic: readonly number[]): boolean {
  return magic.every((byte, index) => bytes[index] === byte);
}

/** JSON begins with a brace, after white space at most; a protobuf request begins with field 1. */
function detectFormat(bytes: Uint8Array): Exclude<RecordedFormat, "auto"> {
  const first = bytes.findIndex((byte) => ![0x20, 0x09, 0x0a, 0x0d].includes(byte));
  if (bytes[first] !== 0x7b) return "protobuf";
  const lineEnd = bytes.indexOf(newline, first);
  // A pretty-printed request goes on after its first line, a line of JSON lines is whole.
  return lineEnd >= 0 && bytes[lineEnd - 1] === 0x7d && isJson(bytes.subarray(first, lineEnd))
    ? "json-lines"
    : "json";
}

function isJson(bytes: Uint8Array): boolean {
  try {
    JSON.parse(Buffer.from(bytes).toString("utf8"));
    return true;
  } catch {
    return false;
  }
}

function jsonParts(bytes: Uint8Array, format: RecordedFormat): Uint8Array[] {
  if (format === "json") return [bytes];
  const lines: Uint8Array[] = [];
  for (let start = 0; start < bytes.length; ) {
    const found = bytes.indexOf(newline, start);
    const end = found < 0 ? bytes.length : found;
    const line = bytes.subarray(start, end);
    if (line.some((byte) => byte > 0x20)) lines.push(line);
    start = end + 1;
  }
  return lines;
}

/** Whole lengths that end exactly at the end mean several requests. */
function protobufParts(bytes: Uint8Array): Uint8Array[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const parts: Uint8Array[] = [];
  let offset = 0;
  while (offset + 4 <= bytes.length) {
    const size = view.getUint32(offset);
    if (size > bytes.length - offset - 4) return [bytes];
    parts.push(bytes.subarray(offset + 4, offset + 4 + size));
    offset += 4 + size;
  }
  return offset === bytes.length && parts.length > 0 ? parts : [bytes];
}

const otherSignals = /^\s*\{\s*"(resourceMetrics|resourceLogs|resourceProfiles)"/;

function isOtherSignal(part: Uint8Array): boolean {
  return otherSignals.test(Buffer.from(part.subarray(0, 200)).toString("latin1"));
}
