/**
 * OTLP/JSON to OTLP/protobuf, so that one reader serves both. Follows the JSON protobuf encoding
 * with OTLP's exceptions: ids are hex (either case), enums are numbers, names are lowerCamelCase,
 * unknown names are ignored. 64-bit integers may be strings or numbers and keep every digit; null
 * means absent. An id of the wrong size, unlike an empty one, refuses the request.
 *
 * Bounds: values nest `depthMax` deep, and lists hold no more than `elementsMax` numbers together:
 * but for those, which may grow fourfold, the output is shorter than the input. How many elements
 * there are is for `validate-traces.ts` to judge, on the bytes that come out.
 *
 * Source: opentelemetry.io/docs/specs/otlp, "JSON Protobuf Encoding".
 */
import { ok, type Result, refuse } from "../base/result.ts";
import { digitsOfWrapped, wrapLongIntegers } from "./json-integers.ts";
import { isMessage, type MessageName, type Scalar } from "./otlp-fields.ts";
import { alternatives, messages } from "./otlp-messages.ts";
import { ProtoWriter } from "./proto-writer.ts";
import { defaultMetricLimits, defaultTraceLimits, type TraceLimits } from "./validate-traces.ts";

interface Transcoding {
  readonly writer: ProtoWriter;
  readonly limits: TraceLimits;
  depth: number;
  isTooLarge: boolean;
  /** Texts and numbers of lists, so far. */
  scalars: number;
  /** Where we are, as names and indices. */
  readonly path: (string | number)[];
}

/** What is wrong with a value, as a phrase after its path; undefined when nothing is. */
type Wrong = string | undefined;

const utf8Strict = new TextDecoder("utf-8", { fatal: true });

/** The protobuf bytes of a request in JSON, or where it breaks the encoding. */
export function transcodeOtlpJson(
  text: Uint8Array,
  limits: TraceLimits = defaultTraceLimits,
): Result<Uint8Array> {
  return transcode(text, "request", limits);
}

/** The same for a request of metrics. */
export function transcodeMetricsJson(
  text: Uint8Array,
  limits: TraceLimits = defaultMetricLimits,
): Result<Uint8Array> {
  return transcode(text, "metricsRequest", limits);
}

function transcode(
  text: Uint8Array,
  message: "request" | "metricsRequest",
  limits: TraceLimits,
): Result<Uint8Array> {
  let raw: unknown;
  try {
    raw = JSON.parse(wrapLongIntegers(utf8Strict.decode(text)));
  } catch (cause) {
    return refuse("OTLP_INVALID", `malformed JSON: ${cause instanceof Error ? cause.message : ""}`);
  }
  const state: Transcoding = {
    writer: new ProtoWriter(),
    limits,
    depth: 0,
    isTooLarge: false,
    scalars: 0,
    path: [],
  };
  const wrong = writeMessage(state, message, raw);
  if (wrong === undefined) return ok(state.writer.finish());
  const code = state.isTooLarge ? "OTLP_TOO_LARGE" : "OTLP_INVALID";
  return refuse(code, `${showPath(state.path)} ${wrong}`);
}

function writeMessage(state: Transcoding, message: MessageName, raw: unknown): Wrong {
  if (typeof raw !== "object" || raw === null || Array.isArray(raw)) return "is not an object";
  const { depthMax } = state.limits;
  if (message === "anyValue" && ++state.depth > depthMax) {
    state.isTooLarge = true;
    return `is nested deeper than ${depthMax}`;
  }
  let written = 0;
  for (const [name, field] of Object.entries(messages[message])) {
    const value = Object.hasOwn(raw, name) ? (raw as Record<string, unknown>)[name] : undefined;
    if (value === undefined || value === null) continue;
    state.path.push(name);
    if (alternatives[message]?.has(name) && ++written > 1) {
      return "is a second value where only one may be";
    }
    const wrong = field.repeated
      ? writeList(state, field.number, field.type, value)
      : writeField(state, field.number, field.type, value);
    if (wrong !== undefined) return wrong;
    state.path.pop();
  }
  if (message === "anyValue") state.depth--;
  return undefined;
}

function writeList(
  state: Transcoding,
  field: number,
  type: Scalar | MessageName,
  raw: unknown,
): Wrong {
  if (!Array.isArray(raw)) return "is not a list";
  const { elementsMax } = state.limits;
  if (!isMessage(type)) state.scalars += raw.length;
  if (state.scalars > elementsMax) {
    state.isTooLarge = true;
    return `holds more than ${elementsMax} elements`;
  }
  for (let index = 0; index < raw.length; index++) {
    state.path.push(index);
    const wrong = writeField(state, field, type, raw[index]);
    if (wrong !== undefined) return wrong;
    state.path.pop();
  }
  return undefined;
}

function writeField(
  state: Transcoding,
  field: number,
  type: Scalar | MessageName,
  raw: unknown,
): Wrong {
  if (!isMessage(type)) return scalarWriters[type](state.writer, field, raw);
  const mark = state.writer.open(field);
  const wrong = writeMessage(state, type, raw);
  state.writer.close(mark);
  return wrong;
}

type ScalarWriter = (writer: ProtoWriter, field: number, raw: unknown) => Wrong;

const scalarWriters: Readonly<Record<Scalar, ScalarWriter>> = {
  text: writeText,
  traceId: (writer, field, raw) => writeHex(writer, field, raw, 32),
  spanId: (writer, field, raw) => writeHex(writer, field, raw, 16),
  base64: writeBase64,
  boolean: writeBoolean,
  int64: writeInt64,
  uint64: writeUint64,
  uint32: writeUint32,
  sint32: writeSint32,
  enum: writeEnum,
  double: writeDouble,
  fixed64: writeFixed64,
  sfixed64: writeSfixed64,
  fixed32: writeFixed32,
};

function writeText(writer: ProtoWriter, field: number, raw: unknown): Wrong {
  if (typeof raw !== "string") return "is not text";
  writer.text(field, raw);
  return undefined;
}

function writeHex(writer: ProtoWriter, field: number, raw: unknown, digits: number): Wrong {
  if (raw === "") return undefined;
  if (typeof raw !== "string" || raw.length !== digits || !/^[0-9a-fA-F]+$/.test(raw)) {
    return `is not ${digits} hex digits`;
  }
  const bytes = new Uint8Array(digits / 2);
  for (let index = 0; index < bytes.length; index++) {
    bytes[index] = Number.parseInt(raw.slice(index * 2, index * 2 + 2), 16);
  }
  writer.bytes(field, bytes);
  return undefined;
}

/** The standard and the URL-safe alphabet, with or without padding. */
function writeBase64(writer: ProtoWriter, field: number, raw: unknown): Wrong {
  if (typeof raw !== "string" || !/^[A-Za-z0-9+/_-]*={0,2}$/.test(raw)) return "is not base64";
  const plain = raw.replace(/=+$/, "").replaceAll("-", "+").replaceAll("_", "/");
  if (plain.length % 4 === 1) return "is not base64";
  const decoded = atob(plain);
  writer.bytes(
    field,
    Uint8Array.from(decoded, (unit) => unit.charCodeAt(0)),
  );
  return undefined;
}

function writeBoolean(writer: ProtoWriter, field: number, raw: unknown): Wrong {
  if (typeof raw !== "boolean") return "is not true or false";
  writer.integer(field, raw ? 1 : 0);
  return undefined;
}

function writeInt64(writer: ProtoWriter, field: number, raw: unknown): Wrong {
  const value = integerOf(raw);
  if (value === undefined || BigInt.asIntN(64, value) !== value) return "is not a 64-bit integer";
  writer.int64(field, value);
  return undefined;
}

function writeUint64(writer: ProtoWriter, field: number, raw: unknown): Wrong {
  const value = integerOf(raw);
  if (value === undefined || BigInt.asUintN(64, value) !== value) {
    return "is not an unsigned 64-bit integer";
  }
  writer.int64(field, value);
  return undefined;
}

/** ZigZag, as protobuf writes them. */
function writeSint32(writer: ProtoWriter, field: number, raw: unknown): Wrong {
  const value = integerOf(raw);
  if (value === undefined || BigInt.asIntN(32, value) !== value) return "is not a 32-bit integer";
  const number = Number(value);
  writer.integer(field, number < 0 ? -2 * number - 1 : 2 * number);
  return undefined;
}

function writeSfixed64(writer: ProtoWriter, field: number, raw: unknown): Wrong {
  const value = integerOf(raw);
  if (value === undefined || BigInt.asIntN(64, value) !== value) return "is not a 64-bit integer";
  writer.fixed64(field, BigInt.asUintN(64, value));
  return undefined;
}

function writeFixed64(writer: ProtoWriter, field: number, raw: unknown): Wrong {
  const value = integerOf(raw);
  if (value === undefined || BigInt.asUintN(64, value) !== value) {
    return "is not an unsigned 64-bit integer";
  }
  writer.fixed64(field, value);
  return undefined;
}

function writeUint32(writer: ProtoWriter, field: number, raw: unknown): Wrong {
  const value = uint32Of(raw);
  if (value === undefined) return "is not an unsigned 32-bit integer";
  writer.integer(field, value);
  return undefined;
}

function writeFixed32(writer: ProtoWriter, field: number, raw: unknown): Wrong {
  const value = uint32Of(raw);
  if (value === undefined) return "is not an unsigned 32-bit integer";
  writer.fixed32(field, value);
  return undefined;
}

/** Numbers only: OTLP forbids the names of enum values. Unknown numbers are kept. */
function writeEnum(writer: ProtoWriter, field: number, raw: unknown): Wrong {
  if (typeof raw !== "number" || (raw | 0) !== raw) return "is not the number of an enum value";
  writer.int64(field, BigInt(raw));
  return undefined;
}

function writeDouble(writer: ProtoWriter, field: number, raw: unknown): Wrong {
  const given = digitsOfWrapped(raw) ?? raw;
  const isNumeric = typeof given === "string" && /^-?\d+(\.\d+)?([eE][+-]?\d+)?$/.test(given);
  const isNamed = given === "NaN" || given === "Infinity" || given === "-Infinity";
  if (typeof given !== "number" && !isNumeric && !isNamed) return "is not a number";
  writer.double(field, Number(given));
  return undefined;
}

function uint32Of(raw: unknown): number | undefined {
  const value = integerOf(raw);
  return value !== undefined && BigInt.asUintN(32, value) === value ? Number(value) : undefined;
}

function integerOf(raw: unknown): bigint | undefined {
  if (typeof raw === "number") return Number.isInteger(raw) ? BigInt(raw) : undefined;
  const digits = typeof raw === "string" ? raw : digitsOfWrapped(raw);
  return digits !== undefined && /^-?\d{1,20}$/.test(digits) ? BigInt(digits) : undefined;
}

function showPath(path: readonly (string | number)[]): string {
  let shown = "";
  for (const part of path) {
    if (typeof part === "number") shown += `[${part}]`;
    else shown += shown === "" ? part : `.${part}`;
  }
  return shown === "" ? "request" : shown;
}
