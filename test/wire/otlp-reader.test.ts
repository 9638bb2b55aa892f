import { JsonTraceSerializer, ProtobufTraceSerializer } from "@opentelemetry/otlp-transformer";
import type { ReadableSpan } from "@opentelemetry/sdk-trace-base";
import { describe, expect, test } from "vitest";
import { createPrng, type Prng } from "../../base/prng.ts";
import { createAttributeSlots } from "../../wire/attribute-slots.ts";
import { transcodeOtlpJson } from "../../wire/otlp-json.ts";
import { readTraces } from "../../wire/read-traces.ts";
import { createTraceTable, durationNs, endMs, startMs } from "../../wire/trace-table.ts";
import { validateTraces } from "../../wire/validate-traces.ts";
import { makeOtelSpans } from "./otel-spans.ts";
import {
  bytes,
  encodeFields,
  type Field,
  fixed32,
  fixed64,
  group,
  hex,
  joined,
  message,
  raw,
  text,
  varint,
} from "./proto-tree.ts";
import { readReference, type SpanRecord } from "./reference-reader.ts";
import { type Read, readProduct } from "./span-records.ts";
import { wantedNames } from "./wanted-names.ts";

const traceId = "5b8efff798038103d269b633813fc60c";
const spanId = "eee19b7ec3c1b174";

function check(request: readonly Field[] | Uint8Array, wanted: readonly string[] = wantedNames) {
  const encoded = request instanceof Uint8Array ? request : encodeFields(request);
  return readProduct(encoded, wanted);
}

function accepted(request: readonly Field[] | Uint8Array): Read {
  const read = check(request);
  if (typeof read === "string") throw new Error(read);
  return read;
}

/** A request with one span of these fields; its ids are given unless told otherwise. */
function spanRequest(...fields: readonly Field[]): Field[] {
  return [message(1, message(2, message(2, ...ids(), ...fields)))];
}

function ids(): Field[] {
  return [bytes(1, hex(traceId)), bytes(2, hex(spanId))];
}

function attribute(name: string, value: Field, field = 9): Field {
  return message(field, text(1, name), message(2, value));
}

function firstSpan(request: readonly Field[]): SpanRecord {
  return accepted(request).spans[0] as SpanRecord;
}

describe("the reader against OpenTelemetry's own serializer", () => {
  const spans = makeOtelSpans(11, 120);
  const protobuf = ProtobufTraceSerializer.serializeRequest(spans) as Uint8Array;
  const json = JsonTraceSerializer.serializeRequest(spans) as Uint8Array;

  test("every field read equals what was put in", () => {
    const read = accepted(protobuf);
    const byId = new Map(read.spans.map((span) => [span.spanId, span]));
    expect(byId.size).toBe(spans.length);
    for (const span of spans) {
      const { resourceIndex: _, ...record } = byId.get(span.spanContext().spanId) as SpanRecord;
      expect(record).toEqual(expectedOf(span));
    }
  });

  test("the same spans in JSON give the same views", () => {
    const transcoded = transcodeOtlpJson(json);
    if (!transcoded.ok) throw new Error(transcoded.error.message);
    expect(accepted(transcoded.value)).toEqual(accepted(protobuf));
  });

  test("the plain reference reader agrees", () => {
    const { spans: expected, rejected } = readReference(protobuf, wantedNames);
    expect(accepted(protobuf)).toMatchObject({ spans: expected, rejected });
  });
});

function expectedOf(span: ReadableSpan): Omit<SpanRecord, "resourceIndex"> {
  const wanted = (given: Readonly<Record<string, unknown>>): Record<string, string> =>
    Object.fromEntries(
      Object.keys(given)
        .filter((name) => (wantedNames as readonly string[]).includes(name))
        .sort()
        .map((name) => [name, Array.isArray(given[name]) ? "" : String(given[name])]),
    );
  const ns = ([seconds, nanos]: readonly [number, number]): bigint =>
    BigInt(seconds) * 1_000_000_000n + BigInt(nanos);
  return {
    traceId: span.spanContext().traceId,
    spanId: span.spanContext().spanId,
    parentSpanId: span.parentSpanContext?.spanId ?? "",
    name: span.name,
    traceState: "",
    kind: span.kind + 1,
    statusCode: span.status.code,
    flags: 0x101,
    startNs: ns(span.startTime),
    endNs: ns(span.endTime),
    attributes: wanted(span.attributes),
    resource: wanted(span.resource.attributes),
    links: span.links.map(({ context }) => `${context.traceId}/${context.spanId}`),
  };
}

describe("how bytes may be arranged", () => {
  test("any order of fields gives the same spans", () => {
    const original = fullRequest();
    const expected = accepted(original);
    const prng = createPrng(5);
    for (let round = 0; round < 200; round++) {
      expect(accepted(shuffled(original, prng)), `round ${round} of seed 5`).toEqual(expected);
    }
  });

  test("a resource behind its spans is theirs, and not the next ones'", () => {
    const one = message(
      1,
      message(2, message(2, ...ids())),
      message(1, attribute("service.name", text(1, "late"), 1)),
    );
    const two = message(1, message(2, message(2, ...ids())));
    const { spans } = accepted([one, two]);
    expect(spans.map((span) => span.resource)).toEqual([{ "service.name": "late" }, {}]);
    expect(spans.map((span) => span.resourceIndex)).toEqual([0, 1]);
  });

  test("nothing of one span is left in the next", () => {
    const [full] = fullRequest();
    const bare = message(1, message(2, message(2, ...ids())));
    const { spans } = accepted([full as Field, bare]);
    expect(spans[1]).toEqual({ ...accepted([bare]).spans[0], resourceIndex: 1 });
  });

  test("unknown fields of every wire type are stepped over, at every level", () => {
    const unknown = [
      varint(900, -1),
      fixed64(901, 7n),
      bytes(902, new Uint8Array(300)),
      group(903, varint(1, 5), group(2, text(3, "deep")), fixed32(4, 9)),
      fixed32(904, 1),
      text(536_870_911, "last field number"),
    ];
    const sprinkled = everyMessage(fullRequest(), (fields) => [
      ...unknown,
      ...fields.flatMap((field) => [field, ...unknown]),
    ]);
    expect(accepted(sprinkled)).toEqual(accepted(fullRequest()));
  });

  test("lengths and tags may be padded", () => {
    const padded = Uint8Array.from([0x8a, 0x80, 0x00, 0x80, 0x80, 0x80, 0x80, 0x00]);
    expect(accepted(joined([padded, encodeFields(spanRequest())])).spans).toHaveLength(1);
  });

  test("an empty request has no spans", () => {
    expect(accepted([])).toMatchObject({ spans: [], rejected: 0 });
  });

  test("scalars that come twice count last, messages merge", () => {
    const twice = message(
      1,
      message(1, attribute("service.name", text(1, "first"), 1)),
      message(
        2,
        message(
          2,
          ...ids(),
          ...[text(5, "old"), text(5, "new"), varint(6, 1), varint(6, 3)],
          ...[message(15, varint(3, 2)), message(15, text(2, "why"))],
          ...[attribute("a", text(1, "old")), attribute("a", varint(3, 7))],
        ),
      ),
      message(1, attribute("http.route", text(1, "/"), 1)),
    );
    expect(firstSpan([twice])).toMatchObject({
      name: "new",
      kind: 3,
      statusCode: 2,
      attributes: { a: "7" },
      resource: { "service.name": "first", "http.route": "/" },
    });
  });
});

function fullRequest(): Field[] {
  const link = message(13, bytes(1, hex(traceId)), bytes(2, hex("00000000000000ff")));
  const span = message(
    2,
    ...ids(),
    ...[text(3, "ot=th:8"), bytes(4, hex("1000000000000001")), text(5, "name"), varint(6, 3)],
    ...[fixed64(7, 2n ** 63n + 5n), fixed64(8, 2n ** 63n + 9n), attribute("a", varint(3, -5))],
    ...[attribute("customer.id", text(1, "c".repeat(130))), attribute("abc", fixed64(4, 0n))],
    ...[varint(10, 3), message(11, fixed64(1, 1n), text(2, "exception")), link],
    ...[message(15, text(2, "bad"), varint(3, 2)), fixed32(16, 0x301)],
  );
  const resource = message(1, attribute("service.name", text(1, "shop"), 1), varint(2, 1));
  const scope = message(1, text(1, "scope"), attribute("a", text(1, "of the scope"), 3));
  return [message(1, resource, message(2, scope, span), text(3, "https://schema"))];
}

function everyMessage(
  fields: readonly Field[],
  change: (fields: readonly Field[]) => readonly Field[],
): readonly Field[] {
  return change(
    fields.map(({ field, value }) =>
      "message" in value
        ? message(field, ...everyMessage(value.message, change))
        : { field, value },
    ),
  );
}

function shuffled(fields: readonly Field[], prng: Prng): readonly Field[] {
  return everyMessage(fields, (list) => {
    const rest = [...list];
    return list.map(() => rest.splice(prng.integer(rest.length), 1)[0] as Field);
  });
}

describe("values", () => {
  test.each<[string, Field, string]>([
    ["text", text(1, "GET"), "GET"],
    ["empty text", text(1, ""), ""],
    ["long text", text(1, "z".repeat(400)), "z".repeat(400)],
    ["text that is not UTF-8", bytes(1, hex("61ff62")), "a\ufffdb"],
    ["text cut in the middle of a character", bytes(1, hex("6162e282")), "ab\ufffd"],
    ["text with a byte order mark", text(1, "\ufeffx"), "\ufeffx"],
    ["true", varint(2, 1), "true"],
    ["false", varint(2, 0), "false"],
    ["a padded false", varint(2, 0, 3), "false"],
    ["an integer", varint(3, 503), "503"],
    ["a negative integer in ten bytes", varint(3, -1), "-1"],
    ["the smallest integer", varint(3, -(2n ** 63n)), "-9223372036854775808"],
    ["the largest integer", varint(3, 2n ** 63n - 1n), "9223372036854775807"],
    ["a padded integer", varint(3, 5, 4), "5"],
    ["a double", raw(4, 1, [0, 0, 0, 0, 0, 0, 0xf8, 0x3f]), "1.5"],
    ["a list", message(5, message(1, text(1, "x"))), ""],
    ["a map", message(6, attribute("a", text(1, "x"), 1)), ""],
    ["bytes", bytes(7, hex("0102")), ""],
    ["an unknown kind of value", text(9, "new"), ""],
  ])("%s reads as text", (_, value, expected) => {
    const request = spanRequest(attribute("a", value));
    expect(firstSpan(request).attributes).toEqual({ a: expected });
  });

  test("an attribute without a value is empty, one without a key has no name", () => {
    const request = spanRequest(message(9, text(1, "a")), message(9, message(2, text(1, "v"))));
    expect(firstSpan(request).attributes).toEqual({ "": "v", a: "" });
  });

  test.each(["__proto__", "constructor", "prototype", "toString", "hasOwnProperty", "then"])(
    "%s is a name like any other",
    (name) => {
      const read = check(spanRequest(attribute(name, text(1, name))), [name, "a"]) as Read;
      expect(Object.entries(read.spans[0]?.attributes ?? {})).toEqual([[name, name]]);
      expect(Object.keys(Object.prototype)).toEqual([]);
    },
  );

  test.each<[string, Field[], Partial<SpanRecord>]>([
    ["an unknown kind", [varint(6, 99)], { kind: 0 }],
    ["a kind beyond 32 bits, cut as protobuf cuts it", [varint(6, 2n ** 36n + 2n)], { kind: 2 }],
    ["a negative kind", [varint(6, -1)], { kind: 0 }],
    ["an unknown status", [message(15, varint(3, 7))], { statusCode: 0 }],
    ["a parent of zeros", [bytes(4, new Uint8Array(8))], { parentSpanId: "" }],
    ["an empty parent", [bytes(4, new Uint8Array(0))], { parentSpanId: "" }],
    ["a link without a trace", [message(13, bytes(2, hex(spanId)))], { links: [] }],
    ["the largest time", [fixed64(7, 2n ** 64n - 1n)], { startNs: 2n ** 64n - 1n }],
  ])("%s", (_, fields, expected) => {
    expect(firstSpan(spanRequest(...fields))).toMatchObject(expected);
  });

  test("a thousand links are all read", () => {
    const links = Array.from({ length: 1000 }, (_, at) =>
      message(13, bytes(1, hex(traceId)), bytes(2, hex((at + 1).toString(16).padStart(16, "0")))),
    );
    expect(firstSpan(spanRequest(...links)).links).toHaveLength(1000);
  });
});

describe("times", () => {
  test.each<[string, bigint, bigint, number, number]>([
    ["a common span", 1_700_000_000_123_456_789n, 1_700_000_000_125_456_788n, 1_999_999, 125],
    ["across a word", 2n ** 32n - 1n, 2n ** 32n + 1n, 2, 294],
    ["the last nanosecond of a millisecond", 0n, 1_700_000_000_124_999_999n, 17e17, 124],
    ["an end before the start", 10_000_000n, 9_999_999n, 0, 9],
  ])("%s", (_, startNs, end, duration, lastMs) => {
    const request = encodeFields(spanRequest(fixed64(7, startNs), fixed64(8, end)));
    const table = createTraceTable();
    expect(readTraces(request, createAttributeSlots([]), table).ok).toBe(true);
    const read = [durationNs(table, 0), endMs(table, 0), startMs(table, 0)] as const;
    expect(read[0] / duration || 1).toBeCloseTo(1, 9);
    expect(read[1]).toBe(Number(end / 1_000_000n));
    expect(read[1] % 1000).toBe(lastMs);
    expect(read[2]).toBe(Number(startNs / 1_000_000n));
  });
});

describe("single spans that break the specification", () => {
  test.each<[string, Field[], string]>([
    ["no trace id", [bytes(2, hex(spanId))], "trace_id of 0 bytes, it must have 16"],
    ["a short trace id", [bytes(1, hex("01")), bytes(2, hex(spanId))], "trace_id of 1 bytes"],
    ["a trace id of zeros", [bytes(1, new Uint8Array(16)), bytes(2, hex(spanId))], "all zero"],
    ["no span id", [bytes(1, hex(traceId))], "span_id of 0 bytes, it must have 8"],
    ["a span id of zeros", [bytes(1, hex(traceId)), bytes(2, new Uint8Array(8))], "all zero"],
    ["a long parent", [...ids(), bytes(4, new Uint8Array(9))], "parent_span_id of 9 bytes"],
  ])("%s rejects that span alone", (_, fields, reason) => {
    const request = [message(1, message(2, message(2, ...fields), message(2, ...ids())))];
    const read = accepted(request);
    expect(read).toMatchObject({ rejected: 1, spans: [{ spanId }] });
    expect(read.reason).toContain(reason);
  });
});

describe("malformed requests are refused as a whole", () => {
  test.each<[string, Field[] | Uint8Array, string]>([
    ["a span that is a number", [message(1, message(2, varint(2, 1)))], "has wire type 0"],
    ["a name that is a number", spanRequest(varint(5, 1)), "field 5 of span has wire type 0"],
    ["a time as varint", spanRequest(varint(7, 1)), "field 7 of span has wire type 0"],
    ["a key that is a number", spanRequest(message(9, varint(1, 1))), "field 1 of keyValue"],
    ["an integer value as text", spanRequest(attribute("a", text(3, "1"))), "field 3 of anyValue"],
    ["field number 0", Uint8Array.from([0x02, 0x00]), "tag in request"],
    ["wire type 6", Uint8Array.from([0x7e]), "field 15 of request"],
    ["wire type 7", Uint8Array.from([0x7f]), "field 15 of request"],
    ["a group that ends without a start", Uint8Array.from([0x7c]), "field 15 of request"],
    ["a group that ends as another", Uint8Array.from([0x7b, 0x84, 0x01]), "field 15 of request"],
    ["a group that does not end", Uint8Array.from([0x7b]), "field 15 of request"],
    ["a varint of eleven bytes", [raw(15, 0, Array(11).fill(0x80))], "field 15 of request"],
    ["a length of 2^63", Uint8Array.from([0x0a, ...Array(9).fill(0xff), 0x7f]), "field 1"],
    ["a length of -1", Uint8Array.from([0x0a, ...Array(9).fill(0xff), 0x01]), "field 1"],
    ["a length one too large", Uint8Array.from([0x0a, 0x01]), "field 1 of request"],
    ["plain text", new TextEncoder().encode("not protobuf"), "malformed protobuf"],
  ])("%s", (_, request, expected) => {
    expect(check(request)).toMatch(/^OTLP_INVALID: malformed protobuf at byte \d+: /);
    expect(check(request)).toContain(expected);
  });

  test("cut at any byte, a request is refused or ends between two of its resources", () => {
    const whole = encodeFields([...fullRequest(), ...spanRequest()]);
    const boundary = encodeFields(fullRequest()).length;
    for (let size = 0; size < whole.length; size++) {
      const isWhole = size === 0 || size === boundary;
      expect(validateTraces(whole.subarray(0, size)).ok, `first ${size} bytes`).toBe(isWhole);
    }
  });

  test("bytes within a larger buffer are read where they are", () => {
    const request = encodeFields(fullRequest());
    const inner = joined([hex("ffff"), request, hex("ffff")]).subarray(2, 2 + request.length);
    expect(accepted(inner)).toEqual(accepted(request));
  });
});
