/** OTLP metrics: what the reader tells of the specification's example, and of any layout. */
import { existsSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { textOf, utf8Of } from "../../wire/any-value.ts";
import type { MetricPoint } from "../../wire/metric-point.ts";
import { transcodeMetricsJson } from "../../wire/otlp-json.ts";
import { readMetrics } from "../../wire/read-metrics.ts";
import { defaultMetricLimits, type TraceLimits } from "../../wire/validate-traces.ts";
import {
  bytes,
  encodeFields,
  encodeVarint,
  type Field,
  fixed64,
  joined,
  message,
  raw,
  text,
  varint,
} from "./proto-tree.ts";

/** A point without its places in the bytes. */
function plain(request: Uint8Array, { source, metric, attributes, ...rest }: MetricPoint) {
  const read = (list: MetricPoint["attributes"]) =>
    Object.fromEntries(
      list.map(({ nameStart, nameEnd, start, end }) => [
        utf8Of(request, nameStart, nameEnd),
        textOf(request, start, end),
      ]),
    );
  const resource = read(source.resourceAttributes);
  return { ...metric, ...rest, resource, attributes: read(attributes) };
}

function check(request: Uint8Array, limits: TraceLimits = defaultMetricLimits) {
  const points: ReturnType<typeof plain>[] = [];
  const read = readMetrics(request, (point) => points.push(plain(request, point)), limits);
  return { points, problem: read.ok ? undefined : `${read.error.code}: ${read.error.message}` };
}

function fromJson(json: unknown): Uint8Array {
  const transcoded = transcodeMetricsJson(new TextEncoder().encode(JSON.stringify(json)));
  if (!transcoded.ok) throw new Error(transcoded.error.message);
  return transcoded.value;
}

const double = (field: number, value: number): Field =>
  raw(field, 1, [...new Uint8Array(Float64Array.of(value).buffer)]);

/** One metric of one service. */
const requestOf = (...metric: Field[]): Uint8Array =>
  encodeFields([message(1, message(2, message(2, text(1, "m"), ...metric)))]).slice();

const vector = "../shared/data/otlp-vectors/opentelemetry-proto/metrics.json";

describe.skipIf(!existsSync(vector))(`${vector} (skipped where it is absent)`, () => {
  test("the specification's example is read fully", () => {
    const transcoded = transcodeMetricsJson(readFileSync(vector));
    if (!transcoded.ok) throw new Error(transcoded.error.message);
    const { points, problem } = check(transcoded.value);
    expect(problem).toBeUndefined();
    const timeMs = 1_544_712_660_300;
    const shared = { timeMs, startMs: timeMs, isMissing: false };
    const resource = { "service.name": "my.service" };
    const attribute = (name: string) => ({ attributes: { [name]: "some value" }, resource });
    const delta = { temporality: "delta", isMonotonic: false };
    expect(points).toEqual([
      {
        name: "my.counter",
        ...{ ...shared, ...delta, ...attribute("my.counter.attr"), isMonotonic: true },
        data: { kind: "sum", value: 5 },
      },
      {
        name: "my.gauge",
        ...{ ...shared, ...delta, ...attribute("my.gauge.attr") },
        ...{ temporality: "unspecified", startMs: 0 },
        data: { kind: "gauge", value: 10 },
      },
      {
        name: "my.histogram",
        ...{ ...shared, ...delta, ...attribute("my.histogram.attr") },
        data: { kind: "histogram", bounds: [1], counts: [1, 1], min: 0, max: 2 },
      },
      {
        name: "my.exponential.histogram",
        ...{ ...shared, ...delta, ...attribute("my.exponential.histogram.attr") },
        data: {
          ...{ kind: "exponential histogram", scale: 0, zeroCount: 1, min: 0, max: 5 },
          positive: { offset: 1, counts: [0, 2] },
          negative: { offset: 0, counts: [] },
        },
      },
    ]);
  });
});

describe("layouts", () => {
  const histogram = (counts: Field[], bounds: Field[]): Uint8Array =>
    requestOf(message(9, message(1, ...counts, fixed64(3, 5_000_000n), ...bounds)));

  test("packed numbers and single ones are the same", () => {
    const packed = histogram(
      [bytes(6, new Uint8Array(BigUint64Array.of(1n, 2n).buffer))],
      [bytes(7, new Uint8Array(Float64Array.of(0.5).buffer))],
    );
    const single = histogram([fixed64(6, 1n), fixed64(6, 2n)], [double(7, 0.5)]);
    expect(check(packed).points[0]?.data).toMatchObject({ counts: [1, 2], bounds: [0.5] });
    expect(check(single).points).toEqual(check(packed).points);
  });

  test("packed varints and single ones are the same, negative scales and offsets too", () => {
    const of = (...counts: Field[]): Uint8Array =>
      requestOf(message(10, message(1, varint(6, 3), message(8, varint(1, 5), ...counts))));
    const numbers = [0n, 300n, 2n ** 40n];
    const packed = of(bytes(2, joined(numbers.map((number) => encodeVarint(number)))));
    expect(check(packed).points[0]?.data).toMatchObject({
      scale: -2,
      positive: { offset: -3, counts: numbers.map(Number) },
    });
    expect(check(of(...numbers.map((number) => varint(2, number)))).points).toEqual(
      check(packed).points,
    );
  });

  test("name, resource and temporality may come after the points", () => {
    const sum = message(7, message(1, fixed64(6, 2n ** 64n - 4n)), varint(2, 2), varint(3, 1));
    const metric = message(2, sum, text(1, "late"));
    const resource = message(1, message(1, text(1, "a"), message(2, text(1, "b"))));
    const request = encodeFields([message(1, message(2, metric), resource)]).slice();
    expect(check(request).points).toMatchObject([
      {
        name: "late",
        temporality: "cumulative",
        isMonotonic: true,
        resource: { a: "b" },
        data: { kind: "sum", value: -4 },
      },
    ]);
  });

  test("JSON: integers as text or numbers, NaN by name, no value where the flag says so", () => {
    const dataPoints = [
      { asInt: "-9007199254740991", timeUnixNano: "1" },
      { asInt: 12 },
      { asDouble: "NaN" },
      { flags: 1 },
    ];
    const request = fromJson({
      resourceMetrics: [{ scopeMetrics: [{ metrics: [{ name: "g", gauge: { dataPoints } }] }] }],
    });
    const { points } = check(request);
    const values = points.map(({ data }) => ("value" in data ? data.value : 0));
    expect(values).toEqual([-9007199254740991, 12, Number.NaN, undefined]);
    expect(points.map(({ isMissing }) => isMissing)).toEqual([false, false, false, true]);
  });
});

describe("refusals tell the field, and no point has been told", () => {
  const good = message(5, message(1, fixed64(3, 1n), double(4, 1)));
  test.each<[string, Uint8Array, string]>([
    ["a cut request", requestOf(good).subarray(0, -1), "OTLP_INVALID: malformed protobuf"],
    [
      "a value of another type",
      requestOf(good, message(5, message(1, varint(4, 1)))),
      "field 4 of numberDataPoint has wire type 0",
    ],
    [
      "packed doubles that do not fit",
      requestOf(good, message(9, message(1, bytes(7, new Uint8Array(9))))),
      "field 7 of histogramDataPoint",
    ],
    [
      "a packed varint without end",
      requestOf(good, message(10, message(1, message(8, bytes(2, Uint8Array.of(0x80)))))),
      "field 2 of buckets",
    ],
    [
      "text where numbers are not packed",
      requestOf(good, message(7, text(2, "x"))),
      "field 2 of sum has wire type 2",
    ],
  ])("%s", (_, request, problem) => {
    const read = check(request);
    expect(read.problem).toContain(problem);
    expect(read.points).toEqual([]);
  });

  test("a batch of histograms as a Collector sends them is within the limits", () => {
    const counts = bytes(6, new Uint8Array(8 * 16));
    const bounds = bytes(7, new Uint8Array(8 * 15));
    const points = Array.from({ length: 8_192 }, () => message(1, fixed64(3, 1n), counts, bounds));
    const read = check(requestOf(message(9, ...points, varint(2, 2))));
    expect([read.problem, read.points.length]).toEqual([undefined, 8_192]);
  });

  test("limits hold for points, packed numbers and metrics", () => {
    const points = Array.from({ length: 4 }, () => message(1, fixed64(3, 1n)));
    const of = (limits: Partial<TraceLimits>, ...fields: Field[]) =>
      check(requestOf(...fields), { ...defaultMetricLimits, ...limits }).problem;
    expect(of({ pointsMax: 4 }, message(5, ...points))).toBeUndefined();
    expect(of({ pointsMax: 3 }, message(5, ...points))).toBe(
      "OTLP_TOO_LARGE: request holds more than 3 data points",
    );
    const packed = message(9, message(1, bytes(6, new Uint8Array(8 * 20))));
    expect(of({ elementsMax: 23 }, packed)).toBeUndefined();
    expect(of({ elementsMax: 22 }, packed)).toContain("more than 22 elements");
    const many = {
      scopeMetrics: [{ metrics: [{ histogram: { dataPoints: [{ bucketCounts: [1, 2, 3] }] } }] }],
    };
    const json = new TextEncoder().encode(JSON.stringify({ resourceMetrics: [many] }));
    const refused = transcodeMetricsJson(json, { ...defaultMetricLimits, elementsMax: 2 });
    expect(refused).toMatchObject({ ok: false, error: { code: "OTLP_TOO_LARGE" } });
  });
});
