/** Gauges as short literals. */
import { transcodeMetricsJson } from "../../wire/otlp-json.ts";
import { type AttributeLiteral, attributesOf, fixtureStartMs } from "./fixture.ts";

export interface GaugeLiteral {
  readonly service?: string;
  readonly resource?: Readonly<Record<string, AttributeLiteral>>;
  readonly name?: string;
  readonly value: number;
  readonly attributes?: Readonly<Record<string, AttributeLiteral>>;
  /** Milliseconds after the fixture's start. */
  readonly at?: number;
}

/** One ExportMetricsServiceRequest with these, a ResourceMetrics for each. */
export function gaugesOf(gauges: readonly GaugeLiteral[]): Uint8Array {
  const resourceMetrics = gauges.map(({ service, resource, name, value, attributes, at }) => ({
    resource: { attributes: attributesOf({ "service.name": service ?? "shop", ...resource }) },
    scopeMetrics: [
      {
        metrics: [
          {
            name: name ?? "queue.length",
            gauge: {
              dataPoints: [
                {
                  timeUnixNano: String(BigInt(fixtureStartMs + (at ?? 10)) * 1_000_000n),
                  asDouble: value,
                  attributes: attributesOf(attributes ?? {}),
                },
              ],
            },
          },
        ],
      },
    ],
  }));
  const bytes = transcodeMetricsJson(new TextEncoder().encode(JSON.stringify({ resourceMetrics })));
  if (!bytes.ok) throw new Error(bytes.error.message);
  return bytes.value;
}
