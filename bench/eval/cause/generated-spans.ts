/** Spans of a made-up system as one OTLP request. */
import { attribute, concatenated, integerField, message, textField } from "../../traffic/fields.ts";
import { createTemplate, type ResourcePlan, type SpanPlan } from "../../traffic/otlp-template.ts";
import type { WorldSpan } from "./generated-requests.ts";
import type { World, WorldService } from "./generated-world.ts";

const kinds = { internal: 1, server: 2, client: 3 } as const;
const nsPerMs = 1e6;
const scope = textField(1, "made");
const failedStatus = message(15, integerField(3, 2));

interface RequestWindow {
  readonly startMs: number;
  /** Makes the ids of one window other than those of the rest. */
  readonly salt: number;
}

export type SpanEncoder = (spans: readonly WorldSpan[], window: RequestWindow) => Uint8Array;

/** Encodes spans of one world; what they have in common is made once. */
export function createSpanEncoder({ services }: World): SpanEncoder {
  const fields = new Map<string, Uint8Array>();
  const customers = new Map<number, Uint8Array>();
  const once = <K>(map: Map<K, Uint8Array>, key: K, make: () => Uint8Array): Uint8Array => {
    const known = map.get(key) ?? make();
    map.set(key, known);
    return known;
  };
  const fieldsOf = (span: WorldSpan): Uint8Array[] => {
    const { service, kind, peer, failed, customer } = span;
    const key = `${service} ${kind} ${peer} ${failed}`;
    const named = `customer-${customer}`;
    return [
      once(fields, key, () => concatenated(commonFields(services, span))),
      once(customers, customer, () => attribute(9, "customer.id", named)),
    ];
  };
  return (spans, { startMs, salt }) => {
    const plans = new Map<number, SpanPlan[]>();
    for (const span of spans) {
      const list = plans.get(span.service) ?? [];
      plans.set(span.service, list);
      list.push({
        trace: [1, salt, 0, span.trace],
        id: [salt, span.id],
        parent: span.parent === 0 ? [0, 0] : [salt, span.parent],
        startNs: Math.round(span.startMs * nsPerMs),
        endNs: Math.round(span.endMs * nsPerMs),
        fields: fieldsOf(span),
      });
    }
    const resources = [...plans].map(([service, list]): ResourcePlan => {
      const { name } = services[service] as WorldService;
      return { resource: attribute(1, "service.name", name), scope, spans: list };
    });
    const template = createTemplate(resources);
    template.stamp(0, startMs);
    return template.bytes;
  };
}

function commonFields(services: readonly WorldService[], span: WorldSpan): Uint8Array[] {
  const { service, kind, peer, failed } = span;
  const far = services[peer];
  const name = kind === "internal" ? "work" : `GET /${(far ?? services[service])?.name}`;
  return [
    textField(5, name),
    integerField(6, kinds[kind]),
    ...(far === undefined ? [] : [attribute(9, "server.address", far.name)]),
    ...(failed ? [failedStatus] : []),
  ];
}
