import { describe, expect, test } from "vitest";
import { wrapLongIntegers } from "../../wire/json-integers.ts";
import { transcodeOtlpJson } from "../../wire/otlp-json.ts";
import type { SpanRecord } from "./reference-reader.ts";
import { readProduct } from "./span-records.ts";

const ids = { traceId: "5b8efff798038103d269b633813fc60c", spanId: "eee19b7ec3c1b174" };
const at = "resourceSpans[0].scopeSpans[0].spans[0]";

/** The spans of a JSON text, or the message of its refusal. */
function check(json: string | Uint8Array): SpanRecord[] | string {
  const encoded = typeof json === "string" ? new TextEncoder().encode(json) : json;
  const transcoded = transcodeOtlpJson(encoded);
  if (!transcoded.ok) return `${transcoded.error.code}: ${transcoded.error.message}`;
  const read = readProduct(transcoded.value, ["a", "__proto__"]);
  return typeof read === "string" ? read : read.spans;
}

function request(...spans: readonly unknown[]): string {
  return JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans }] }] });
}

/** A request whose span has this text among its fields, as it stands. */
function withText(fields: string): string {
  return request({ ...ids, marker: 0 }).replace('"marker":0', fields);
}

function withValue(value: unknown): string {
  return request({ ...ids, attributes: [{ key: "a", value }] });
}

describe("what is accepted", () => {
  test.each<[string, string, Partial<SpanRecord>]>([
    ["ids in upper case", request({ ...ids, traceId: ids.traceId.toUpperCase() }), ids],
    ["an empty parent", request({ ...ids, parentSpanId: "" }), { parentSpanId: "" }],
    ["a null parent", request({ ...ids, parentSpanId: null }), { parentSpanId: "" }],
    ["a kind", request({ ...ids, kind: 4 }), { kind: 4 }],
    ["an unknown kind", request({ ...ids, kind: 17 }), { kind: 0 }],
    ["a status", request({ ...ids, status: { code: 2, message: "no" } }), { statusCode: 2 }],
    ["flags", request({ ...ids, flags: 0x301 }), { flags: 0x301 }],
    ["a trace state", request({ ...ids, traceState: "ot=th:8" }), { traceState: "ot=th:8" }],
    ["unknown names", request({ ...ids, futureField: { deep: [1] }, __proto__: null }), ids],
    ["names of the protobuf style are unknown", request({ ...ids, parent_span_id: 1 }), ids],
    ["time as a string", withText('"endTimeUnixNano":"18446744073709551615"'), { endNs: max64() }],
    ["time as a number", withText('"endTimeUnixNano":18446744073709551615'), { endNs: max64() }],
    [
      "a number whose last digit counts",
      withText('"name":"a,1700000000000000001","endTimeUnixNano" : 1700000000000000001'),
      { endNs: 1_700_000_000_000_000_001n, name: "a,1700000000000000001" },
    ],
    ["white space and line ends", ` \n${request(ids).replaceAll(":", ":\r\n\t")} `, ids],
    [
      "a link",
      request({ ...ids, links: [{ ...ids, attributes: [] }] }),
      { links: [`${ids.traceId}/${ids.spanId}`] },
    ],
    ["a lone surrogate", withText('"name":"\\ud800"'), { name: "\ufffd" }],
  ])("%s", (_, json, expected) => {
    expect(check(json)).toMatchObject([expected]);
  });

  test.each<[string, unknown, string]>([
    ["text", { stringValue: "x\u0000é𝄞" }, "x\u0000é𝄞"],
    ["empty text", { stringValue: "" }, ""],
    ["false", { boolValue: false }, "false"],
    ["an integer as a string", { intValue: "-9223372036854775808" }, "-9223372036854775808"],
    ["an integer as a number", { intValue: -7 }, "-7"],
    ["zero", { intValue: 0 }, "0"],
    ["a double", { doubleValue: 0.25 }, "0.25"],
    ["a double that is whole", { doubleValue: 3 }, "3"],
    ["a double as a string", { doubleValue: "1e-7" }, "1e-7"],
    ["not a number", { doubleValue: "NaN" }, "NaN"],
    ["minus infinity", { doubleValue: "-Infinity" }, "-Infinity"],
    ["bytes", { bytesValue: "AQI=" }, ""],
    ["bytes without padding, URL-safe", { bytesValue: "-_8" }, ""],
    ["a list", { arrayValue: { values: [{ stringValue: "x" }, {}] } }, ""],
    ["a map", { kvlistValue: { values: [{ key: "k", value: { intValue: 1 } }] } }, ""],
    ["nothing", {}, ""],
  ])("a value of %s", (_, value, expected) => {
    expect(check(withValue(value))).toMatchObject([{ attributes: { a: expected } }]);
  });

  test("integers of 16 digits and more keep every digit", () => {
    const json = withValue({ intValue: 0 }).replace(":0}", ":-9007199254740993}");
    expect(check(json)).toMatchObject([{ attributes: { a: "-9007199254740993" } }]);
    const double = withValue({ doubleValue: 0 }).replace(":0}", ":12345678901234567000}");
    expect(check(double)).toMatchObject([{ attributes: { a: "12345678901234567000" } }]);
  });

  test.each(["{}", '{"resourceSpans":[]}', '{"resourceSpans":null}', '{"resourceSpans":[{}]}'])(
    "%s has no spans",
    (json) => expect(check(json)).toEqual([]),
  );

  test("__proto__ is an ordinary name, as a key and as an attribute", () => {
    const json = withText(
      `"__proto__":{"kind":5},"attributes":[{"key":"__proto__","value":{"stringValue":"p"}}]`,
    );
    const [span] = check(json) as [SpanRecord];
    expect(span.kind).toBe(0);
    expect(Object.entries(span.attributes)).toEqual([["__proto__", "p"]]);
    expect(Object.keys(Object.prototype)).toEqual([]);
  });
});

function max64(): bigint {
  return 2n ** 64n - 1n;
}

describe("what is refused, and where", () => {
  test.each<[string, string, string]>([
    ["a short trace id", request({ ...ids, traceId: "5b" }), `${at}.traceId is not 32 hex digits`],
    [
      "the fourth span's id in base64",
      request(ids, ids, ids, { ...ids, traceId: "W47/95gDgQPSabYzgT/GDA==" }),
      "resourceSpans[0].scopeSpans[0].spans[3].traceId is not 32 hex digits",
    ],
    ["a span id as a number", request({ ...ids, spanId: 1 }), `${at}.spanId is not 16 hex digits`],
    ["an enum by name", request({ ...ids, kind: "SPAN_KIND_SERVER" }), `${at}.kind is not the num`],
    ["half a kind", request({ ...ids, kind: 1.5 }), `${at}.kind is not the number of an enum`],
    ["a name that is no text", request({ ...ids, name: 5 }), `${at}.name is not text`],
    ["a long integer as a name", withText('"name":12345678901234567'), `${at}.name is not text`],
    ["a negative time", withText('"endTimeUnixNano":"-1"'), `${at}.endTimeUnixNano is not an un`],
    ["2^64", withText('"endTimeUnixNano":"18446744073709551616"'), "unsigned 64-bit integer"],
    ["2^64 as a number", withText('"endTimeUnixNano":18446744073709551616'), "unsigned 64-bit"],
    ["a fraction of time", withText('"endTimeUnixNano":1.5'), "unsigned 64-bit integer"],
    ["a time in words", withText('"endTimeUnixNano":"now"'), "unsigned 64-bit integer"],
    ["flags beyond 32 bits", request({ ...ids, flags: 2 ** 32 }), `${at}.flags is not an unsigned`],
    ["attributes as a map", request({ ...ids, attributes: { a: 1 } }), "attributes is not a list"],
    ["a value without its type", withValue("plain"), "attributes[0].value is not an object"],
    [
      "two values in one",
      withValue({ stringValue: "x", intValue: 1 }),
      "value.intValue is a second value where only one may be",
    ],
    ["an integer with a point", withValue({ intValue: 1.5 }), "intValue is not a 64-bit integer"],
    ["2^63", withValue({ intValue: "9223372036854775808" }), "intValue is not a 64-bit integer"],
    ["truth as text", withValue({ boolValue: "true" }), "boolValue is not true or false"],
    ["a double in words", withValue({ doubleValue: "many" }), "doubleValue is not a number"],
    ["odd base64", withValue({ bytesValue: "A" }), "bytesValue is not base64"],
    ["bytes in hex with a colon", withValue({ bytesValue: "01:02" }), "bytesValue is not base64"],
    ["a null among spans", request(null), `${at} is not an object`],
    ["a span that is a list", request([]), `${at} is not an object`],
    ["a list", "[]", "request is not an object"],
    ["null", "null", "request is not an object"],
    ["cut text", '{"resourceSpans":[', "malformed JSON"],
    ["nothing at all", "", "malformed JSON"],
    ["a long integer with a leading zero", '{"a":[00000000000000001]}', "malformed JSON"],
    ["a long integer as a name of a field", '{"a":1,12345678901234567:2}', "malformed JSON"],
  ])("%s", (_, json, expected) => {
    expect(check(json)).toMatch(/^OTLP_INVALID: /);
    expect(check(json)).toContain(expected);
  });

  test("text that is not UTF-8", () => {
    expect(check(Uint8Array.of(0x22, 0xff, 0x22))).toContain("OTLP_INVALID: malformed JSON");
  });

  test("values nested too deep", () => {
    let value: unknown = { stringValue: "x" };
    for (let depth = 1; depth < 32; depth++) value = { arrayValue: { values: [value] } };
    expect(check(withValue(value))).toMatchObject([ids]);
    const deeper = check(withValue({ arrayValue: { values: [value] } }));
    expect(deeper).toMatch(/^OTLP_TOO_LARGE: .* is nested deeper than 32$/);
  });
});

describe("integers within JSON text", () => {
  test.each<[string, string]>([
    ['{"a":1234567890123456}', '{"a":{"":"1234567890123456"}}'],
    ['{"a":[1234567890123456,-1234567890123456]}', wrapped("1234567890123456")],
    ['{"a":"x:1234567890123456"}', '{"a":"x:1234567890123456"}'],
    ['{"a\\"":"\\\\",":1234567890123456":[1]}', '{"a\\"":"\\\\",":1234567890123456":[1]}'],
    ["[1234567890123456.5,1,0.1234567890123456]", "[1234567890123456.5,1,0.1234567890123456]"],
    ["[1234567890123456e1,1e1234567890123456]", "[1234567890123456e1,1e1234567890123456]"],
    ['{"open: 1234567890123456', '{"open: 1234567890123456'],
  ])("%s", (text, expected) => {
    expect(wrapLongIntegers(text)).toBe(expected);
  });

  test("four megabytes of quotes and backslashes take no longer than their length", () => {
    const text = `[1234567890123456,"${'\\"'.repeat(2 ** 20)}${"\\\\".repeat(2 ** 20)}"]`;
    const startMs = performance.now();
    expect(wrapLongIntegers(text)).toHaveLength(text.length + 7);
    expect(performance.now() - startMs).toBeLessThan(2_000);
  });
});

function wrapped(digits: string): string {
  return `{"a":[{"":"${digits}"},{"":"-${digits}"}]}`;
}
