import { existsSync, readdirSync, readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { transcodeOtlpJson } from "../../wire/otlp-json.ts";
import type { SpanRecord } from "./reference-reader.ts";
import { readReference } from "./reference-reader.ts";
import { type Read, readProduct } from "./span-records.ts";

const vectors = "../shared/data/otlp-vectors";
const wanted = ["service.name", "my.span.attr", "net.peer.ip", "peer.service", "k8s.pod.name"];

function check(path: string): { read: Read; transcoded: Uint8Array } {
  const file = readFileSync(`${vectors}/${path}`);
  const transcoded = transcodeOtlpJson(path.endsWith(".gz") ? gunzipSync(file) : file);
  if (!transcoded.ok) throw new Error(transcoded.error.message);
  const read = readProduct(transcoded.value, wanted);
  if (typeof read === "string") throw new Error(read);
  return { read, transcoded: transcoded.value };
}

describe.skipIf(!existsSync(vectors))(`files of ${vectors} (skipped where they are absent)`, () => {
  test("the specification's example is read fully", () => {
    const { read } = check("opentelemetry-proto/trace.json");
    expect(read.spans).toEqual<SpanRecord[]>([
      {
        traceId: "5b8efff798038103d269b633813fc60c",
        spanId: "eee19b7ec3c1b174",
        parentSpanId: "eee19b7ec3c1b173",
        name: "I'm a server span",
        traceState: "",
        kind: 2,
        statusCode: 0,
        flags: 0,
        startNs: 1_544_712_660_000_000_000n,
        endNs: 1_544_712_661_000_000_000n,
        attributes: { "my.span.attr": "some value" },
        resource: { "service.name": "my.service" },
        links: [],
        resourceIndex: 0,
      },
    ]);
  });

  test.each([
    ["trainticket_normal_2023-01-29_08_50", 4_890, 25],
    ["trainticket_fault_2023-01-29_08_52", 10_243, 28],
    ["onlineboutique_normal_2022-08-23_17_00", 22_969, 10],
  ])("%s has %d spans of %d pods", (name, spans, pods) => {
    const { read, transcoded } = check(`nezha-otlp/${name}.otlp.json.gz`);
    expect(read.rejected).toBe(0);
    expect(read.spans).toHaveLength(spans);
    expect(new Set(read.spans.map((span) => span.resource["k8s.pod.name"])).size).toBe(pods);
    expect(read.spans).toEqual(readReference(transcoded, wanted).spans);
  });

  test("the fixtures of Jaeger's user interface are all read", () => {
    const names = readdirSync(`${vectors}/jaeger-ui`).filter((name) => name.includes("jaeger-"));
    const inputs = names.filter((name) => /-in(-combined|-error)?\.json$/.test(name));
    expect(inputs).toHaveLength(3);
    for (const name of inputs) {
      const file = JSON.parse(readFileSync(`${vectors}/jaeger-ui/${name}`, "utf8")) as Fixture;
      const expected = file.resourceSpans.flatMap(({ scopeSpans }) =>
        scopeSpans.flatMap(({ spans }) => spans),
      );
      const { read } = check(`jaeger-ui/${name}`);
      expect(read.spans.map(({ spanId, startNs }) => [spanId, String(startNs)])).toEqual(
        expected.map(({ spanId, startTimeUnixNano }) => [spanId, startTimeUnixNano]),
      );
    }
  });
});

interface Fixture {
  readonly resourceSpans: readonly {
    readonly scopeSpans: readonly {
      readonly spans: readonly { readonly spanId: string; readonly startTimeUnixNano: string }[];
    }[];
  }[];
}
